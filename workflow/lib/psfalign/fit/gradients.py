"""Compute the derivatives of a shifted science image, for `noise` and `doubt`."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray

from ..images.arrays import SingleImage
from .polynomials import gradient_rates
from .result import N_PARAMETERS
from .spectral import Source, Weighted

BLOCK = 4  # pixels; a window is two blocks wide and high, as large as a companion is at 2 to 4 λ/D
# Rows and columns of the upper triangle of a symmetric 3×3 matrix, such as g gᵀ.
FIRST, SECOND = np.triu_indices(N_PARAMETERS)

Singles = NDArray[np.float32]
Sums = NDArray[np.float64]
Whole = tuple[int, int]  # a shift by whole pixels, (dy, dx)


@dataclass(frozen=True)
class Gradients:
    """
    S(s, d) and its derivatives by dx and dy, less the background, divided by the peak of s.

    They are computed at whole-pixel shifts, and serve all fits whose shifts round to the same whole
    pixels. Single precision suffices for uncertainties and doubts.

    Attributes
    ----------
    source, weighted
        The science image and the weight.
    """

    source: Source
    weighted: Weighted
    _moved: dict[Whole, Singles] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def peak(self) -> float:
        """The largest absolute value of s."""
        return float(np.abs(self.source.image).max())

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """``rfft2`` of s over its peak."""
        return (self.source.spectrum / self.peak).astype(np.complex64)

    @cached_property
    def _at_rest(self) -> Singles:
        return derivatives_of(self.spectrum, (self.source.image / self.peak).astype(np.float32))

    def at(self, whole: Whole) -> Singles:
        """Return the derivatives after a shift by whole pixels, (3, rows, columns)."""
        if whole not in self._moved:
            moved = np.roll(self._at_rest, whole, axis=(1, 2))
            self._moved[whole] = without_background(moved, self.weighted)
        return self._moved[whole]


def derivatives_of(spectrum: NDArray[np.complex64], image: SingleImage) -> Singles:
    """Return ∂S/∂dx and ∂S/∂dy at d = 0, from the ``rfft2`` of s, and ``image``, stacked."""
    in_x, in_y = gradient_rates(image.shape)
    made = np.empty((N_PARAMETERS, *image.shape), dtype=np.float32)
    for slope, rates in zip(made, (in_x, in_y[:, None]), strict=False):
        slope[:] = irfft2(spectrum * rates.astype(np.complex64), s=image.shape)
    made[-1] = image
    return made


def without_background(derivatives: Singles, weighted: Weighted) -> Singles:
    """Subtract the background that fits each derivative best, in place."""
    for image in derivatives if len(weighted.span) else ():
        image[:] = weighted.single_span.subtract(image)
    return derivatives


def sum_products(derivatives: Singles, shares: SingleImage) -> Sums:
    """Return Σ w² g gᵀ over each block of pixels, as upper triangles, (6, block rows, columns)."""
    weighted = shares * derivatives
    pairs = zip(FIRST, SECOND, strict=True)
    return np.stack([sum_blocks(weighted[i] * derivatives[j]) for i, j in pairs])


def sum_blocks(image: SingleImage) -> Sums:
    """Sum an image over blocks of `BLOCK` pixels; the last blocks may be smaller."""
    return _sum_rows(_sum_rows(image).T).T.astype(np.float64)


def _sum_rows(image: SingleImage) -> SingleImage:
    sums = image[::BLOCK].copy()
    for offset in range(1, BLOCK):
        rows = image[offset::BLOCK]
        sums[: len(rows)] += rows
    return sums


def as_matrices(entries: Sums) -> Sums:
    """Arrange upper triangles (6, …) as symmetric matrices (…, 3, 3)."""
    made = np.empty((*entries.shape[1:], N_PARAMETERS, N_PARAMETERS))
    made[..., FIRST, SECOND] = made[..., SECOND, FIRST] = np.moveaxis(entries, 0, -1)
    return made
