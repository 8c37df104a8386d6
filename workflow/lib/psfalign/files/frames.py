"""Read cleaned exposures as frames: images with what weights their pixels."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np

from ..errors import InputError
from ..images.arrays import Bools, Image, Weighting
from ..images.dq_flags import FLUX_ESTIMATED
from ..images.frames import Frame
from ..images.plane import Plane, fill_error
from .exposure import Exposure


class CleanFrames:
    """
    The integrations of a cleaned exposure with their replaced pixels and variances.

    Each is read when it is asked for, within a with block, also by several forked processes.

    Raises
    ------
    InputError
        If a weighting asks for errors that the exposure does not have.
    """

    def __init__(self, exposure: Exposure, *, weighting: Weighting = "mask") -> None:
        self._exposure = exposure
        self._weighting = weighting

    def __enter__(self) -> Self:
        self._exposure.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exposure.__exit__(kind, error, traceback)

    def __len__(self) -> int:
        return len(self._exposure)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(f"{self._exposure.path} has no integration {index}")
        plane, replaced = read_plane(self._exposure, index)
        variance = _positive_variance(plane, replaced)
        if self._weighting == "inverse_variance" and variance is None:
            raise InputError(
                "has no positive errors",
                file=f"{self._exposure.path}[ERR]",
                remedy="set align_refs.weighting to mask or mask+dq",
            )
        return Frame(plane.image, replaced, variance)

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))


def read_plane(exposure: Exposure, integration: int) -> tuple[Plane, Bools]:
    """Return a plane of a cleaned exposure, and which of its pixels were replaced."""
    dq = exposure.read_dq(integration)
    plane = Plane(exposure.read_science(integration), exposure.read_error(integration), dq)
    return plane, (dq & np.uint32(FLUX_ESTIMATED)) != 0


def _positive_variance(plane: Plane, replaced: Bools) -> Image | None:
    """Return squared errors, of bad pixels those of neighbours; None where no error is known."""
    unknown = replaced | ~((plane.error > 0) & (plane.error < np.inf))
    return None if unknown.all() else fill_error(plane.error, unknown) ** 2
