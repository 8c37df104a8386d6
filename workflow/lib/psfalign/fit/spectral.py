"""
Fit the shift by Newton's method with exact derivatives of trigonometric polynomials.

The flux ratio beta = B/C is eliminated: E(d) = A - B(d)²/C(d), with A = Σ w² p², B from
`polynomials` and C from `energy`. If a background, a constant or a plane, is fitted, it is
eliminated, too: the background that fits p, and that which fits S(s, d), is subtracted. Noise in s
adds N(d) = Σ w² Var S(n, d) to C, which biases beta and, as N depends on d, the shift. Where N is
given, it is subtracted from C (Fuller 1987, Measurement Error Models, section 2.2). A search of the
largest B²/C among whole-pixel shifts gives the start, and Newton's method on log(B²/C) the maximum.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.fft import fft, irfft2, rfft, rfft2
from numpy.typing import NDArray

from ..images.arrays import Background, Image, SingleImage, Spectrum
from ..images.background import Real, Span
from ..images.fourier import Shift
from .energy import (
    WIDE,
    EnergyTerm,
    Expansion,
    LessNoise,
    energy_harmonics,
    weight_harmonics,
)
from .polynomials import CrossTerm, Jet

LAST_STEP = 3e-5  # pixels; after a step of this length, the error of the shift is about its square
FLATTEST = 1e-10  # of the largest curvature; a smaller one is rounding: the shift is undetermined
LONGEST_STEP = 0.5  # pixels, half the grid of the search; a longer step may reach another maximum
MAX_ITERATIONS = 40
MAX_HALVINGS = 20


@dataclass(frozen=True)
class Weighted:
    """
    A weight and its transforms and sums, shared by all images that use this weight.

    Attributes
    ----------
    weight : (rows, columns) float64
    background
        The background that is fitted: nothing, a constant or a plane.
    expansion
        The square on which sums are tabulated: wide for a weight that serves many psf images.
    """

    weight: Image
    background: Background = "none"
    expansion: Expansion = WIDE

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.weight.shape
        return rows, columns

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
        """w² divided by its largest value, for computations in single precision."""
        return (self.squared / self.peak**2).astype(np.float32)

    @cached_property
    def per_line(self) -> tuple[SingleImage, SingleImage]:
        """Inverse sums of `shares` along each column and along each row; 0 where the sum is 0."""
        return _inverse(self.shares.sum(axis=0)), _inverse(self.shares.sum(axis=1))

    @cached_property
    def total(self) -> float:
        """Σ w²."""
        return float(self.squared.sum())

    @cached_property
    def span(self) -> Span:
        """The functions of the background, orthonormal under w²."""
        return Span.of(self.squared, self.background)

    @cached_property
    def single_span(self) -> Span:
        """The functions of the background in single precision, orthonormal under `shares`."""
        return self.span.scaled(self.shares, self.peak)

    @cached_property
    def spectrum(self) -> Spectrum:
        """``rfft2`` of w²."""
        return fft(self._along_rows, axis=0)

    @cached_property
    def _along_rows(self) -> Spectrum:
        return rfft(self.squared)

    @cached_property
    def background_spectra(self) -> list[Spectrum]:
        """``rfft2`` of w² b for each function b of the background, from those of w², w² y, w² x."""
        spectra = [self.spectrum]
        if len(self.span) > 1:
            y, x = (np.arange(size) / size - 0.5 for size in self.shape)
            spectra += [fft(self._along_rows * y[:, None], axis=0), rfft2(self.squared * x)]
        by_monomial = self.span.planes.reshape(-1, 4)[:, (0, 2, 1)][:, : len(spectra)]
        return list(np.tensordot(by_monomial, spectra, axes=1))

    @cached_property
    def harmonics(self) -> Spectrum:
        """The transform of w² at the frequencies of C."""
        return weight_harmonics(self.spectrum, self.shape)

    @cached_property
    def n_pixels(self) -> int:
        """Number of pixels with weight."""
        return int(np.count_nonzero(self.weight))


@dataclass(frozen=True)
class Psf:
    """
    A psf image p, prepared for the fit.

    Attributes
    ----------
    energy
        A = Σ w² p², where p is less its background.
    spectrum
        ``rfft2`` of w² p.
    image : (rows, columns) float32
        p less its background, scaled such that Σ `Weighted.shares` p² = 1.
    """

    energy: float
    spectrum: Spectrum
    image: SingleImage

    @classmethod
    def of(cls, image: Image, weighted: Weighted) -> "Psf":
        """Prepare a psf image; pixels with zero weight have no effect, even if they are NaN."""
        seen = np.where(weighted.weight != 0, image, 0.0)
        seen = weighted.span.subtract(seen)
        product = weighted.squared * seen
        energy = float(np.vdot(product, seen))
        unit = weighted.peak / np.sqrt(max(energy, np.finfo(float).tiny))
        return cls(energy, rfft2(product), (unit * seen).astype(np.float32))


@dataclass(frozen=True)
class Source:
    """
    A science image and its transforms, which do not depend on the weight.

    Attributes
    ----------
    image : (rows, columns) float64
        Finite everywhere.
    """

    image: Image

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
        """The conjugate of `spectrum`."""
        return self.spectrum.conj()

    @cached_property
    def harmonics(self) -> Spectrum:
        """The factor of the image in the spectrum of C."""
        return energy_harmonics(self.spectrum, self.shape)


@dataclass(frozen=True)
class Science:
    """
    A science image s, prepared for the fit with one weight.

    Attributes
    ----------
    source
        The image and its transforms.
    weighted
        The weight.
    """

    source: Source
    weighted: Weighted

    @classmethod
    def of(cls, image: Image, weighted: Weighted) -> "Science":
        """
        Prepare a science image, finite everywhere.

        The background that fits it best is subtracted first: a large constant would cause
        rounding errors, and a slope makes a step at the edges, which a Fourier shift turns into
        ripples.
        """
        return cls(Source(weighted.span.subtract(image)), weighted)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.source.shape

    @cached_property
    def grid_energy(self) -> Image:
        """C at all whole-pixel shifts."""
        squares = rfft2(self.source.image**2)
        energy = irfft2(self.weighted.spectrum * squares.conj(), s=self.shape)
        for term in self._background:
            energy -= term.on_grid() ** 2
        return energy

    @cached_property
    def grid_inverse(self) -> Image:
        """1/C at all whole-pixel shifts; 0 where rounding makes C zero or negative."""
        return _inverse(self.grid_energy)

    def window_inverse(self, reach: int) -> Image:
        """Return 1/C at whole-pixel shifts from -reach to reach, (dy, dx)."""
        if reach not in self._windows:
            whole = np.arange(-reach, reach + 1.0)
            self._windows[reach] = _inverse(self.energy.on_nodes(whole, whole))
        return self._windows[reach]

    def half_pixels(self, reach: int) -> tuple[NDArray[np.float64], Image]:
        """Return shifts in steps of half a pixel, up to reach + ½, and 1/C at them, (dy, dx)."""
        places = np.arange(-2.0 * reach - 1, 2 * reach + 2) / 2
        if reach not in self._halves:
            self._halves[reach] = _inverse(self.energy.on_nodes(places, places))
        return places, self._halves[reach]

    @cached_property
    def _windows(self) -> dict[int, Image]:
        return {}

    @cached_property
    def _halves(self) -> dict[int, Image]:
        return {}

    @cached_property
    def energy(self) -> EnergyTerm:
        """C."""
        return EnergyTerm(
            self.source.harmonics * self.weighted.harmonics,
            self.shape,
            self._background,
            expansion=self.weighted.expansion,
        )

    @cached_property
    def _background(self) -> list[CrossTerm]:
        """Σ w² b S(s, d), for each b of the background."""
        spectra = self.weighted.background_spectra
        return [CrossTerm(spectrum * self.source.conjugate, self.shape) for spectrum in spectra]


def _inverse(energy: NDArray[Real]) -> NDArray[Real]:
    positive = energy > np.finfo(energy.dtype).tiny  # smaller values have no finite inverse
    return np.divide(1.0, energy, out=np.zeros_like(energy), where=positive)


def reach_of(shape: tuple[int, int], max_shift: int) -> int:
    """Return the largest shift of a search: shifts are periodic, so half an image at most."""
    return min(max_shift, (min(shape) - 1) // 2)


def search_window(merit: Image) -> Shift:
    """
    Return the whole-pixel shift with the largest merit, refined along each axis.

    Parameters
    ----------
    merit : (2 reach + 1, 2 reach + 1)
        B²/C at whole-pixel shifts from -reach to reach, (dy, dx), 0 where B is negative.
    """
    reach = len(merit) // 2
    row, column = np.unravel_index(np.argmax(merit), merit.shape)
    dx = _summit(merit[row], int(column)) - reach
    dy = _summit(merit[:, column], int(row)) - reach
    return Shift(dx, dy)


def _summit(values: NDArray[np.float64], best: int) -> float:
    """
    Return the position of the maximum of a polynomial through the logarithms of some values.

    These are the largest value and its neighbours, two on either side where there are so many. The
    logarithm, because the merit around a star is nearly a Gaussian.
    """
    reach = min(2, best, len(values) - 1 - best)
    near = values[best - reach : best + reach + 1]
    if reach == 0 or near.min() <= 0:
        return float(best)
    a, b, c, d = (_TAYLOR[reach] @ np.log(near / values[best])).tolist()
    offset = -a / b if b < 0 else 0.0
    for _ in range(reach - 1):  # Newton's step for the derivative, a + b x + c x² / 2 + d x³ / 6
        bend = b + offset * (c + offset * d / 2)
        slope = a + offset * (b + offset * (c / 2 + offset * d / 6))
        offset -= slope / bend if bend < 0 else 0.0
    return best + min(1.0, max(-1.0, offset))


# From values at -reach … reach to the derivatives at 0, by order from the first to the fourth.
_TAYLOR = {
    1: np.array([[-0.5, 0, 0.5], [1, -2, 1], [0, 0, 0], [0, 0, 0]]),
    2: np.array(
        [
            [1 / 12, -2 / 3, 0, 2 / 3, -1 / 12],
            [-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12],
            [-0.5, 1, 0, -1, 0.5],
            [1, -4, 6, -4, 1],
        ]
    ),
}


def merit_of(cross: Image, inverse: Image) -> Image:
    """Return B²/C from B and 1/C, 0 where B is negative."""
    merit = np.maximum(cross, 0.0)
    merit *= merit
    merit *= inverse
    return merit


@dataclass(frozen=True)
class Climb:
    """The shift that Newton's method reached, with B and C there."""

    shift: Shift
    cross: Jet
    energy: Jet
    n_iterations: int
    converged: bool


def maximise(cross: CrossTerm, energy: EnergyTerm | LessNoise, start: Shift) -> Climb:
    """Find the maximum of log(B²/C) next to an initial shift by Newton's method."""
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
    """Return whether the curvature of log(B²/C) is negative in all directions; B must be > 0."""
    (_, _), (xx, xy, yy) = _log_derivatives(b, c)
    steepest = abs(xx) + abs(yy)
    return xx < 0 and xx * yy - xy * xy > FLATTEST * steepest**2


def _newton_step(b: Jet, c: Jet) -> NDArray[np.float64]:
    """Return Newton's step for log(B²/C), with signs such that it leads uphill."""
    (x, y), (xx, xy, yy) = _log_derivatives(b, c)
    determinant = xx * yy - xy * xy
    if xx < 0 < determinant:
        return np.array([xy * y - yy * x, xy * x - xx * y]) / determinant
    curvatures, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    steepness = np.maximum(np.abs(curvatures), np.finfo(float).tiny)
    return axes @ ((axes.T @ np.array([x, y])) / steepness)


def _log_derivatives(b: Jet, c: Jet) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Return the gradient (x, y) and the Hessian (xx, xy, yy) of 2 log B - log C."""
    bx, by, cx, cy = b.x / b.value, b.y / b.value, c.x / c.value, c.y / c.value
    xx = 2 * (b.xx / b.value - bx * bx) - (c.xx / c.value - cx * cx)
    xy = 2 * (b.xy / b.value - bx * by) - (c.xy / c.value - cx * cy)
    yy = 2 * (b.yy / b.value - by * by) - (c.yy / c.value - cy * cy)
    return (2 * bx - cx, 2 * by - cy), (xx, xy, yy)


def _backtrack(
    cross: CrossTerm, energy: EnergyTerm | LessNoise, here: tuple[Shift, Jet, Jet], there: Shift
) -> tuple[Shift, Jet, Jet]:
    """Halve a step until B²/C is not smaller at its end."""
    shift, b, c = here
    merit = b.value**2 / c.value
    for _ in range(MAX_HALVINGS):
        b_there, c_there = cross.at(there), energy.at(there)
        uphill = b_there.value > 0 and b_there.value**2 >= merit * c_there.value * (1 - 1e-13)
        if uphill:
            return there, b_there, c_there
        there = Shift(0.5 * (shift.dx + there.dx), 0.5 * (shift.dy + there.dy))
    return shift, b, c
