"""What is left of a science image when psf images are subtracted, each at its best flux."""

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
    A science image and what psf images leave of it, before and after they are aligned to it.

    A psf image that is the only one to be subtracted is scaled by least squares under the weight.
    The beta of the fit of shifts is not its scale: that is how much of the science image the psf
    image holds, which noise and speckles of the science image make smaller.

    Attributes
    ----------
    psf : (rows, columns) float64
        The mean of the aligned psf images at the flux of the science image, less its median
        where a background is fitted.
    unaligned, aligned : (rows, columns) float64
        What the mean leaves, less the background that was fitted with it.
    weight : (rows, columns) float64
        The weight of the fit.
    rms : (psfs, 2) float64
        Weighted RMS of what each psf image leaves, unaligned and aligned.
    """

    psf: Image
    unaligned: Image
    aligned: Image
    weight: Image
    rms: NDArray[np.float64]

    @property
    def science(self) -> Image:
        """The science image less its background: what was subtracted, and what is left."""
        return self.psf + self.aligned

    @property
    def gain(self) -> float:
        """By which factor alignment divides the RMS that a psf image leaves; median over them."""
        return float(np.median(self.rms[:, 0] / self.rms[:, 1]))


def subtract_psfs(
    science: Image, psfs: Iterable[tuple[Image, Image]], weight: Image, background: Background
) -> Subtraction:
    """
    Subtract psf images from a science image, one by one and their mean.

    Parameters
    ----------
    science : (rows, columns) float64
    psfs
        Each psf image before and after it was aligned.
    weight : (rows, columns) float64
        Of the fit.
    background
        What is fitted besides each flux.
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
    if len(span):  # most pixels hold nothing else
        psf -= np.median(psf[weight > 0])
    return Subtraction(psf, unaligned, aligned, weight, np.array(rms))


def flux_in(image: Image, psf: Image, squared_weight: Image) -> float:
    """Return the factor at which a psf image fits an image best."""
    energy = float(np.vdot(squared_weight, psf**2))
    return float(np.vdot(squared_weight, psf * image)) / energy if energy else 0.0


def weighted_rms(image: Image, weight: Image) -> float:
    """Return the root mean square of an image, its pixels weighted by the square of a weight."""
    squared = weight**2
    return float(np.sqrt(np.vdot(squared, image**2) / squared.sum()))


def scatter_of_psfs(psfs: Cube, weight: Image) -> tuple[Image, Image]:
    """Return the mean of psf images (psfs, rows, columns), and how much they differ at its flux."""
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
        The image, whose NaN are left out, and how far its pixels are from where rings are about.
    """
    edges, known = np.linspace(0, _reach(radii), N_RINGS + 1), np.isfinite(image)
    squares, _ = np.histogram(radii[known], edges, weights=image[known] ** 2)
    counts, _ = np.histogram(radii[known], edges)
    filled = counts > 0
    return 0.5 * (edges[1:] + edges[:-1])[filled], np.sqrt(squares[filled] / counts[filled])


def _reach(radii: Image) -> float:
    """Return the radius at which a ring about the middle of a square meets its edges."""
    middle = radii[radii.shape[0] // 2], radii[:, radii.shape[1] // 2]
    return float(min(line.max() for line in middle))
