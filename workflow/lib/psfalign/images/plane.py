"""One plane of an exposure or a product: an image with its errors and flags."""

from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Flags, Image
from .bad_pixels import fill_pixels
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


def fill_error(error: Image, replaced: Bools) -> Image:
    """
    Take errors of replaced pixels, and those that are negative or not finite, from neighbours.

    Where a plane has no error at all, it is 0, which in JWST files means that it is not known.
    """
    invalid = replaced | ~((error >= 0) & (error < np.inf))
    return np.zeros_like(error) if invalid.all() else fill_pixels(error, invalid)
