"""
Evaluate sums over an image as functions of the shift, with exact derivatives.

For a science image s, a psf image p and a weight w, the sums that the fit needs are trigonometric
polynomials of the shift d = (dx, dy). This module computes B(d) = Σ w² p S(s, d), whose
coefficients are FFT(w² p) · conj(FFT(s)): the value, gradient and Hessian at a shift cost one small
matrix product and no transform. The sums that are the same for all psf images are in `energy`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.fft import fftfreq, irfft2, rfftfreq
from numpy.typing import NDArray

from ..images.arrays import Image, Spectrum
from ..images.fourier import Shift, column_factors, row_factors


class Jet(NamedTuple):
    """The value and the first and second derivatives of a function of (dx, dy) at one point."""

    value: float
    x: float
    y: float
    xx: float
    xy: float
    yy: float

    def moved(self, dx: float, dy: float) -> "Jet":
        """Extrapolate to second order to a point at (dx, dy) from this one."""
        in_x, in_y = self.xx * dx + self.xy * dy, self.xy * dx + self.yy * dy
        value = self.value + (self.x + in_x / 2) * dx + (self.y + in_y / 2) * dy
        return self._replace(value=value, x=self.x + in_x, y=self.y + in_y)

    def minus(self, other: "Jet", times: float) -> "Jet":
        """Subtract another function, multiplied by ``times``."""
        return Jet(*(mine - times * its for mine, its in zip(self, other, strict=True)))

    @classmethod
    def of(cls, products: NDArray[np.float64]) -> "Jet":
        """Take the derivatives from a 3×3 array by order in y (rows) and in x (columns)."""
        (value, x, xx), (y, xy, _), (yy, _, _) = products.tolist()
        return cls(value, x, y, xx, xy, yy)

    @property
    def gradient(self) -> NDArray[np.float64]:
        """First derivatives, (2,), dx first."""
        return np.array([self.x, self.y])

    @property
    def hessian(self) -> NDArray[np.float64]:
        """Second derivatives, (2, 2), dx first."""
        return np.array([[self.xx, self.xy], [self.xy, self.yy]])


@dataclass(frozen=True)
class CrossTerm:
    """
    B(d) = Σ w² p S(s, d).

    Parameters
    ----------
    spectrum : (rows, columns // 2 + 1) complex128
        ``rfft2`` of w² p times the conjugate of that of s.
    shape
        Rows and columns of the images.
    """

    spectrum: Spectrum
    shape: tuple[int, int]

    def on_grid(self) -> Image:
        """Values at all whole-pixel shifts, [dy % rows, dx % columns]."""
        return irfft2(self.spectrum, s=self.shape)

    def on_window(self, reach: int) -> Image:
        """Values at whole-pixel shifts from -reach to reach, (dy, dx); cheaper than `on_grid`."""
        rows, columns = self.shape
        in_y = _whole_powers(_row_rates, rows, reach)[reach:]
        in_x = _doubled(_whole_powers(_column_rates, columns, reach).copy(), columns)
        by_real, by_imaginary = _split_product(in_y, self.spectrum)
        turned = 1j * by_imaginary  # the factors of -dy are the conjugates of those of dy
        product = np.concatenate([(by_real - turned)[:0:-1], by_real + turned])
        return _real_part(product, in_x) / (rows * columns)

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        rows, columns = self.shape
        in_y = _powers(_row_rates(rows), shift.dy, rows)
        in_x = _doubled(_powers(_column_rates(columns), shift.dx, columns), columns)
        return Jet.of(self._sum(in_y, in_x, _sines(shift.dy), _sines(shift.dx)))

    def on_nodes(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at all combinations of some dx and dy, (dy, dx)."""
        in_y, in_x = _node_powers(self.shape, tuple(dx.tolist()), tuple(dy.tolist()))
        return self._sum(in_y, in_x, np.sin(np.pi * dy), np.sin(np.pi * dx))

    def _sum(
        self,
        in_y: NDArray[np.complex128],
        in_x: NDArray[np.complex128],
        sines_y: NDArray[np.float64],
        sines_x: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Sum over all frequencies; sin(π d) corrects the corner term of two even axes."""
        rows, columns = self.shape
        sums = real_product(in_y, self.spectrum, in_x)
        if rows % 2 == columns % 2 == 0:
            # cos(π(dx + dy)) = cos cos - sin sin; the sums contain the product of cosines.
            corner = self.spectrum[rows // 2, columns // 2].real
            sums -= corner * np.outer(sines_y, sines_x)
        return np.asarray(sums / (rows * columns))


def real_product(
    left: NDArray[np.complex128], middle: Spectrum, right: NDArray[np.complex128]
) -> NDArray[np.float64]:
    """
    Return Re(left @ middle @ rightᵀ), computed by products of real matrices.

    They are faster than complex ones where left and right have few rows. ``middle`` must be in C
    order, so that it can be viewed as pairs of real numbers.
    """
    by_real, by_imaginary = _split_product(left, middle)
    return _real_part(by_real + 1j * by_imaginary, right)


def _split_product(left: NDArray[np.complex128], middle: Spectrum) -> NDArray[np.complex128]:
    """Return the products of the real and of the imaginary part of left, (2, rows, columns)."""
    parts = np.concatenate([left.real, left.imag]) @ middle.view(np.float64)
    return parts.view(np.complex128).reshape(2, len(left), -1)


def _real_part(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return Re(left @ rightᵀ)."""
    return np.asarray(left.view(np.float64) @ right.conj().view(np.float64).T)


def gradient_rates(
    shape: tuple[int, ...],
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """
    Return factors that turn the ``rfft2`` of f into that of ∂S(f, d)/∂dx, and of ∂S/∂dy, at d = 0.

    They are 0 at the Nyquist frequency, where a shift multiplies by a cosine.
    """
    rows, columns = shape
    in_x = _powers(_column_rates(columns), 0.0, columns)
    in_y = _powers(_row_rates(rows), 0.0, rows)
    return -in_x[1], -in_y[1]


@cache
def _row_rates(size: int) -> NDArray[np.complexfloating]:
    """2πi f of the axis that ``rfft2`` transforms in full."""
    return 2j * np.pi * fftfreq(size)


@cache
def _column_rates(size: int) -> NDArray[np.complexfloating]:
    """2πi f of the axis of which ``rfft2`` keeps one half."""
    return 2j * np.pi * rfftfreq(size)


@lru_cache(maxsize=4)  # all psf images, and all functions of a background, use the same nodes
def _node_powers(
    shape: tuple[int, int], dx: tuple[float, ...], dy: tuple[float, ...]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """exp(2πi f d) for some dy and dx, (d, frequencies)."""
    rows, columns = shape
    # row_factors and column_factors shift an image, and so are conjugate to these.
    in_y, in_x = row_factors(rows, -np.array(dy)), column_factors(columns, -np.array(dx))
    return in_y, _doubled(in_x, columns)


def _doubled(in_x: NDArray[np.complex128], columns: int) -> NDArray[np.complex128]:
    """Double the frequencies whose conjugates ``rfft2`` leaves out, in place."""
    in_x[:, 1 : (columns + 1) // 2] *= 2
    return in_x


@cache
def _whole_powers(
    rates: Callable[[int], NDArray[np.complexfloating]], size: int, reach: int
) -> NDArray[np.complex128]:
    """exp(2πi f d) for whole d from -reach to reach, (d, frequencies)."""
    return np.exp(np.outer(np.arange(-reach, reach + 1), rates(size)))


def _powers(rates: NDArray[np.complexfloating], shift: float, size: int) -> NDArray[np.complex128]:
    """exp(2πi f d) and its first two derivatives in d, (3, frequencies)."""
    powers = np.empty((3, len(rates)), dtype=complex)
    np.exp(rates * shift, out=powers[0])
    powers[1] = powers[0] * rates
    powers[2] = powers[1] * rates
    if size % 2 == 0:
        sine, cosine = math.sin(math.pi * shift), math.cos(math.pi * shift)
        powers[:, size // 2] = cosine, -math.pi * sine, -(math.pi**2) * cosine
    return powers


def _sines(shift: float) -> NDArray[np.float64]:
    sine, cosine = math.sin(math.pi * shift), math.cos(math.pi * shift)
    return np.array([sine, np.pi * cosine, -(np.pi**2) * sine])
