"""
Shift images and variances by fractions of a pixel in Fourier space.

S(f, (dx, dy)) is the real part of the inverse transform of `scipy.ndimage.fourier_shift`, applied
to the complex transform of f. On an even axis this splits the Nyquist term between +N/2 and -N/2,
so that its factor is a cosine; if both axes are even, the corner term is multiplied by
cos(π (dx + dy)). The shift is periodic: content that leaves the image on one side enters on the
opposite side.
"""

import math
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.fft import ifft, irfft, rfft2, rfftfreq
from numpy.typing import NDArray

from .arrays import Image, Spectrum

Floats = NDArray[np.float64]
Factors = NDArray[np.complex128]
Complex = TypeVar("Complex", np.complex128, np.complex64)


class Shift(NamedTuple):
    """A shift in pixels, positive towards higher column (dx) and row (dy) index."""

    dx: float
    dy: float


def shift_image(image: Image, shift: Shift) -> Image:
    """
    Move the content of an image by a fraction of a pixel.

    Parameters
    ----------
    image : (rows, columns) float64
        The image, which must be finite; not modified.
    shift
        New position of a point of the image minus its old position, in pixels.
    """
    return to_image(shift_spectrum(rfft2(image), image.shape, shift), image.shape)


def shift_spectrum(
    spectrum: NDArray[Complex], shape: tuple[int, ...], shift: Shift
) -> NDArray[Complex]:
    """Return the ``rfft2`` of a shifted image from that of the image."""
    rows, columns = shape
    kind = spectrum.dtype  # factors in double precision would slow down single precision
    in_y = row_factors(rows, shift.dy).astype(kind, copy=False)
    in_x = column_factors(columns, shift.dx).astype(kind, copy=False)
    factors = _outer(in_y[None], in_x[None])
    if rows % 2 == columns % 2 == 0:
        factors[rows // 2, columns // 2] = math.cos(math.pi * (shift.dx + shift.dy))
    return np.multiply(factors, spectrum, out=factors)


def to_image(spectrum: Spectrum, shape: tuple[int, ...]) -> Image:
    """Return ``irfft2`` of a spectrum, which is overwritten to avoid a copy."""
    ifft(spectrum, axis=0, out=spectrum)
    return irfft(spectrum, n=shape[1], axis=1)


def row_factors(size: int, shift: Floats | float) -> Factors:
    """Return the factors of shifts along the rows of ``rfft2``, (…, size)."""
    return _in_full(column_factors(size, shift), size)


def column_factors(size: int, shift: Floats | float) -> Factors:
    """Return the factors of shifts along the columns of ``rfft2``, (…, size // 2 + 1)."""
    factors = np.exp(np.multiply.outer(shift, _column_rates(size)))
    if size % 2 == 0:
        factors[..., size // 2] = np.cos(np.pi * np.asarray(shift))
    return factors


def shift_variance(variance_spectrum: Spectrum, shape: tuple[int, ...], shift: Shift) -> Image:
    """
    Propagate the variance of independent pixels through a shift.

    A pixel of the shifted image is Σ K f with the kernel K of the shift. Its variance is Σ K² V,
    which is a convolution.

    Parameters
    ----------
    variance_spectrum : (rows, columns // 2 + 1) complex128
        The ``rfft2`` of the variances before the shift.
    shape
        Rows and columns of the image.
    shift
        The shift of the image.

    Returns
    -------
    (rows, columns) float64
        The variance, never negative.
    """
    spectrum = _squared_kernel_spectrum(shape, shift)
    spectrum *= variance_spectrum
    variance = to_image(spectrum, shape)
    return np.abs(variance, out=variance)  # rounding can make it slightly negative


@cache
def _column_rates(size: int) -> NDArray[np.complex128]:
    """-2πi f for the frequencies f of ``rfft``, in cycles per pixel."""
    return np.asarray(-2j * np.pi * rfftfreq(size), dtype=complex)


class SquaredKernel(NamedTuple):
    """
    The transform of K² for the kernels K of shifts, as factors along each axis.

    K(x, y) = X(x) Y(y) - a (-1)^(x + y). If both axes are even, the corner term makes
    a = sin(π dx) sin(π dy) / (rows · columns); otherwise a is 0.

    Attributes
    ----------
    in_y : (shifts, rows) complex128
        ``fft`` of Y².
    in_x : (shifts, columns // 2 + 1) complex128
        ``rfft`` of X².
    alternating_y, alternating_x
        The transforms of Y (-1)^y and X (-1)^x, for the corner term.
    corner : (shifts along y, shifts along x) float64
        The amplitude a.
    """

    in_y: Factors
    in_x: Factors
    alternating_y: Factors
    alternating_x: Factors
    corner: Floats

    @classmethod
    def at(cls, shape: tuple[int, ...], dx: Floats, dy: Floats) -> "SquaredKernel":
        """Return the factors of some dx and some dy."""
        rows, columns = shape
        corner = np.outer(np.sin(np.pi * dy), np.sin(np.pi * dx)) / (rows * columns)
        # The transform of X(x) (-1)^x is that of X, shifted by half a period: reversed, conjugate.
        return cls(
            in_y=_in_full(_squared_factors(rows, dy), rows),
            in_x=_squared_factors(columns, dx),
            alternating_y=_in_full(column_factors(rows, dy)[:, ::-1].conj(), rows),
            alternating_x=column_factors(columns, dx)[:, ::-1].conj(),
            corner=corner if rows % 2 == columns % 2 == 0 else np.zeros_like(corner),
        )


def _squared_kernel_spectrum(shape: tuple[int, ...], shift: Shift) -> Spectrum:
    """Return the ``rfft2`` of K²."""
    kernel = SquaredKernel.at(shape, np.array([shift.dx]), np.array([shift.dy]))
    corner = kernel.corner.item()
    in_y = np.concatenate([kernel.in_y, kernel.alternating_y])
    spectrum = _outer(in_y, np.concatenate([kernel.in_x, -2 * corner * kernel.alternating_x]))
    spectrum[0, 0] += corner**2 * math.prod(shape)
    return spectrum


def _squared_factors(size: int, shift: Floats) -> Factors:
    """
    Return the ``rfft`` of X², for the kernels X of some shifts along one axis.

    It is the convolution of the factors with themselves. Of the N products at frequency k, N - k
    have the phase -2π k d / N. The frequencies of the other k products add up to k - N, which adds
    2π d to the phase.
    """
    rates = _column_rates(size)
    wrapped = np.exp(2j * np.pi * shift)
    # The k-th rate is -2πi k / N.
    squared = np.exp(np.multiply.outer(shift, rates))
    squared *= 1 + np.multiply.outer((1 - wrapped) / (2j * np.pi), rates)
    if size % 2 == 0:
        # At frequency 0, correct the product of the Nyquist term with itself, which is split.
        squared[..., 0] -= (1 - np.cos(2 * np.pi * shift)) / (2 * size)
    return squared


def _in_full(half: Factors, size: int) -> Factors:
    """Return the ``fft`` of a real signal from its ``rfft``."""
    return np.concatenate([half, half[..., 1 : (size + 1) // 2][..., ::-1].conj()], axis=-1)


def _outer(in_y: NDArray[Complex], in_x: NDArray[Complex]) -> NDArray[Complex]:
    """Return the sum of outer products of rows, in real arithmetic, which BLAS does faster."""
    left = np.concatenate([in_y.real, in_y.imag])
    right = np.concatenate([in_x, 1j * in_x]).view(left.dtype)
    return np.asarray((left.T @ right).view(in_x.dtype))
