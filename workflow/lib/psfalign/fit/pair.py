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

LITTLE = 0.05  # misfit, from which the whole image is searched for a better place
ROUNDING = 1e-14  # of A, what rounding leaves of E
TOLERABLE = 0.01  # pixels, that rounding may move a shift
APART = 1.0  # pixels; what is nearer than that is the same place
HALF_PIXEL = 0.5  # a grid point of the search stands for this much on either side


@dataclass(frozen=True)
class Pair:
    """
    A science and a psf image, prepared with one weight.

    Attributes
    ----------
    science, psf, weighted
        What they are made of.
    psf_image
        The psf image as it is, which `leastsq` takes.
    noise, noise_scale
        N(d), and how often it is to be taken away from C.
    """

    science: Science
    psf: Psf
    weighted: Weighted
    psf_image: Image | None = None
    noise: NoiseTerm | None = None
    noise_scale: float = 1.0

    @property
    def energy(self) -> EnergyTerm | LessNoise:
        """C(d), less the noise."""
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
        Largest shift in pixels along each axis that is searched for; 0 starts from no shift.
    method
        ``spectral`` or ``leastsq``.
    start
        A shift to start from instead of a search.

    Returns
    -------
    PairFit
        The shift is psf position minus science position. A fit that did not converge to a
        minimum within the range, with a positive flux, carries the status that says so. It has
        no uncertainties yet, see `psfalign.fit.noise`.
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
    Look at all other places, in steps of half a pixel where the search went.

    Noise makes peaks between whole pixels, and on the slopes of others.
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
    """Return B²/C."""
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
    if pair.noise is not None:  # it is in the residual all the same
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
    """Return whether the shift hangs on the last digits of A: E = A - B²/C has no more."""
    return ROUNDING * pair.psf.energy > TOLERABLE**2 * least_curvature(curvature)
