"""The zones of a subtraction: pixels to fit, and pixels to subtract the fit from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Image

HALF = 0.5  # weight above which a pixel is in the region
LEAST_PIXELS = 10  # per psf image in a zone; fewer of them would be fitted by chance


class Zone(NamedTuple):
    """Pixels (rows, columns) that count in a fit, and those that it is subtracted from."""

    fitted: Bools
    subtracted: Bools


def choose_region(weight: Image, exclude: Bools | None = None) -> Bools:
    """Return the pixels that count: those of a weight above one half, less excluded ones."""
    region = weight > HALF
    return region if exclude is None else region & ~exclude


def divide(region: Bools, separations: Image, edges: Sequence[float], n_psfs: int) -> list[Zone]:
    """
    Divide an image into rings.

    Parameters
    ----------
    region : (rows, columns) bool
        The pixels that count.
    separations : (rows, columns) float64
        Distance of each pixel from the star.
    edges
        Distances where one ring ends and the next begins; none for the image as one.
    n_psfs
        How many psf images will be fitted. A ring with few pixels for them, such as one behind
        the occulter, is given what fits the whole region best.
    """
    rings = np.searchsorted(np.sort(np.asarray(edges, dtype=float)), separations, side="right")
    zones = []
    for n in range(len(edges) + 1):
        ring = rings == n
        enough = np.count_nonzero(region & ring) >= LEAST_PIXELS * n_psfs
        if ring.any():
            zones.append(Zone(region & ring if enough or not edges else region, ring))
    return zones
