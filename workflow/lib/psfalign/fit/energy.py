"""
Weighted sums of squares as functions of the shift, the same for all psf images.

For a science image s of variance V and a weight w, they are what the image and its noise add to E:

    C(d) = Σ w² S(s, d)²        with twice the bandwidth of s,
    N(d) = Σ w² Var S(n, d)     = Σ w² (K² ∗ V), K the kernel of the shift.

Either is tabulated by a Chebyshev expansion around the shifts where it is asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.fft import fft, fft2, ifft, irfft, rfft, rfft2
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..images.arrays import Image, Spectrum
from ..images.fourier import Shift, SquaredKernel
from .polynomials import CrossTerm, Jet, real_product

CELL = 1.5  # pixels: half the side of the square that one Chebyshev expansion covers
TERMS = 28  # per axis; over ±1.5 pixels they reproduce C to 1e-15 of its value, N of white to 1e-12


@dataclass
class Tabulated(ABC):
    """A function of the shift that is tabulated in squares of ±1.5 pixels where it is asked for."""

    _cells: list[tuple[Shift, NDArray[np.float64]]] = field(
        default_factory=list, init=False, repr=False
    )

    @abstractmethod
    def on_nodes(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at all combinations of some dx and dy, (dy, dx)."""

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
        values = self.on_nodes(shift.dx + CELL * _NODES, shift.dy + CELL * _NODES)
        self._cells.append((shift, _FROM_NODES @ values @ _FROM_NODES.T))
        return self._cells[-1]


@dataclass
class NoiseTerm(Tabulated):
    """
    N(d) = Σ w² Var S(n, d), what independent noise n of some variance adds to C.

    Parameters
    ----------
    spectrum : (rows, columns // 2 + 1) complex128
        ``rfft2`` of the variance times the conjugate of that of w²; columns that stand for two
        frequencies are counted twice.
    shape
        Rows and columns of the images.
    """

    spectrum: Spectrum
    shape: tuple[int, int]

    @classmethod
    def of(cls, variance: Image, squared_weight: Spectrum) -> "NoiseTerm":
        """Build N from a variance and the ``rfft2`` of w²."""
        rows, columns = variance.shape
        spectrum = rfft2(variance) * squared_weight.conj()
        spectrum[:, 1 : (columns + 1) // 2] *= 2
        return cls(spectrum, (rows, columns))

    def on_nodes(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the squares of the kernel, see `psfalign.images.fourier.SquaredKernel`."""
        kernel = SquaredKernel.at(self.shape, dx, dy)
        values = real_product(kernel.in_y, self.spectrum, kernel.in_x)
        if kernel.corner.any():
            mixed = real_product(kernel.alternating_y, self.spectrum, kernel.alternating_x)
            values -= 2 * kernel.corner * mixed
        rows, columns = self.shape
        return values / (rows * columns) + kernel.corner**2 * self.spectrum[0, 0].real


@dataclass
class EnergyTerm(Tabulated):
    """
    C(d) = Σ w² S(s, d)².

    Parameters
    ----------
    spectrum : (2 rows + 1, columns + 1) complex128
        Coefficients of exp(2πi (ky dy / rows + kx dx / columns)) for ky from -rows to rows and
        kx from 0 to columns, those of kx > 0 counted twice.
    shape
        Rows and columns of the images.
    background
        Σ w² b S(s, d), for each function b of the background that is subtracted; their squares
        are taken away.
    """

    spectrum: Spectrum
    shape: tuple[int, int]
    background: Sequence[CrossTerm] = ()

    def on_nodes(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over all frequencies."""
        rows, columns = self.shape
        ky, kx = np.arange(-rows, rows + 1), np.arange(columns + 1)
        in_y = np.exp(2j * np.pi / rows * np.outer(dy, ky))
        in_x = np.exp(2j * np.pi / columns * np.outer(dx, kx))
        values = real_product(in_y, self.spectrum, in_x)
        for term in self.background:
            values -= term.on_nodes(dx, dy) ** 2
        return values


@dataclass(frozen=True)
class LessNoise:
    """C(d) less what noise adds to it: some times N(d)."""

    energy: EnergyTerm
    noise: NoiseTerm
    scale: float

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        return self.energy.at(shift).minus(self.noise.at(shift), self.scale)


def energy_term(
    science: Spectrum,
    squared_weight: Spectrum,
    shape: tuple[int, int],
    *,
    background: Sequence[CrossTerm] = (),
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
    np.conj(spectrum, out=spectrum)
    spectrum *= squared_weight
    spectrum[:, 1:] *= 2
    spectrum /= (rows * columns) ** 2
    return EnergyTerm(spectrum, shape, background)


def weight_harmonics(weight: Image) -> Spectrum:
    """Return FFT(w²) at the frequencies of `EnergyTerm`, which repeat by the size of the axis."""
    rows, columns = weight.shape
    ky, kx = np.arange(-rows, rows + 1) % rows, np.arange(columns + 1) % columns
    return fft2(weight**2)[ky[:, None], kx]


def fast_length(least: int) -> int:
    """
    Return the smallest product of 2, 3 and 5 that is not less: what transforms do fast.

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
