"""One plane of an exposure or a product: an image with its errors and flags."""

from dataclasses import dataclass

import numpy as np

from .arrays import Flags, Image
from .dq_flags import DO_NOT_USE


@dataclass(frozen=True)
class Plane:
    """
    One plane of an exposure or a product.

    Attributes
    ----------
    image, error : (rows, columns) float64
        The image and its standard errors.
    dq : (rows, columns) uint32
        JWST data quality flags.
    """

    image: Image
    error: Image
    dq: Flags


def failed_plane(shape: tuple[int, ...]) -> Plane:
    """Return the plane of a pair whose fit failed: all pixels are NaN, with DO_NOT_USE."""
    empty = np.full(shape, np.nan)
    return Plane(empty, empty, np.full(shape, DO_NOT_USE, dtype=np.uint32))
