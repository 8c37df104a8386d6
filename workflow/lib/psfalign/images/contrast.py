"""Measure the noise in rings around a star, corrected for the small number of samples."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Image

SIGMA = 5.0
LEAST_SAMPLES = 4  # smallest number of apertures on a ring for an estimate of their scatter

Curve = NDArray[np.float64]


class Noise(NamedTuple):
    """
    The noise as a function of the separation from the star.

    Attributes
    ----------
    separation : (rings,) float64
        Distance from the star in pixels.
    n_samples : (rings,) int64
        Number of apertures on the ring without a missing pixel.
    factor : (rings,) float64
        Correction for the small number of samples: `limit` over five standard deviations.
    limit : (rings,) float64
        The sum of pixels in an aperture that noise exceeds with the probability of five sigma of a
        normal distribution.
    """

    separation: Curve
    n_samples: NDArray[np.int64]
    factor: Curve
    limit: Curve


def measure_noise(image: Image, star: tuple[float, float], fwhm: float) -> Noise:
    """
    Measure the scatter of apertures with a diameter of one FWHM, on rings one FWHM apart.

    Rings near the star have few apertures, and so the scatter follows a Student distribution (D.
    Mawet et al., 2014, ApJ 792, 97). The factor is t √(1 + 1/n) / 5, where t is the quantile of
    Student's distribution with n - 1 degrees of freedom at the false alarm rate of five sigma.

    Parameters
    ----------
    image : (rows, columns) float64
        The image; missing pixels are NaN.
    star
        Column and row of the star, counted from 0.
    fwhm
        Width of a point source in pixels, which is the diameter of the apertures.
    """
    sums = aperture_sums(image, fwhm)
    found: list[tuple[float, int, float, float]] = []
    farthest = np.hypot(*image.shape)
    for separation in np.arange(fwhm, farthest, fwhm):
        samples = _on_ring(sums, star, separation, fwhm)
        n = samples.size
        if n >= LEAST_SAMPLES:
            factor = small_sample_factor(n)
            limit = SIGMA * factor * float(samples.std(ddof=1))
            found.append((float(separation), n, factor, limit))
    separation, n_samples, factors, limits = zip(*found, strict=True) if found else ((), (), (), ())
    return Noise(
        np.array(separation, dtype=float),
        np.array(n_samples, dtype=np.int64),
        np.array(factors, dtype=float),
        np.array(limits, dtype=float),
    )


def small_sample_factor(n: int) -> float:
    """Return the factor on five standard deviations of n samples, see `measure_noise`."""
    from scipy.special import ndtr, stdtrit  # slow to import

    return float(-stdtrit(n - 1, ndtr(-SIGMA)) * np.sqrt(1 + 1 / n) / SIGMA)


def aperture_sums(image: Image, fwhm: float) -> Image:
    """Return the sum of the pixels within half a FWHM of each pixel; NaN if one of them is NaN."""
    reach = int(np.ceil(fwhm / 2))
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # Pixels at the rim count by the share that is inside, so that all apertures have the same area.
    disk = np.clip(fwhm / 2 + 0.5 - np.hypot(row, column), 0, 1)
    padded = np.pad(image, reach, constant_values=np.nan)
    total = np.zeros(image.shape)
    for (dy, dx), weight in np.ndenumerate(disk):
        if weight:
            total += weight * padded[dy : dy + image.shape[0], dx : dx + image.shape[1]]
    return total


def aperture_share(fwhm: float) -> float:
    """Return the share of the light of a Gaussian that an aperture of one FWHM holds."""
    reach = int(np.ceil(3 * fwhm))
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    light = np.exp(-4 * np.log(2) * (row**2 + column**2) / fwhm**2)
    return float(aperture_sums(light, fwhm)[reach, reach] / light.sum())


def _on_ring(sums: Image, star: tuple[float, float], separation: float, fwhm: float) -> Curve:
    """Return the sums of adjacent apertures on a ring, taken at the nearest pixels."""
    n = int(2 * np.pi * separation / fwhm)
    angle = 2 * np.pi * np.arange(n) / n
    column = np.rint(star[0] + separation * np.cos(angle)).astype(int)
    row = np.rint(star[1] + separation * np.sin(angle)).astype(int)
    inside = (row >= 0) & (row < sums.shape[0]) & (column >= 0) & (column < sums.shape[1])
    found = sums[row[inside], column[inside]]
    return np.asarray(found[np.isfinite(found)])
