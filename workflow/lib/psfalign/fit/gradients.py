"""Compute the derivatives of a shifted science image, for `noise` and `doubt`."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.fft import ifft, irfft
from numpy.typing import NDArray

from ..images.arrays import SingleImage
from ..images.fourier import Shift, shift_spectrum
from .polynomials import gradient_rates
from .result import N_PARAMETERS
from .spectral import Source, Weighted

BLOCK = 4  # pixels; a window is two blocks wide and high, as large as a companion is at 2 to 4 λ/D
# Rows and columns of the upper triangle of a symmetric 3×3 matrix, such as g gᵀ.
FIRST, SECOND = np.triu_indices(N_PARAMETERS)

Singles = NDArray[np.float32]
Sums = NDArray[np.float64]
Spectra = NDArray[np.complex64]
Whole = tuple[int, int]  # a shift by whole pixels, (dy, dx)


@dataclass(frozen=True)
class Shifted:
    """
    A shifted image S(s, d) and its derivatives by the shift.

    Attributes
    ----------
    spectrum : (rows, columns // 2 + 1) complex64
        ``rfft2`` of the shifted image.
    shape
        Rows and columns.
    """

    spectrum: Spectra
    shape: tuple[int, int]

    @cached_property
    def image(self) -> SingleImage:
        """S(s, d)."""
        return self._along_rows(self._halfway)

    def derivatives(self, lines: slice) -> Singles:
        """Return ∂S/∂dx, ∂S/∂dy and S itself in some lines, (3, lines, columns)."""
        in_x, in_y = (rates.astype(np.complex64) for rates in gradient_rates(self.shape))
        by_dy = ifft(self.spectrum * in_y[:, None], axis=0)
        slopes = self._along_rows(self._halfway[lines] * in_x), self._along_rows(by_dy[lines])
        return np.stack([*slopes, self.image[lines]])

    @cached_property
    def _halfway(self) -> Spectra:
        """The inverse transform along columns, which S and ∂S/∂dx share."""
        return np.asarray(ifft(self.spectrum, axis=0))

    def _along_rows(self, halfway: NDArray[np.complexfloating]) -> SingleImage:
        return np.asarray(irfft(halfway, n=self.shape[1]))


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
    def _spectrum(self) -> Spectra:
        """``rfft2`` of s over its peak."""
        return (self.source.spectrum / self.peak).astype(np.complex64)

    def shifted(self, shift: Shift) -> Shifted:
        """Return s over its peak, shifted."""
        return Shifted(shift_spectrum(self._spectrum, self.source.shape, shift), self.source.shape)

    @cached_property
    def _at_rest(self) -> Singles:
        return Shifted(self._spectrum, self.source.shape).derivatives(slice(None))

    def at(self, whole: Whole) -> Singles:
        """Return the derivatives after a shift by whole pixels, (3, rows, columns)."""
        if whole not in self._moved:
            moved = np.roll(self._at_rest, whole, axis=(1, 2))
            self._moved[whole] = without_background(moved, self.weighted)
        return self._moved[whole]


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
