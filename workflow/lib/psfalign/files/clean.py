"""Read cleaned exposures as frames: images with what weights their pixels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..align import Plane, fill_error
from ..arrays import Bools, Weighting
from ..dq import FLUX_ESTIMATED
from ..errors import InputError
from ..frames import Frame
from .exposure import Exposure


def read_frames(path: Path, *, weighting: Weighting = "mask") -> Iterator[Frame]:
    """Give the integrations of a cleaned exposure, with what a weighting asks for."""
    with Exposure(path) as exposure:
        for i in range(len(exposure)):
            if weighting == "mask":
                yield Frame(exposure.read_science(i))
                continue
            plane, replaced = read_plane(exposure, i)
            variance = None
            if weighting == "inverse_variance":
                variance = _positive_variance(plane, replaced, path)
            yield Frame(plane.image, replaced, variance)


def read_plane(exposure: Exposure, integration: int) -> tuple[Plane, Bools]:
    """Give a plane of a cleaned exposure, and which of its pixels were replaced."""
    dq = exposure.read_dq(integration)
    plane = Plane(exposure.read_science(integration), exposure.read_error(integration), dq)
    return plane, (dq & np.uint32(FLUX_ESTIMATED)) != 0


def _positive_variance(plane: Plane, replaced: Bools, path: Path) -> np.ndarray:
    unknown = replaced | ~(plane.error > 0)
    if unknown.all():
        raise InputError(
            "has no positive errors",
            file=f"{path}[ERR]",
            remedy="set align_refs.weighting to mask or mask+dq",
        )
    return fill_error(plane.error, unknown) ** 2
