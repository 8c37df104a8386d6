"""
Compute the sums over a science image that the fit needs, as functions of the shift.

For a science image s with noise n of variance V, and a weight w, they are

    C(d) = Σ w² S(s, d)²        with twice the bandwidth of s,
    N(d) = Σ w² Var S(n, d)     = Σ w² (K² ∗ V), K the kernel of the shift.

They do not depend on the psf image. Each is tabulated by Chebyshev polynomials around the shifts
where it is evaluated: on a wide square where one weight serves many psf images, and on a narrow
square where the weight belongs to a single psf image whose shift is known from a first fit.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from numpy.fft import fft, ifft, irfft, rfft
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..images.arrays import Spectrum
from ..images.fourier import Shift, SquaredKernel
from .polynomials import CrossTerm, Jet, real_product

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expansion:
    """
    Chebyshev polynomials on a square.

    Attributes
    ----------
    cell
        Half the side of the square, pixels.
    n_terms
        Number of polynomials along each axis.
    """

    cell: float
    n_terms: int

    @cached_property
    def nodes(self) -> Floats:
        """Chebyshev nodes relative to the centre of the square, in pixels, (terms,)."""
        return np.array([self.cell * node for node in chebyshev.chebpts1(self.n_terms)])

    def coefficients(self, values: Floats) -> Floats:
        """Return the coefficients of the polynomial through values at all nodes, (dy, dx)."""
        return np.asarray(self._from_nodes @ values @ self._from_nodes.T)

    def at(self, offset: float) -> Floats:
        """Return the polynomials and two derivatives at an offset from the centre, (3, terms)."""
        position = min(1.0, max(-1.0, offset / self.cell))
        return np.asarray(self._derivatives @ np.cos(self._orders * np.arccos(position)))

    @cached_property
    def _orders(self) -> NDArray[np.intp]:
        return np.arange(self.n_terms)

    @cached_property
    def _from_nodes(self) -> Floats:
        nodes = chebyshev.chebpts1(self.n_terms)
        inverse = np.linalg.inv(chebyshev.chebvander(nodes, self.n_terms - 1))
        return inverse.astype(np.float64, copy=False)

    @cached_property
    def _derivatives(self) -> Floats:
        each, scale = np.eye(self.n_terms), 1 / self.cell
        made = (chebyshev.chebder(each, m=order, scl=scale) for order in range(3))
        return np.stack([np.pad(d, ((0, order), (0, 0))).T for order, d in enumerate(made)])


# The truncation error of the highest frequency in C, 2π per pixel, is J_28(3π) = 2e-11 (wide) and
# J_12(0.3π) = 2e-13 (narrow) of its amplitude. Of real images, little power is at that frequency.
WIDE = Expansion(cell=1.5, n_terms=28)
NARROW = Expansion(cell=0.15, n_terms=12)


@dataclass
class Tabulated(ABC):
    """A function of the shift, tabulated on demand in squares around the shifts asked for."""

    expansion: Expansion = field(default=WIDE, kw_only=True)
    _cells: list[tuple[Shift, Floats]] = field(default_factory=list, init=False, repr=False)

    @abstractmethod
    def on_nodes(self, dx: Floats, dy: Floats) -> Floats:
        """Values at all combinations of some dx and dy, (dy, dx)."""

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        centre, table = self._cell(shift)
        in_y = self.expansion.at(shift.dy - centre.dy)
        in_x = self.expansion.at(shift.dx - centre.dx)
        return Jet.of(in_y @ table @ in_x.T)

    def _cell(self, shift: Shift) -> tuple[Shift, Floats]:
        for cell in self._cells:
            farthest = max(abs(shift.dx - cell[0].dx), abs(shift.dy - cell[0].dy))
            if farthest <= self.expansion.cell:
                return cell
        nodes = self.expansion.nodes
        values = self.on_nodes(shift.dx + nodes, shift.dy + nodes)
        self._cells.append((shift, self.expansion.coefficients(values)))
        return self._cells[-1]


@dataclass
class NoiseTerm(Tabulated):
    """
    N(d) = Σ w² Var S(n, d), the expected contribution of independent noise n to C.

    Parameters
    ----------
    spectrum : (rows, columns // 2 + 1) complex128
        ``rfft2`` of the variance times the conjugate ``rfft2`` of w². Columns whose conjugates
        ``rfft2`` leaves out are doubled.
    shape
        Rows and columns of the images.
    """

    spectrum: Spectrum
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        variance: Spectrum,
        squared_weight: Spectrum,
        shape: tuple[int, int],
        *,
        expansion: Expansion = WIDE,
    ) -> "NoiseTerm":
        """Build N from the ``rfft2`` of a variance and of w²."""
        spectrum = variance * squared_weight.conj()
        spectrum[:, 1 : (shape[1] + 1) // 2] *= 2
        return cls(spectrum, shape, expansion=expansion)

    def on_nodes(self, dx: Floats, dy: Floats) -> Floats:
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
        kx from 0 to columns; those of kx > 0 are doubled.
    shape
        Rows and columns of the images.
    background
        Σ w² b S(s, d) for each orthonormal function b of the fitted background. Their squares
        are subtracted from C.
    """

    spectrum: Spectrum
    shape: tuple[int, int]
    background: Sequence[CrossTerm] = ()

    def on_nodes(self, dx: Floats, dy: Floats) -> Floats:
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
    """C(d) minus the contribution of noise, ``scale`` times N(d)."""

    energy: EnergyTerm
    noise: NoiseTerm
    scale: float

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        return self.energy.at(shift).minus(self.noise.at(shift), self.scale)


def energy_harmonics(science: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """
    Return the factor of the science image in the spectrum of C, which serves all weights.

    These are the conjugate Fourier coefficients of S(s, ·)² at the frequencies of `EnergyTerm`,
    divided by the squared number of pixels. S(s, ·) is squared on a grid of twice the resolution,
    because its square has twice the bandwidth.

    Parameters
    ----------
    science : (rows, columns // 2 + 1) complex128
        ``rfft2`` of the science image.
    shape
        Rows and columns of the image.
    """
    rows, columns = shape
    fine_rows, fine_columns = fast_length(2 * rows + 1), fast_length(2 * columns + 1)
    padded = _pad_rows(_split_nyquist(science, shape), rows, fine_rows)
    image = irfft(ifft(padded, axis=0, norm="forward"), n=fine_columns, norm="forward")
    np.square(image, out=image)
    # One axis after the other, so that unneeded columns are dropped before the second transform.
    squares = rfft(image, norm="forward")[:, : columns + 1]
    spectrum = fft(squares, axis=0, norm="forward")[np.arange(-rows, rows + 1)]
    np.conj(spectrum, out=spectrum)
    spectrum[:, 1:] *= 2
    spectrum /= (rows * columns) ** 2
    return spectrum


def weight_harmonics(squared_weight: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """
    Return the transform of w² at the frequencies of `EnergyTerm`, from its ``rfft2``.

    The transform is periodic with the size of each axis; the frequencies that ``rfft2`` leaves out
    are complex conjugates of others.
    """
    rows, columns = shape
    kept = columns // 2 + 1
    ky = np.arange(-rows, rows + 1) % rows
    harmonics = np.empty((2 * rows + 1, columns + 1), dtype=complex)
    harmonics[:, :kept] = squared_weight[ky]
    np.conj(squared_weight[-ky % rows, columns - kept :: -1], out=harmonics[:, kept:])
    return harmonics


@cache
def fast_length(least: int) -> int:
    """
    Return the smallest product of powers of 2, 3 and 5 that is at least ``least``.

    Transforms of such lengths are fast. `scipy.fft.next_fast_len` returns the same, but its import
    takes longer than most fits.
    """
    odd = (3**i * 5**j for i in range(20) for j in range(14))
    return min(factor << max(0, (-(-least // factor) - 1).bit_length()) for factor in odd)


def _split_nyquist(spectrum: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """
    Split the Nyquist terms of even axes into halves at the frequencies +N/2 and -N/2.

    If the number of rows is even, the result has one row more than ``spectrum``; its frequencies
    are 0 … N/2, -N/2 … -1.
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
        # The corner term belongs to (+, +) and (-, -); the half plane implies the second.
        split[half, columns // 2] *= 2
        split[half + 1, columns // 2] = 0
    return split


def _pad_rows(spectrum: Spectrum, rows: int, fine: int) -> Spectrum:
    """Insert zeros between the positive and the negative frequencies of the first axis."""
    n_positive = rows // 2 + 1
    zeros = np.zeros((fine - len(spectrum), spectrum.shape[1]), dtype=complex)
    return np.concatenate([spectrum[:n_positive], zeros, spectrum[n_positive:]])
