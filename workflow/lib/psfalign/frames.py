"""One image with what is known of its pixels."""

from dataclasses import dataclass

from .arrays import Bools, Image


@dataclass(frozen=True)
class Frame:
    """
    An image and, where they are known, its replaced pixels and the variance of all.

    Attributes
    ----------
    image : (rows, columns) float64
    replaced : (rows, columns) bool, optional
        Pixels whose value was filled in by cleaning.
    variance : (rows, columns) float64, optional
        Square of the standard error of each pixel, finite and positive.
    """

    image: Image
    replaced: Bools | None = None
    variance: Image | None = None
