"""Read cleaned exposures as frames: images with what weights their pixels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..align import Plane, fill_error
from ..arrays import Bools, Image, Weighting
from ..dq import FLUX_ESTIMATED
from ..errors import InputError
from ..frames import Frame
from .exposure import Exposure


def read_frames(path: Path, *, weighting: Weighting = "mask") -> Iterator[Frame]:
    """
    Give the integrations of a cleaned exposure with their replaced pixels and variances.

    Raises
    ------
    InputError
        If a weighting asks for errors that the exposure does not have.
    """
    with Exposure(path) as exposure:
        for i in range(len(exposure)):
            plane, replaced = read_plane(exposure, i)
            variance = _positive_variance(plane, replaced)
            if weighting == "inverse_variance" and variance is None:
                raise InputError(
                    "has no positive errors",
                    file=f"{path}[ERR]",
                    remedy="set align_refs.weighting to mask or mask+dq",
                )
            yield Frame(plane.image, replaced, variance)


def read_images(path: Path) -> Iterator[Frame]:
    """Give the integrations of a cleaned exposure by their images alone."""
    with Exposure(path) as exposure:
        for i in range(len(exposure)):
            yield Frame(exposure.read_science(i))


def read_plane(exposure: Exposure, integration: int) -> tuple[Plane, Bools]:
    """Give a plane of a cleaned exposure, and which of its pixels were replaced."""
    dq = exposure.read_dq(integration)
    plane = Plane(exposure.read_science(integration), exposure.read_error(integration), dq)
    return plane, (dq & np.uint32(FLUX_ESTIMATED)) != 0


def _positive_variance(plane: Plane, replaced: Bools) -> Image | None:
    """Give squared errors, those of bad pixels from their neighbours; None where none is known."""
    unknown = replaced | ~(plane.error > 0)
    return None if unknown.all() else fill_error(plane.error, unknown) ** 2
