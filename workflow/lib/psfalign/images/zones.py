"""Divide an image into the zones in which KLIP is fitted and subtracted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Image

HALF = 0.5  # pixels with a larger weight belong to the region
LEAST_PIXELS = 10  # per psf image in a zone; with fewer pixels the fit would follow the noise


class Zone(NamedTuple):
    """The pixels (rows, columns) of a fit, and the pixels from which it is subtracted."""

    fitted: Bools
    subtracted: Bools


def choose_region(weight: Image, exclude: Bools | None = None) -> Bools:
    """Return the pixels to fit: those with a weight above one half that are not excluded."""
    region = weight > HALF
    return region if exclude is None else region & ~exclude


def divide(region: Bools, separations: Image, edges: Sequence[float], n_psfs: int) -> list[Zone]:
    """
    Divide an image into rings.

    Parameters
    ----------
    region : (rows, columns) bool
        The pixels to fit.
    separations : (rows, columns) float64
        Distance of each pixel from the star, in the unit of ``edges``.
    edges
        Distances at which one ring ends and the next begins; without any, the image is one zone.
    n_psfs
        Number of psf images. In a ring with fewer than `LEAST_PIXELS` pixels for each of them, such
        as one behind the occulter, the fit to the whole region is subtracted.

    Returns
    -------
    list of Zone
        From the star outwards.
    """
    rings = np.searchsorted(np.sort(np.asarray(edges, dtype=float)), separations, side="right")
    zones = []
    for n in range(len(edges) + 1):
        ring = rings == n
        enough = np.count_nonzero(region & ring) >= LEAST_PIXELS * n_psfs
        if ring.any():
            zones.append(Zone(region & ring if enough or not edges else region, ring))
    return zones
