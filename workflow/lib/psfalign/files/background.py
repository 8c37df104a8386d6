"""Measure the sky background of an exposure, and read whether it was subtracted."""

import math
from dataclasses import dataclass

import numpy as np

from ..images.arrays import Image
from ..images.dq_flags import DO_NOT_USE, NON_SCIENCE
from .exposure import Exposure
from .fits.structure import text_of

SUBTRACTED = "COMPLETE"  # S_BKDSUB of the jwst pipeline's step
# Median, in units of the noise of a pixel, above which there is a background. Flight exposures
# have 0.2 to 1.6, from the star's light, with a subtracted background, and 8.3 to 8.8 without.
LEAST = 3.0
NORMAL = 1.4826  # standard deviation over median absolute deviation of a normal distribution


@dataclass(frozen=True)
class Background:
    """
    The background of an exposure, from its header and its pixels.

    Attributes
    ----------
    status
        S_BKDSUB, the status of the background step of the jwst pipeline; empty if it is missing.
    median, noise
        Median of the science area of the first integration that has one, and the noise of a pixel
        from differences of neighbours, in the unit of the file; NaN if there is none.
    """

    status: str
    median: float
    noise: float

    @property
    def is_there(self) -> bool:
        """Whether a visible background was not subtracted."""
        return self.status != SUBTRACTED and self.median > LEAST * self.noise

    def __str__(self) -> str:
        status = f"S_BKDSUB={self.status}" if self.status else "no S_BKDSUB"
        return f"{status}, median {self.median:.3g}, noise {self.noise:.2g}"


def measure_background(exposure: Exposure) -> Background:
    """Open an exposure, and measure its background."""
    status = text_of(exposure.primary, "S_BKDSUB").upper()
    with exposure:
        for i in range(len(exposure)):
            image = exposure.read_science(i)
            bad = (exposure.read_dq(i) & np.uint32(DO_NOT_USE | NON_SCIENCE)) != 0
            image[bad | ~np.isfinite(image)] = np.nan
            noise = noise_of(image)
            if math.isfinite(noise):
                return Background(status, float(np.nanmedian(image)), noise)
    return Background(status, math.nan, math.nan)


def noise_of(image: Image) -> float:
    """
    Return the standard deviation of a pixel from differences of neighbours in a row.

    Parameters
    ----------
    image : (rows, columns) float64
        The image; bad pixels are NaN. Slow variations along a row do not count as noise.
    """
    differences = np.diff(image, axis=1)
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return math.nan
    spread = np.median(np.abs(differences - np.median(differences)))
    return float(NORMAL * spread / math.sqrt(2))
