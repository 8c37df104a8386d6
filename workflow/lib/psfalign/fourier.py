"""
Shift images and variances by fractions of a pixel in Fourier space.

S(f, (dx, dy)) is what `scipy.ndimage.fourier_shift` makes of the complex transform of f, followed
by the real part. On an even axis that halves the Nyquist term between +N/2 and -N/2, so that its
factor is a cosine; where both axes are even, the corner term gets cos(π (dx + dy)). The shift is
periodic: what leaves the image on one side comes in on the other.
"""

from typing import NamedTuple

import numpy as np
from numpy.fft import fft, fftfreq, ifft, irfft, irfft2, rfft, rfft2, rfftfreq
from numpy.typing import NDArray

from .arrays import Image, Spectrum


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
        Finite everywhere; not modified.
    shift
        Where a point of the image is moved to, minus where it was.
    """
    return irfft2(shift_spectrum(rfft2(image), image.shape, shift), s=image.shape)


def shift_spectrum(spectrum: Spectrum, shape: tuple[int, ...], shift: Shift) -> Spectrum:
    """Multiply the ``rfft2`` of an image of some shape by the factors of a shift."""
    rows, columns = shape
    shifted = spectrum * column_factors(columns, shift.dx)
    shifted *= row_factors(rows, shift.dy)[:, None]
    if rows % 2 == columns % 2 == 0:
        corner = rows // 2, columns // 2
        shifted[corner] = spectrum[corner] * np.cos(np.pi * (shift.dx + shift.dy))
    return shifted


def row_factors(size: int, shift: float) -> NDArray[np.complex128]:
    """Factors of a shift along the axis that ``rfft2`` transforms in full."""
    return _with_even_nyquist(fftfreq(size), size, shift)


def column_factors(size: int, shift: float) -> NDArray[np.complex128]:
    """Factors of a shift along the axis of which ``rfft2`` keeps one half."""
    return _with_even_nyquist(rfftfreq(size), size, shift)


def shift_variance(variance_spectrum: Spectrum, shape: tuple[int, ...], shift: Shift) -> Image:
    """
    Propagate the variance of independent pixels through a shift.

    A pixel of the shifted image is Σ K f with the kernel K of the shift, so its variance is
    Σ K² V, a convolution.

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
    (rows, columns) float64, never negative.
    """
    spectrum = _squared_kernel_spectrum(shape, shift)
    spectrum *= variance_spectrum
    variance = irfft2(spectrum, s=shape)
    return np.maximum(variance, 0.0, out=variance)  # rounding alone can take it below


def _with_even_nyquist(
    frequencies: NDArray[np.floating], size: int, shift: float
) -> NDArray[np.complex128]:
    factors = np.exp(-2j * np.pi * frequencies * shift)
    if size % 2 == 0:
        factors[size // 2] = np.cos(np.pi * shift)
    return factors


def _squared_kernel_spectrum(shape: tuple[int, ...], shift: Shift) -> Spectrum:
    """
    Give the ``rfft2`` of K².

    K(x, y) = X(x) Y(y) - a (-1)^(x + y), where a, from the corner term of two even axes, is
    sin(π dx) sin(π dy) / (rows · columns) and 0 otherwise.
    """
    rows, columns = shape
    x = irfft(column_factors(columns, shift.dx), n=columns)
    y = ifft(row_factors(rows, shift.dy)).real
    if rows % 2 or columns % 2:
        return fft(y * y)[:, None] * rfft(x * x)
    a = np.sin(np.pi * shift.dx) * np.sin(np.pi * shift.dy) / (rows * columns)
    in_y = fft(np.stack([y * y, y * _signs(rows)]))
    in_x = rfft(np.stack([x * x, -2 * a * x * _signs(columns)]))
    spectrum = in_y.T @ in_x
    spectrum[0, 0] += a * a * rows * columns
    return spectrum


def _signs(size: int) -> NDArray[np.float64]:
    return np.where(np.arange(size) % 2, -1.0, 1.0)
