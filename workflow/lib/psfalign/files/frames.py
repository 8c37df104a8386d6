"""Read cleaned exposures as frames: images with replaced pixels and variances."""

from collections.abc import Iterator
from functools import cached_property
from typing import Self

import numpy as np

from ..errors import InputError
from ..images.arrays import Bools, Image, Weighting
from ..images.dq_flags import FLUX_ESTIMATED, NON_SCIENCE
from ..images.frames import Frame
from ..images.pixel_errors import fill_error
from ..images.plane import Plane
from .exposure import Exposure


class CleanFrames:
    """
    The integrations of a cleaned exposure with their replaced pixels and variances.

    Each is read on demand, inside a ``with`` block; several forked processes may read them.

    Raises
    ------
    InputError
        If the weighting needs errors, and no integration has any.
    """

    def __init__(self, exposure: Exposure, *, weighting: Weighting = "mask") -> None:
        self._exposure = exposure
        self._weighting = weighting

    def __enter__(self) -> Self:
        self._exposure.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._exposure.__exit__(*raised)

    def __len__(self) -> int:
        return len(self._exposure)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(f"{self._exposure.path} has no integration {index}")
        plane, replaced = read_plane(self._exposure, index)
        variance = known_variance(plane.error)
        if variance is None and self._weighting == "inverse_variance" and not self._has_errors:
            raise InputError(
                "has no positive errors",
                file=f"{self._exposure.path}[ERR]",
                remedy="set align_refs.weighting to mask or mask+dq",
            )
        return Frame(plane.image, replaced, variance)

    @cached_property
    def _has_errors(self) -> bool:
        """Whether any integration has errors; looked at where one has none."""
        return any((self._exposure.read_error(i) > 0).any() for i in range(len(self)))

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))


def read_plane(exposure: Exposure, integration: int) -> tuple[Plane, Bools]:
    """Return a plane of a cleaned exposure, and which of its pixels were replaced."""
    dq = exposure.read_dq(integration)
    plane = Plane(exposure.read_science(integration), exposure.read_error(integration), dq)
    return plane, (dq & np.uint32(FLUX_ESTIMATED)) != 0


def find_off_science(plane: Plane) -> Bools:
    """Return which pixels of a cleaned plane were set to 0, off the science area of MIRI."""
    flags = np.uint32(FLUX_ESTIMATED | NON_SCIENCE)
    return ((plane.dq & flags) == flags) & (plane.image == 0)


def known_variance(error: Image) -> Image | None:
    """Return squared errors, unknown ones from their neighbours; None if all are unknown."""
    filled = fill_error(error)
    return None if np.isnan(filled).all() else filled**2
