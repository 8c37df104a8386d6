"""
Sums over an image as functions of the shift, with exact derivatives.

For a science image s, a psf image p and a weight w, the sums that the fit is made of are
trigonometric polynomials of the shift d = (dx, dy):

    B(d) = Σ w² p S(s, d)        with coefficients FFT(w² p) · conj(FFT(s)),
    C(d) = Σ w² S(s, d)²         with those of S(s, ·)², which has twice the bandwidth.

With them, a value, its gradient and its Hessian cost one small matrix product and no transform.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.fft import fft, fft2, fftfreq, ifft, irfft, irfft2, rfft, rfftfreq
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..arrays import Image, Spectrum
from ..fourier import Shift

CELL = 1.5  # pixels: half the side of the square that one Chebyshev expansion covers
TERMS = 28  # per axis; over ±1.5 pixels they reproduce C to 1e-15 of its value


class Jet(NamedTuple):
    """A function of (dx, dy) at one point: its value and derivatives."""

    value: float
    x: float
    y: float
    xx: float
    xy: float
    yy: float

    def moved(self, dx: float, dy: float) -> "Jet":
        """Extrapolate to a point so near that third derivatives do not count."""
        in_x, in_y = self.xx * dx + self.xy * dy, self.xy * dx + self.yy * dy
        value = self.value + (self.x + in_x / 2) * dx + (self.y + in_y / 2) * dy
        return self._replace(value=value, x=self.x + in_x, y=self.y + in_y)

    @classmethod
    def of(cls, products: NDArray[np.float64]) -> "Jet":
        """Read the derivatives off a 3×3 array of orders (in y, in x)."""
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

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        rows, columns = self.shape
        in_y = _powers(_row_rates(rows), shift.dy, rows)
        in_x = _powers(_column_rates(columns), shift.dx, columns)
        return Jet.of(self._sum(in_y, in_x, _sines(shift.dy), _sines(shift.dx)))

    def on_nodes(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at all combinations of some dx and dy, (dy, dx)."""
        rows, columns = self.shape
        in_y = np.stack([_powers(_row_rates(rows), y, rows)[0] for y in dy])
        in_x = np.stack([_powers(_column_rates(columns), x, columns)[0] for x in dx])
        return self._sum(in_y, in_x, np.sin(np.pi * dy), np.sin(np.pi * dx))

    def _sum(
        self,
        in_y: NDArray[np.complex128],
        in_x: NDArray[np.complex128],
        sines_y: NDArray[np.float64],
        sines_x: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Sum over all frequencies; the sines are those of the corner of two even axes."""
        rows, columns = self.shape
        in_x[:, 1 : (columns + 1) // 2] *= 2  # the half plane that rfft2 leaves out
        sums = (in_y @ (self.spectrum @ in_x.T)).real
        if rows % 2 == columns % 2 == 0:
            # cos(π(dx + dy)) = cos cos - sin sin; the product of cosines is already in.
            corner = self.spectrum[rows // 2, columns // 2].real
            sums -= corner * np.outer(sines_y, sines_x)
        return np.asarray(sums / (rows * columns))


@dataclass
class EnergyTerm:
    """
    C(d) = Σ w² S(s, d)², tabulated in squares of ±1.5 pixels where it is asked for.

    Parameters
    ----------
    spectrum : (2 rows + 1, columns + 1) complex128
        Coefficients of exp(2πi (ky dy / rows + kx dx / columns)) for ky from -rows to rows and
        kx from 0 to columns, those of kx > 0 counted twice.
    shape
        Rows and columns of the images.
    mean
        Σ w² S(s, d) / √(Σ w²), whose square is taken away where means are subtracted.
    """

    spectrum: Spectrum
    shape: tuple[int, int]
    mean: CrossTerm | None = None
    _cells: list[tuple[Shift, NDArray[np.float64]]] = field(default_factory=list)

    def minus(self, noise: "EnergyTerm") -> "EnergyTerm":
        """Take the term of noise away."""
        return EnergyTerm(self.spectrum - noise.spectrum, self.shape, self.mean)

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        centre, table = self._cell(shift)
        in_y = _chebyshev_powers((shift.dy - centre.dy) / CELL)
        in_x = _chebyshev_powers((shift.dx - centre.dx) / CELL)
        return Jet.of(in_y @ table @ in_x.T)

    def _cell(self, shift: Shift) -> tuple[Shift, NDArray[np.float64]]:
        for cell in self._cells:
            if max(abs(shift.dx - cell[0].dx), abs(shift.dy - cell[0].dy)) <= CELL:
                return cell
        self._cells.append((shift, self._tabulate(shift)))
        return self._cells[-1]

    def _tabulate(self, centre: Shift) -> NDArray[np.float64]:
        rows, columns = self.shape
        ky, kx = np.arange(-rows, rows + 1), np.arange(columns + 1)
        dy, dx = centre.dy + CELL * _NODES, centre.dx + CELL * _NODES
        in_y = np.exp(2j * np.pi / rows * np.outer(dy, ky))
        in_x = np.exp(2j * np.pi / columns * np.outer(dx, kx))
        values = (in_y @ self.spectrum @ in_x.T).real
        if self.mean is not None:
            values -= self.mean.on_nodes(dx, dy) ** 2
        return _FROM_NODES @ values @ _FROM_NODES.T


def energy_term(
    science: Spectrum,
    squared_weight: Spectrum,
    shape: tuple[int, int],
    mean: CrossTerm | None = None,
) -> EnergyTerm:
    """
    Build C from the ``rfft2`` of the science image and ``weight_harmonics`` of w.

    S(s, ·)² is formed on a grid that is fine enough for twice the bandwidth of s.
    """
    rows, columns = shape
    fine_rows, fine_columns = fast_length(2 * rows + 1), fast_length(2 * columns + 1)
    padded = _pad_rows(_split_nyquist(science, shape), rows, fine_rows)
    image = irfft(ifft(padded, axis=0, norm="forward"), n=fine_columns, norm="forward")
    np.square(image, out=image)
    # One axis at a time, so that what is zero or not wanted is not transformed.
    squares = rfft(image, norm="forward")[:, : columns + 1]
    spectrum = fft(squares, axis=0, norm="forward")[np.arange(-rows, rows + 1)]
    return EnergyTerm(_correlate(spectrum, squared_weight, shape), shape, mean)


def noise_term(variance: Image, squared_weight: Spectrum) -> EnergyTerm:
    """
    Build N(d) = Σ w² Var S(n, d), what independent noise n of some variance adds to C.

    The products n̂(f) n̂(g) with f + g = k all have the expectation of FFT(V) at k.
    """
    rows, columns = variance.shape
    shape = rows, columns
    squares = _harmonics(variance) * _count_pairs(shape)
    return EnergyTerm(_correlate(squares, squared_weight, shape), shape)


def _correlate(squares: Spectrum, squared_weight: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """Give the coefficients of an `EnergyTerm`; those of S(s, ·)² are overwritten."""
    np.conj(squares, out=squares)
    squares *= squared_weight
    squares[:, 1:] *= 2
    squares /= (shape[0] * shape[1]) ** 2
    return squares


def gradient_rates(
    shape: tuple[int, ...],
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """
    Give the factors that turn the ``rfft2`` of f into those of ∂S(f, d)/∂dx and ∂dy at d = 0.

    At Nyquist's frequency a shift multiplies by a cosine, whose derivative is 0.
    """
    rows, columns = shape
    in_x = _powers(_column_rates(columns), 0.0, columns)
    in_y = _powers(_row_rates(rows), 0.0, rows)
    return -in_x[1], -in_y[1]


def weight_harmonics(weight: Image) -> Spectrum:
    """Give FFT(w²) at the frequencies of `EnergyTerm`, which repeat with the period of the axis."""
    return _harmonics(weight**2)


def _harmonics(values: Image) -> Spectrum:
    rows, columns = values.shape
    ky, kx = np.arange(-rows, rows + 1) % rows, np.arange(columns + 1) % columns
    return fft2(values)[ky[:, None], kx]


@cache
def _count_pairs(shape: tuple[int, int]) -> Image:
    """
    Count the pairs of frequencies by their sum, (2 rows + 1, columns + 1).

    A frequency counts u(ky) v(kx) + a(ky) b(kx), so that it is split like `_split_nyquist` does:
    u and v are 1, and ½ at the ends of even axes, where a and b are ±½, and 0 elsewhere.
    """
    in_y, in_x = (_count_along(size) for size in shape)
    return in_y.T @ (in_x[:, shape[1] :] * np.array([[1.0], [2.0], [1.0]]))


def _count_along(size: int) -> NDArray[np.float64]:
    """Convolve u with u, u with a and a with a, (3, 2 size + 1)."""
    half = size // 2
    halves, corner = np.ones(2 * half + 1), np.zeros(2 * half + 1)
    if size % 2 == 0:
        halves[[0, -1]] = 0.5
        corner[[0, -1]] = -0.5, 0.5
    ways = (halves, halves), (halves, corner), (corner, corner)
    return np.stack([np.pad(np.convolve(*way), size - 2 * half) for way in ways])


def fast_length(least: int) -> int:
    """
    Give the smallest product of 2, 3 and 5 that is not less: what transforms do fast.

    `scipy.fft.next_fast_len` gives the same, but takes longer to import than most fits take.
    """
    odd = (3**i * 5**j for i in range(20) for j in range(14))
    return min(factor << max(0, (-(-least // factor) - 1).bit_length()) for factor in odd)


def _split_nyquist(spectrum: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """
    Halve the Nyquist terms of even axes between +N/2 and -N/2.

    Where a half plane of ``rows`` rows comes in, one of ``rows + 1`` goes out for an even number:
    frequencies 0 … N/2, then -N/2 … -1.
    """
    rows, columns = shape
    half = rows // 2
    split = spectrum
    if rows % 2 == 0:
        split = np.insert(spectrum, half, spectrum[half], axis=0)
        split[half : half + 2] *= 0.5
    if columns % 2 == 0:
        split = split.copy()
        split[:, columns // 2] *= 0.5
    if rows % 2 == columns % 2 == 0:
        # The corner stands at (+, +) and (-, -), the second of which the half plane implies.
        split[half, columns // 2] *= 2
        split[half + 1, columns // 2] = 0
    return split


def _pad_rows(spectrum: Spectrum, rows: int, fine: int) -> Spectrum:
    """Put zeros between the positive and the negative frequencies of the first axis."""
    n_positive = rows // 2 + 1
    zeros = np.zeros((fine - len(spectrum), spectrum.shape[1]), dtype=complex)
    return np.concatenate([spectrum[:n_positive], zeros, spectrum[n_positive:]])


@cache
def _row_rates(size: int) -> NDArray[np.complexfloating]:
    """2πi f of the axis that ``rfft2`` transforms in full."""
    return 2j * np.pi * fftfreq(size)


@cache
def _column_rates(size: int) -> NDArray[np.complexfloating]:
    """2πi f of the axis of which ``rfft2`` keeps one half."""
    return 2j * np.pi * rfftfreq(size)


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


def _chebyshev_powers(position: float) -> NDArray[np.float64]:
    """T_n and its first two derivatives in the shift, (3, TERMS), at a position in [-1, 1]."""
    polynomials = np.cos(_ORDERS * np.arccos(min(1.0, max(-1.0, position))))
    return _DERIVATIVES @ polynomials


_ORDERS = np.arange(TERMS)
_NODES = chebyshev.chebpts1(TERMS)
_FROM_NODES = np.linalg.inv(chebyshev.chebvander(_NODES, TERMS - 1))
_DERIVATIVES = np.stack(
    [
        np.pad(chebyshev.chebder(np.eye(TERMS), m=order, scl=1 / CELL), ((0, order), (0, 0))).T
        for order in range(3)
    ]
)
