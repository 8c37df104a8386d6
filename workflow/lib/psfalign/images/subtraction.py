"""What is left of a science image when the mean of the psf images is subtracted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import Cube, Image
from .fourier import Shift, shift_image
from .padding import pad_image

N_RINGS = 40


@dataclass(frozen=True)
class Subtraction:
    """
    A science image and the psf images that were aligned to it.

    Attributes
    ----------
    science : (rows, columns) float64
    psf : (rows, columns) float64
        Mean of the aligned psf images, each divided by its beta.
    unaligned : (rows, columns) float64
        The same of the psf images before they were aligned.
    weight : (rows, columns) float64
        The weight of the fit.
    """

    science: Image
    psf: Image
    unaligned: Image
    weight: Image

    @property
    def gain(self) -> float:
        """Weighted RMS of the residual without alignment over that with it."""
        before, after = (
            weighted_rms(self.science - psf, self.weight) for psf in (self.unaligned, self.psf)
        )
        return before / after


def weighted_rms(image: Image, weight: Image) -> float:
    """Return the root mean square of an image times its weight."""
    return float(np.sqrt(np.mean((weight * image) ** 2)))


def mean_psf(psfs: Cube, beta: NDArray[np.float64]) -> Image:
    """Average psf images (psfs, rows, columns), each at the flux of the science image."""
    return np.mean(psfs / beta[:, None, None], axis=0)


def scatter_of_psfs(psfs: Cube, beta: NDArray[np.float64]) -> Image:
    """Return how much psf images, each at the flux of the science image, differ: their RMS."""
    return np.std(psfs / beta[:, None, None], axis=0)


def shift_all(psfs: Cube, dx: NDArray[np.float64], dy: NDArray[np.float64], padding: int) -> Cube:
    """Shift each of some images (psfs, rows, columns) by its own shift, as align_psfs does."""
    _, rows, columns = psfs.shape
    shifts = map(Shift, dx.tolist(), dy.tolist())
    moved = [shift_image(pad_image(psf, padding), s) for psf, s in zip(psfs, shifts, strict=True)]
    return np.array([image[:rows, :columns] for image in moved])


def radial_scatter(image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the radii of rings around the middle in pixels, and the RMS of an image in each."""
    radius = _radius(image.shape)
    edges = np.linspace(0, min(image.shape) / 2, N_RINGS + 1)
    squares, _ = np.histogram(radius, edges, weights=np.nan_to_num(image) ** 2)
    counts, _ = np.histogram(radius, edges)
    filled = counts > 0
    return 0.5 * (edges[1:] + edges[:-1])[filled], np.sqrt(squares[filled] / counts[filled])


def _radius(shape: tuple[int, ...]) -> Image:
    rows, columns = np.indices(shape)
    return np.hypot(rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2)
