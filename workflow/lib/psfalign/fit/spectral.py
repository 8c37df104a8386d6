"""
The fit by exact derivatives of trigonometric polynomials.

The flux ratio is eliminated: E(d) = A - B(d)²/C(d), with A = Σ w² p², B of `polynomials` and C of
`energy`. A constant background is eliminated, too, where it is fitted: p and S(s, d) then have
their weighted means subtracted. Noise in s adds N(d) = Σ w² Var S(n, d) to C, which
biases beta and, as N varies with d, the shift; where N is given, it is taken away from C (Fuller
1987, Measurement Error Models, section 2.2).
A search of B²/C over whole-pixel shifts finds the basin, Newton's method on log(B²/C) its bottom.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.fft import irfft2, rfft2
from numpy.typing import NDArray

from ..images.arrays import Image, SingleImage, Spectrum
from ..images.fourier import Shift
from .energy import EnergyTerm, LessNoise, energy_term, weight_harmonics
from .polynomials import CrossTerm, Jet

LAST_STEP = 1e-5  # pixels; after such a step, Newton's error is about its square
FLATTEST = 1e-10  # of the steepest curvature; less is rounding, and leaves a direction undetermined
LONGEST_STEP = 0.5  # pixels, half the grid of the search: farther is another basin
MAX_ITERATIONS = 40
MAX_HALVINGS = 20


@dataclass(frozen=True)
class Weighted:
    """
    A weight and what the fit needs of it, shared by all images that it weights.

    Attributes
    ----------
    weight : (rows, columns) float64
    centred
        Whether weighted means are subtracted, so that a constant background drops out.
    """

    weight: Image
    centred: bool = False

    @cached_property
    def squared(self) -> Image:
        """w²."""
        return self.weight**2

    @cached_property
    def fourth(self) -> Image:
        """w⁴."""
        return self.squared**2

    @cached_property
    def peak(self) -> float:
        """The largest weight."""
        return float(np.abs(self.weight).max())

    @cached_property
    def shares(self) -> SingleImage:
        """w² over its largest value, for what single precision suffices for."""
        return ((self.weight / self.peak) ** 2).astype(np.float32)

    @cached_property
    def total(self) -> float:
        """Σ w²."""
        return float(self.squared.sum())

    @cached_property
    def spectrum(self) -> Spectrum:
        """``rfft2`` of w²."""
        return rfft2(self.squared)

    @cached_property
    def harmonics(self) -> Spectrum:
        """FFT(w²) at the frequencies of C."""
        return weight_harmonics(self.weight)

    @cached_property
    def n_pixels(self) -> int:
        """How many pixels have weight."""
        return int(np.count_nonzero(self.weight))


@dataclass(frozen=True)
class Psf:
    """
    The side of a psf image in the fit.

    Attributes
    ----------
    energy
        A.
    spectrum
        ``rfft2`` of w² p.
    image : (rows, columns) float32
        p / √A, as far as it has weight, for the weight over its largest value.
    """

    energy: float
    spectrum: Spectrum
    image: SingleImage

    @classmethod
    def of(cls, image: Image, weighted: Weighted) -> "Psf":
        """Prepare a psf image; what stands under zero weight is never looked at."""
        seen = np.where(weighted.weight != 0, image, 0.0)
        if weighted.centred:
            seen -= np.vdot(weighted.squared, seen) / weighted.total
        product = weighted.squared * seen
        energy = float(np.vdot(product, seen))
        unit = weighted.peak / np.sqrt(max(energy, np.finfo(float).tiny))
        return cls(energy, rfft2(product), (unit * seen).astype(np.float32))


@dataclass(frozen=True)
class Science:
    """
    The side of a science image in the fit: its spectrum, and C on the grid and between.

    Attributes
    ----------
    image : (rows, columns) float64
        Finite everywhere.
    weighted
    """

    image: Image
    weighted: Weighted

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.image.shape
        return rows, columns

    @cached_property
    def spectrum(self) -> Spectrum:
        """``rfft2`` of the image."""
        return rfft2(self.image)

    @cached_property
    def conjugate(self) -> Spectrum:
        """That of the spectrum, which every pair takes."""
        return self.spectrum.conj()

    @cached_property
    def grid_energy(self) -> Image:
        """C at all whole-pixel shifts."""
        squares = rfft2(self.image**2)
        energy = irfft2(self.weighted.spectrum * squares.conj(), s=self.shape)
        return energy if self._mean is None else energy - self._mean.on_grid() ** 2

    @cached_property
    def grid_inverse(self) -> Image:
        """1/C at all whole-pixel shifts; 0 where rounding left C without a positive value."""
        positive = self.grid_energy > np.finfo(float).tiny  # less has no finite inverse
        return np.divide(1.0, self.grid_energy, out=np.zeros(self.shape), where=positive)

    @cached_property
    def energy(self) -> EnergyTerm:
        """C."""
        return energy_term(self.spectrum, self.weighted.harmonics, self.shape, mean=self._mean)

    @cached_property
    def _mean(self) -> CrossTerm | None:
        """Σ w² S(s, d) / √(Σ w²), where means are subtracted."""
        if not self.weighted.centred:
            return None
        root = np.sqrt(self.weighted.total)
        return CrossTerm(self.weighted.spectrum * (self.conjugate / root), self.shape)


def search_grid(cross: Image, inverse: Image, max_shift: int) -> tuple[Shift, float]:
    """
    Find the best whole-pixel shift within a range, and how good the best outside it is.

    Parameters
    ----------
    cross, inverse : (rows, columns) float64
        B and 1/C at all whole-pixel shifts, [dy % rows, dx % columns].
    max_shift
        Largest shift along each axis.

    Returns
    -------
    start
        The shift with the largest B²/C for a positive B.
    rival
        The largest B²/C of the shifts outside the range, 0 where there are none.
    """
    merit = np.maximum(cross, 0.0)
    merit *= merit
    merit *= inverse
    dy, dx = (_within(size, max_shift) for size in merit.shape)
    window = merit[np.ix_(dy, dx)]
    best = np.unravel_index(np.argmax(window), window.shape)
    merit[np.ix_(dy, dx)] = 0.0
    return Shift(float(dx[best[1]]), float(dy[best[0]])), float(merit.max())


def _within(size: int, max_shift: int) -> NDArray[np.intp]:
    reach = min(max_shift, (size - 1) // 2)
    return np.arange(-reach, reach + 1)


@dataclass(frozen=True)
class Climb:
    """Where Newton's method arrived."""

    shift: Shift
    cross: Jet
    energy: Jet
    n_iterations: int
    converged: bool


def maximise(cross: CrossTerm, energy: EnergyTerm | LessNoise, start: Shift) -> Climb:
    """Climb to the maximum of log(B²/C) that is next to a start."""
    shift = start
    b, c = cross.at(shift), energy.at(shift)
    for n_iterations in range(1, MAX_ITERATIONS + 1):
        if b.value <= 0 or c.value <= 0:
            return Climb(shift, b, c, n_iterations, converged=False)
        dx, dy = _newton_step(b, c).tolist()
        length = math.hypot(dx, dy)
        if length < LAST_STEP:
            last = Shift(shift.dx + dx, shift.dy + dy)
            b_last, c_last, converged = b.moved(dx, dy), c.moved(dx, dy), is_summit(b, c)
            return Climb(last, b_last, c_last, n_iterations, converged)
        part = min(1.0, LONGEST_STEP / length)
        there = Shift(shift.dx + part * dx, shift.dy + part * dy)
        shift, b, c = _backtrack(cross, energy, (shift, b, c), there)
    return Climb(shift, b, c, MAX_ITERATIONS, converged=False)


def is_summit(b: Jet, c: Jet) -> bool:
    """Return whether log(B²/C) bends down in all directions, given B > 0."""
    (_, _), (xx, xy, yy) = _log_derivatives(b, c)
    steepest = abs(xx) + abs(yy)
    return xx < 0 and xx * yy - xy * xy > FLATTEST * steepest**2


def _newton_step(b: Jet, c: Jet) -> NDArray[np.float64]:
    """Newton's step towards the maximum of log(B²/C), uphill along both axes of its curvature."""
    (x, y), (xx, xy, yy) = _log_derivatives(b, c)
    determinant = xx * yy - xy * xy
    if xx < 0 < determinant:
        return np.array([xy * y - yy * x, xy * x - xx * y]) / determinant
    curvatures, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    steepness = np.maximum(np.abs(curvatures), np.finfo(float).tiny)
    return axes @ ((axes.T @ np.array([x, y])) / steepness)


def _log_derivatives(b: Jet, c: Jet) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Gradient (x, y) and Hessian (xx, xy, yy) of 2 log B - log C."""
    bx, by, cx, cy = b.x / b.value, b.y / b.value, c.x / c.value, c.y / c.value
    xx = 2 * (b.xx / b.value - bx * bx) - (c.xx / c.value - cx * cx)
    xy = 2 * (b.xy / b.value - bx * by) - (c.xy / c.value - cx * cy)
    yy = 2 * (b.yy / b.value - by * by) - (c.yy / c.value - cy * cy)
    return (2 * bx - cx, 2 * by - cy), (xx, xy, yy)


def _backtrack(
    cross: CrossTerm, energy: EnergyTerm | LessNoise, here: tuple[Shift, Jet, Jet], there: Shift
) -> tuple[Shift, Jet, Jet]:
    """Halve a step until it does not lead downhill."""
    shift, b, c = here
    merit = b.value**2 / c.value
    for _ in range(MAX_HALVINGS):
        b_there, c_there = cross.at(there), energy.at(there)
        uphill = b_there.value > 0 and b_there.value**2 >= merit * c_there.value * (1 - 1e-13)
        if uphill:
            return there, b_there, c_there
        there = Shift(0.5 * (shift.dx + there.dx), 0.5 * (shift.dy + there.dy))
    return shift, b, c
