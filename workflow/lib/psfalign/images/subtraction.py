"""Subtract psf images from a science image, each at the flux that fits best, for the report."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import Background, Cube, Image
from .background import Span
from .fourier import Shift, shift_image
from .padding import pad_image

N_RINGS = 40


@dataclass(frozen=True)
class Subtraction:
    """
    The residuals of a science image less psf images, before and after they were aligned to it.

    Each psf image is scaled by least squares under the weight. The factor is not 1 / beta of the
    fit of shifts, which scales the science image to the psf image: noise and speckles in the
    science image make beta smaller.

    Attributes
    ----------
    psf : (rows, columns) float64
        The mean of the aligned psf images at the flux of the science image. Its median is
        subtracted if a background is fitted.
    unaligned, aligned : (rows, columns) float64
        The residual after the mean psf and the fitted background are subtracted.
    weight : (rows, columns) float64
        The weight of the fit.
    rms : (psfs, 2) float64
        Weighted RMS of the residual of each psf image, unaligned and aligned.
    """

    psf: Image
    unaligned: Image
    aligned: Image
    weight: Image
    rms: NDArray[np.float64]

    @property
    def science(self) -> Image:
        """The science image less its background, which is `psf` plus `aligned`."""
        return self.psf + self.aligned

    @property
    def gain(self) -> float:
        """The factor by which alignment reduces the RMS of a residual; median over psf images."""
        return float(np.median(self.rms[:, 0] / self.rms[:, 1]))


def subtract_psfs(
    science: Image, psfs: Iterable[tuple[Image, Image]], weight: Image, background: Background
) -> Subtraction:
    """
    Subtract each psf image, and the mean of all, from a science image.

    Parameters
    ----------
    science : (rows, columns) float64
    psfs
        Each psf image before and after it was aligned.
    weight : (rows, columns) float64
        The weight of the fit.
    background
        The background that is fitted together with each flux.
    """
    squared = weight**2
    span = Span.of(squared, background)
    target = span.subtract(science)

    def left_by(psf: Image) -> tuple[Image, float]:
        psf = span.subtract(psf)
        flux = flux_in(target, psf, squared)
        return target - flux * psf, flux

    rms, totals = [], np.zeros((2, *science.shape))
    for states in psfs:
        rms.append([weighted_rms(left_by(psf)[0], weight) for psf in states])
        totals += states
    (unaligned, _), (aligned, flux) = map(left_by, totals)
    psf = flux * totals[1]
    if len(span):  # most pixels contain only background
        psf -= np.median(psf[weight > 0])
    return Subtraction(psf, unaligned, aligned, weight, np.array(rms))


def flux_in(image: Image, psf: Image, squared_weight: Image) -> float:
    """Return the factor by which a psf image fits an image best, Σ w² p f / Σ w² p²."""
    energy = float(np.vdot(squared_weight, psf**2))
    return float(np.vdot(squared_weight, psf * image)) / energy if energy else 0.0


def weighted_rms(image: Image, weight: Image) -> float:
    """Return the root mean square of an image, √(Σ w² f² / Σ w²)."""
    squared = weight**2
    return float(np.sqrt(np.vdot(squared, image**2) / squared.sum()))


def scatter_of_psfs(psfs: Cube, weight: Image) -> tuple[Image, Image]:
    """Return the mean of psf images (psfs, rows, columns), and their RMS deviation at its flux."""
    mean, squared = np.mean(psfs, axis=0), weight**2
    scaled = np.array([flux_in(mean, psf, squared) * psf for psf in psfs])
    return mean, np.sqrt(np.mean((scaled - mean) ** 2, axis=0))


def shift_psf(psf: Image, dx: float, dy: float, padding: int) -> Image:
    """Shift an image (rows, columns) as align_psfs does."""
    rows, columns = psf.shape
    return shift_image(pad_image(psf, padding), Shift(dx, dy))[:rows, :columns]


def radial_scatter(image: Image, radii: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the radii of rings, and the RMS of an image in each.

    Parameters
    ----------
    image, radii : (rows, columns) float64
        The image, whose NaN are left out, and the distance of each pixel from the centre of the
        rings.
    """
    edges, known = np.linspace(0, _reach(radii), N_RINGS + 1), np.isfinite(image)
    squares, _ = np.histogram(radii[known], edges, weights=image[known] ** 2)
    counts, _ = np.histogram(radii[known], edges)
    filled = counts > 0
    return 0.5 * (edges[1:] + edges[:-1])[filled], np.sqrt(squares[filled] / counts[filled])


def _reach(radii: Image) -> float:
    """Return the largest radius at which a ring about the centre is inside the image."""
    middle = radii[radii.shape[0] // 2], radii[:, radii.shape[1] // 2]
    return float(min(line.max() for line in middle))
