"""One plane of an exposure or a product: an image with its errors and flags."""

from dataclasses import dataclass

import numpy as np

from .arrays import Flags, Image
from .dq_flags import DO_NOT_USE


@dataclass(frozen=True)
class Plane:
    """
    One plane of an aligned product.

    Attributes
    ----------
    image, error : (rows, columns) float64
    dq : (rows, columns) uint32
    """

    image: Image
    error: Image
    dq: Flags


def failed_plane(shape: tuple[int, ...]) -> Plane:
    """Return what stands for a pair whose fit failed: NaN, and DO_NOT_USE in every pixel."""
    empty = np.full(shape, np.nan)
    return Plane(empty, empty, np.full(shape, DO_NOT_USE, dtype=np.uint32))
