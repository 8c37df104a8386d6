"""Fit one psf image to one science image, and judge the result."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Image, Method
from ..images.fourier import Shift
from .energy import EnergyTerm, LessNoise, NoiseTerm
from .polynomials import CrossTerm
from .result import N_PARAMETERS, PairFit, Status, cost_and_curvature, least_curvature
from .spectral import (
    Climb,
    Psf,
    Science,
    Weighted,
    is_summit,
    maximise,
    merit_of,
    reach_of,
    search_window,
)

LITTLE = 0.05  # misfit; above it, the whole image is searched for a better shift
ROUNDING = 1e-14  # of A, the rounding error of E
TOLERABLE = 0.01  # pixels, the largest move of a shift that rounding may cause
APART = 1.0  # pixels; shifts that are closer belong to the same peak
HALF_PIXEL = 0.5  # pixels on either side that a grid point of the search represents


@dataclass(frozen=True)
class Pair:
    """
    A science and a psf image, prepared with one weight.

    Attributes
    ----------
    science, psf, weighted
        The prepared images and their weight.
    psf_image
        The pixels of the psf image; only `leastsq` needs them.
    noise, noise_scale
        N(d), and the factor with which it is subtracted from C.
    """

    science: Science
    psf: Psf
    weighted: Weighted
    psf_image: Image | None = None
    noise: NoiseTerm | None = None
    noise_scale: float = 1.0

    @property
    def energy(self) -> EnergyTerm | LessNoise:
        """C(d), minus the noise if it is given."""
        if self.noise is None:
            return self.science.energy
        return LessNoise(self.science.energy, self.noise, self.noise_scale)

    @property
    def cross(self) -> CrossTerm:
        """B(d) of the pair."""
        return CrossTerm(self.psf.spectrum * self.science.source.conjugate, self.science.shape)


def fit_pair(
    pair: Pair, *, max_shift: int, method: Method = "spectral", start: Shift | None = None
) -> PairFit:
    """
    Fit the shift and flux of a psf image relative to a science image.

    Parameters
    ----------
    pair
        The images and their weight.
    max_shift
        Largest shift in pixels along each axis; 0 starts from no shift and sets no limit.
    method
        ``spectral`` or ``leastsq``.
    start
        The initial shift, which replaces the search.

    Returns
    -------
    PairFit
        The shift is psf position minus science position. The status says why a fit failed: it did
        not converge to a minimum, the flux is not positive, or the shift is out of range. It has
        no uncertainties yet; `psfalign.fit.noise` adds them.

    Raises
    ------
    ValueError
        If ``leastsq`` is asked for and the pair lacks `psf_image`.
    """
    if pair.weighted.n_pixels <= N_PARAMETERS + len(pair.weighted.span):
        return PairFit(n_pixels=pair.weighted.n_pixels, status=Status.NO_WEIGHT)
    cross, searched = pair.cross, start is None and max_shift > 0
    if searched:
        reach = reach_of(pair.science.shape, max_shift)
        window = merit_of(cross.on_window(reach), pair.science.window_inverse(reach))
        start = search_window(window)
    climb = _climb(pair, cross, start or Shift(0.0, 0.0), method, searched=max_shift > 0)
    fit = _judge(climb, pair)
    if fit.status is not Status.OK or max_shift == 0:
        return fit
    if searched and fit.misfit > LITTLE:
        fit = _look_around(fit, pair, cross, method, max_shift)
    beyond = max(abs(fit.dx), abs(fit.dy)) > max_shift + HALF_PIXEL
    return replace(fit, status=Status.OUT_OF_RANGE) if beyond else fit


def _look_around(
    fit: PairFit, pair: Pair, cross: CrossTerm, method: Method, max_shift: int
) -> PairFit:
    """
    Compare a fit with all other shifts, in steps of half a pixel within the range of the search.

    Noise causes peaks between whole pixels and on the slopes of other peaks. A higher peak in the
    range replaces the fit; a higher one outside means that the shift is out of range.
    """
    reach = reach_of(pair.science.shape, max_shift)
    places, inverse = pair.science.half_pixels(reach)
    near = merit_of(cross.on_nodes(places, places), inverse)
    if near.max() > _explained(fit, pair):
        row, column = np.unravel_index(np.argmax(near), near.shape)
        start = Shift(float(places[column]), float(places[row]))
        other = _judge(_climb(pair, cross, start, method, searched=True), pair)
        fit = other if other.status is Status.OK and other.cost < fit.cost else fit
    explained = _explained(fit, pair)
    elsewhere = merit_of(cross.on_grid(), pair.science.grid_inverse)
    inside = np.arange(-reach, reach + 1)
    elsewhere[np.ix_(inside, inside)] = 0.0
    if elsewhere.max() > explained:
        return replace(fit, status=Status.OUT_OF_RANGE)
    apart = np.hypot(*np.meshgrid(places - fit.dx, places - fit.dy)) >= APART
    rival = max(float(elsewhere.max()), float(near[apart].max(initial=0.0)))
    return replace(fit, rival=min(1.0, rival / explained)) if explained > 0 else fit


def _explained(fit: PairFit, pair: Pair) -> float:
    """Return B²/C, the part of A that the fit explains."""
    return (1 - fit.misfit) * pair.psf.energy


def _climb(pair: Pair, cross: CrossTerm, start: Shift, method: Method, *, searched: bool) -> Climb:
    energy = pair.energy
    if method == "spectral":
        return maximise(cross, energy, start)
    from .least_squares import fit_least_squares  # scipy.optimize is slow to import

    if pair.psf_image is None:
        raise ValueError("leastsq needs the psf image")
    beta = cross.at(start).value / energy.at(start).value if searched else 1.0
    shift, n_calls, converged = fit_least_squares(
        pair.science, pair.psf_image, pair.weighted, start, beta
    )
    b, c = cross.at(shift), energy.at(shift)
    converged = converged and b.value > 0 and is_summit(b, c)
    return Climb(shift, b, c, n_calls, converged)


def _judge(climb: Climb, pair: Pair) -> PairFit:
    b, c = climb.cross, climb.energy
    n_pixels = pair.weighted.n_pixels
    if b.value <= 0 or not climb.converged:
        status = Status.NEGATIVE_FLUX if b.value <= 0 else Status.NO_CONVERGENCE
        return PairFit(n_pixels=n_pixels, n_iterations=climb.n_iterations, status=status)
    cost, curvature = cost_and_curvature(pair.psf.energy, b, c)
    if _is_lost_in_rounding(pair, curvature):
        return PairFit(n_pixels=n_pixels, n_iterations=climb.n_iterations, status=Status.ROUNDING)
    if pair.noise is not None:  # E was computed from C less N, but the residual contains the noise
        noise = pair.noise_scale * pair.noise.at(climb.shift).value
        cost += (b.value / c.value) ** 2 * noise
    dx, dy = climb.shift
    return PairFit(
        dx=float(dx),
        dy=float(dy),
        beta=b.value / c.value,
        cost=cost,
        misfit=cost / pair.psf.energy,
        n_pixels=n_pixels,
        n_iterations=climb.n_iterations,
        curvature=curvature,
    )


def _is_lost_in_rounding(pair: Pair, curvature: NDArray[np.float64]) -> bool:
    """Return whether rounding of E = A - B²/C can move the shift by more than `TOLERABLE`."""
    return ROUNDING * pair.psf.energy > TOLERABLE**2 * least_curvature(curvature)
