"""
Propagate the noise of both images to the uncertainties and biases of the fitted shift and flux.

At the minimum of E = Σ w² r², with the residual r = p - beta S(s, d) and its derivatives g by dx,
dy and beta, noise of variance V in r causes errors with the covariance

    H⁻¹ M H⁻¹,   H = ½ ∂²E,   M = Σ w⁴ V g gᵀ,

for any weight, whether or not it is optimal for that noise. V is V_p + beta² (K² ∗ V_s), from the
errors of both images and the kernel K of the shift, or a constant where errors are not known. V is
multiplied by a factor such that Σ w² V, the expected E, equals the actual E but for the number of
fitted parameters. Where w² V is constant, the covariance is E / (n - 3) · H⁻¹.

Noise in the science image also adds beta² N(d) to E. Where the mask cuts through the star, N
depends on the shift, and its slope moves the minimum of E, which is a bias. N is scaled, too, so
that a common factor in all errors does not matter: see `_true_scale`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Image
from ..images.fourier import Shift
from ..images.frames import Frame
from .energy import NoiseTerm
from .gradients import FIRST, SECOND, Gradients, Singles, Whole, as_matrices
from .polynomials import Jet
from .result import N_PARAMETERS, PairFit, Status, energy_curvature
from .spectral import Weighted

# Largest ratio of E to the expected E for which a bias is computed. Above it, differences between
# the images, not noise, make up most of E, unless all errors are too small by a factor of two.
MOST_NOISE = 4.0
# Smallest share of the curvature of E that must remain, in all directions, when N is subtracted. In
# simulations (benchmarks/studies/biases) the unbiased numbers are better above it, worse below it.
LEAST_CURVATURE = 0.7
SIGNIFICANT = 5.0  # sigma of beta; the highest noise peak in an image has four to five
# How many sigma a fit must be ahead of its rivals, see `_is_alone`. In simulations
# (benchmarks/studies/rivals), no wrong fit is ahead by more than 1.4.
LEAD = 2.0


@dataclass(frozen=True)
class Spread:
    """
    w⁴ V of one plane, from which the matrix M is computed.

    Attributes
    ----------
    shares : (pixels,) float32
        w⁴ V divided by its largest value, so that it fits into single precision in any unit.
    largest
        The largest value of w⁴ V.
    """

    shares: NDArray[np.float32]
    largest: float

    @classmethod
    def of(cls, spread: Image) -> "Spread":
        """Keep w⁴ V in single precision."""
        largest = float(spread.max())
        return cls((spread / largest).astype(np.float32).ravel(), largest)

    def through(self, products: Singles) -> NDArray[np.float64]:
        """Return M = Σ w⁴ V g gᵀ, (3, 3), from the upper triangles of g gᵀ, (6, pixels)."""
        return self.largest * as_matrices((products @ self.shares).astype(np.float64))


@dataclass(frozen=True)
class PsfNoise:
    """
    The noise of a psf image under a weight.

    Attributes
    ----------
    spread
        w⁴ V_p.
    expected
        Σ w² V_p.
    """

    spread: Spread
    expected: float

    @classmethod
    def of(cls, variance: Image | None, weighted: Weighted) -> "PsfNoise | None":
        """Compute the noise of a psf image; return None where its errors are not known."""
        if variance is None:
            return None
        expected = float(np.vdot(weighted.squared, variance))
        return cls(Spread.of(weighted.fourth * variance), expected)


@dataclass(frozen=True)
class ScienceNoise:
    """
    The noise of a science image under one weight.

    Attributes
    ----------
    frame
        The science image.
    gradients
        Its derivatives, and the weight.
    """

    frame: Frame
    gradients: Gradients

    @property
    def weighted(self) -> Weighted:
        """The weight."""
        return self.gradients.weighted

    @cached_property
    def term(self) -> NoiseTerm | None:
        """N(d), the contribution of noise to C; None where the errors are not known."""
        variance, weighted = self.frame.variance_spectrum, self.weighted
        if variance is None:
            return None
        return NoiseTerm.of(
            variance, weighted.spectrum, weighted.shape, expansion=weighted.expansion
        )

    def at(self, fits: Sequence[PairFit]) -> list[Jet] | None:
        """N(d) at fitted shifts."""
        if self.term is None:
            return None
        return [self.term.at(Shift(fit.dx, fit.dy)) for fit in fits]

    def variance(self, whole: Whole) -> Image:
        """Return the variance after a shift by whole pixels; it must be known."""
        assert self.frame.variance is not None
        return np.roll(self.frame.variance, whole, axis=(0, 1))


def add_uncertainties(
    fits: Sequence[PairFit], science: ScienceNoise, psfs: Sequence[PsfNoise | None]
) -> list[PairFit]:
    """
    Return the fits of one integration, one for each psf, with uncertainties and biases.

    Fits whose flux is not significant get the status `INSIGNIFICANT`. The derivatives and variances
    of the science image are taken at the nearest whole-pixel shift; N(d) is exact.
    """
    finished = list(fits)
    for (whole, is_known), members in _alike(fits, psfs).items():
        group = [fits[i] for i in members]
        noises = science.at(group)
        gradients = science.gradients.at(whole).reshape(N_PARAMETERS, -1)
        products = gradients[FIRST] * gradients[SECOND]
        if noises is None or not is_known:
            constant = Spread.of(science.weighted.fourth)
            spread = np.tile(constant.through(products), (len(group), 1, 1))
            expected = np.full(len(group), science.weighted.total)
        else:
            known = [psf for psf in (psfs[i] for i in members) if psf is not None]
            of_science = Spread.of(science.weighted.fourth * science.variance(whole))
            factors = np.array([fit.beta**2 for fit in group])
            spread = np.stack([psf.spread.through(products) for psf in known])
            spread += factors[:, None, None] * of_science.through(products)
            expected = np.array([psf.expected for psf in known])
            expected += factors * [noise.value for noise in noises]
        spread *= science.gradients.peak**2
        scale = _scale(group, expected, science.weighted)
        mixed = _mixed_shares(group, expected, scale, noises if is_known else None)
        columns = [_sigmas(group, spread, scale), mixed]
        if noises is not None and is_known:
            true = _true_scale(group, expected, noises, scale)
            columns += [_biases(group, noises, scale, true), true, _chi2(group, expected)]
        for i, *numbers in zip(members, *(column.tolist() for column in columns), strict=True):
            finished[i] = _with_numbers(fits[i], *numbers)
    return finished


def unbiased(fit: PairFit) -> PairFit:
    """Return a fit with biases of 0, if it reached a minimum, because N was subtracted from C."""
    return fit if fit.curvature is None else replace(fit, dx_bias=0.0, dy_bias=0.0, beta_bias=0.0)


def _alike(
    fits: Sequence[PairFit], psfs: Sequence[PsfNoise | None]
) -> dict[tuple[Whole, bool], list[int]]:
    """
    Group the fits that reached a minimum, so that a group shares the sums over pixels.

    The key is the nearest whole-pixel shift (dy, dx), and whether the errors of the psf are known;
    the values are indices of fits.
    """
    groups: dict[tuple[Whole, bool], list[int]] = {}
    for i, (fit, psf) in enumerate(zip(fits, psfs, strict=True)):
        if fit.curvature is not None:
            whole = round(fit.dy), round(fit.dx)
            groups.setdefault((whole, psf is not None), []).append(i)
    return groups


def _scale(
    fits: Sequence[PairFit], expected: NDArray[np.float64], weighted: Weighted
) -> NDArray[np.float64]:
    """Return the factor on V by which each E is as large as expected, (fits,)."""
    n_pixels = np.array([fit.n_pixels for fit in fits])
    n_free = n_pixels - N_PARAMETERS - len(weighted.span)
    return np.asarray(np.array([fit.cost for fit in fits]) / expected * n_pixels / n_free)


def _true_scale(
    fits: Sequence[PairFit],
    expected: NDArray[np.float64],
    noises: Sequence[Jet],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Return the factor x on V that explains E for the unbiased beta; (fits,).

    The fitted beta is too small, because N is part of C, and so E contains more than noise. Without
    noise, a perfect fit has A C = B². With noise, x P is part of A, where P = Σ w² V_p, and x N is
    part of C: x is the smaller root of (A - x P)(C - x N) = B².
    """
    betas = np.array([fit.beta for fit in fits])
    energy, noise = _curvatures(fits)[:, 2, 2], np.array([one.value for one in noises])
    cost, of_psf = np.array([fit.cost for fit in fits]), expected - betas**2 * noise
    middle = (cost + betas**2 * energy) * noise + of_psf * energy
    root = np.sqrt(np.maximum(middle**2 - 4 * of_psf * noise * cost * energy, 0))
    return np.asarray(scale * 2 * energy * expected / (middle + root))


def _sigmas(
    fits: Sequence[PairFit], spread: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the roots of the diagonal of H⁻¹ M H⁻¹; (fits, (dx, dy, beta))."""
    by_beta = np.array([(fit.beta, fit.beta, 1.0) for fit in fits])
    inverse = np.linalg.inv(_curvatures(fits)) * by_beta[:, None, :]
    variances = scale[:, None] * np.einsum("nij,njk,nik->ni", inverse, spread, inverse)
    return np.asarray(np.sqrt(variances))


def _chi2(fits: Sequence[PairFit], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost of each fit divided by Σ w² V, (fits,)."""
    return np.asarray(np.array([fit.cost for fit in fits]) / expected)


def _biases(
    fits: Sequence[PairFit],
    noises: Sequence[Jet],
    scale: NDArray[np.float64],
    true: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Return how far the scaled beta² N(d) moved the minimum of E; (fits, (dx, dy, beta)).

    The bias is minus Newton's step from the fit to the minimum of E - beta² N; NaN where N is so
    large that one step is not accurate.
    """
    slopes = np.empty((len(fits), N_PARAMETERS))
    bends = np.empty((len(fits), N_PARAMETERS, N_PARAMETERS))
    for slope, bend, fit, noise in zip(slopes, bends, fits, noises, strict=True):
        slope[:] = *(0.5 * fit.beta**2 * noise.gradient), fit.beta * noise.value
        bend[:] = energy_curvature(fit.beta, noise)
    whole = _curvatures(fits)
    left = whole - true[:, None, None] * bends
    is_steep = np.linalg.eigvalsh(left - LEAST_CURVATURE * whole)[:, 0] > 0
    is_sure = is_steep & (scale <= MOST_NOISE)
    left[~is_sure] = np.eye(N_PARAMETERS)
    steps = np.linalg.solve(left, true[:, None, None] * slopes[:, :, None])[:, :, 0]
    return np.where(is_sure[:, None], -steps, np.nan)


def _curvatures(fits: Sequence[PairFit]) -> NDArray[np.float64]:
    return np.stack([fit.curvature for fit in fits if fit.curvature is not None])


def _mixed_shares(
    fits: Sequence[PairFit],
    expected: NDArray[np.float64],
    scale: NDArray[np.float64],
    noises: Sequence[Jet] | None,
) -> NDArray[np.float64]:
    """
    Return the share of the product of both noises in the variance of B, (fits,).

    For a constant weight, B has the variance Σ (V_p s² + V_s p² + V_p V_s). The last term comes
    from noise times noise, and is independent at each shift. Where errors are not known, each image
    is assumed to cause half of E.
    """
    science = 0.5 * expected
    if noises is not None:
        science = np.array([f.beta**2 * n.value for f, n in zip(fits, noises, strict=True)])
    energy = np.array([f.beta**2 * f.curvature[2, 2] for f in fits if f.curvature is not None])
    in_science = np.minimum(1.0, scale * science / energy)
    return np.asarray(in_science * (1 - science / expected))


def _is_alone(fit: PairFit, sigma_beta: float, mixed: float) -> bool:
    """
    Return whether a fit is higher than its best rival, at least a pixel away, by more than noise.

    Both have a height B / √C. In units of the noise of a height, the fit is ahead by beta /
    sigma_beta · (1 - ρ), where ρ² is the ratio of the B²/C of the rival to that of the fit. If the
    rival were right, the fit would be expected to be behind by as much. The noise of the difference
    has the variance 2 (1 - ρ) for noise that is correlated like the star, and 2 for the mixed part,
    which is not correlated.
    """
    behind = 1 - math.sqrt(fit.rival)
    return fit.beta * behind >= LEAD * sigma_beta * math.sqrt(behind / 2 + 2 * mixed)


def _with_numbers(
    fit: PairFit,
    sigma: Sequence[float],
    mixed: float,
    bias: Sequence[float] = (np.nan, np.nan, np.nan),
    noise_scale: float = np.nan,
    chi2: float = np.nan,
) -> PairFit:
    """Return a fit with its uncertainties and biases, and the status if it is insignificant."""
    (sigma_dx, sigma_dy, sigma_beta), (dx_bias, dy_bias, beta_bias) = sigma, bias
    significant = fit.beta >= SIGNIFICANT * sigma_beta and _is_alone(fit, sigma_beta, mixed)
    return replace(
        fit,
        sigma_dx=sigma_dx,
        sigma_dy=sigma_dy,
        sigma_beta=sigma_beta,
        dx_bias=dx_bias,
        dy_bias=dy_bias,
        beta_bias=beta_bias,
        noise_scale=noise_scale,
        chi2=chi2,
        status=fit.status if significant or fit.status is not Status.OK else Status.INSIGNIFICANT,
    )
