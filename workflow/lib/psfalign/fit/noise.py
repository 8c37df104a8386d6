"""
How the noise of both images spreads to the fitted shift and flux.

At the minimum of E = Σ w² r², with the residual r = p - beta S(s, d) and g its derivatives by dx,
dy and beta, noise of variance V in r makes errors with the covariance

    H⁻¹ M H⁻¹,   H = ½ ∂²E,   M = Σ w⁴ V g gᵀ,

whether or not the weight is the best for that noise. V = V_p + beta² S(V_s) comes from the errors
of both images, or is a constant where they are not known; its scale comes from the residual
itself, as Σ w² V is what E is expected to be. Where w² V is a constant, this is E / (n - 3) · H⁻¹.

Noise in the science image also adds beta² N(d) to E, whose slope moves the minimum: a bias. Where
the mask cuts through the star, N is not the same at all shifts. N is scaled, too, so that errors
that are all wrong by a factor do not matter: see `_true_scale`.
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

# Times the expected E, above which not noise but what differs between the images makes most of it,
# unless all errors are half as large as they should be.
MOST_NOISE = 4.0
# Share of the curvature of E that is left in all directions where N is taken away. In simulations
# (benchmarks/studies/biases) unbiased numbers are better above it, and worse below it.
LEAST_CURVATURE = 0.7
SIGNIFICANT = 5.0  # sigma of beta; of all places in an image, noise alone reaches four to five
# How much better than its rivals a fit must be, see `_is_alone`. Of wrong fits in simulations
# (benchmarks/studies/rivals), none is better than 1.4.
LEAD = 2.0


@dataclass(frozen=True)
class Spread:
    """
    w⁴ V, which spreads to what is fitted.

    Attributes
    ----------
    shares : (pixels,) float32
        w⁴ V over its largest value, so that images in any unit fit into single precision.
    largest
        That value.
    """

    shares: NDArray[np.float32]
    largest: float

    @classmethod
    def of(cls, spread: Image) -> "Spread":
        """Keep w⁴ V in single precision."""
        largest = float(spread.max())
        return cls((spread / largest).astype(np.float32).ravel(), largest)

    def through(self, products: Singles) -> NDArray[np.float64]:
        """Return Σ w⁴ V g gᵀ, (3, 3), from the products of each two of g, (6, pixels)."""
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
        """Collect the noise of a psf image; None where its errors are not known."""
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
        """N(d), what noise adds to C; None where the errors of the image are not known."""
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
        """Return the variance, where it is known, after a shift by whole pixels."""
        assert self.frame.variance is not None
        return np.roll(self.frame.variance, whole, axis=(0, 1))


def add_uncertainties(
    fits: Sequence[PairFit], science: ScienceNoise, psfs: Sequence[PsfNoise | None]
) -> list[PairFit]:
    """
    Return the fits of one integration, one for each psf, their uncertainties and biases.

    Those whose flux is not significant get the status that says so. Within half a pixel, the
    derivatives and variances of the science image are taken to move rigidly, but not in N(d).
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
    """Return a fit that reached a minimum, marked as one that took noise into account."""
    return fit if fit.curvature is None else replace(fit, dx_bias=0.0, dy_bias=0.0, beta_bias=0.0)


def _alike(
    fits: Sequence[PairFit], psfs: Sequence[PsfNoise | None]
) -> dict[tuple[Whole, bool], list[int]]:
    """
    Collect the fits that reached a minimum by what their uncertainties have in common.

    That is their nearest whole-pixel shift (dy, dx), and whether the errors of the psf are known.
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
    """Return what V is to be multiplied by, so that each E is what is expected of it; (fits,)."""
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
    Return what V is to be multiplied by where beta is what it would be without noise; (fits,).

    The beta of a fit is too small by what N adds to C, so that more of the psf is left than noise.
    The scale x is the smaller root of (A - x P)(C - x N) = B², with P = Σ w² V_p: the one by which
    noise alone makes of a perfect fit what A, B and C are.
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
    """Propagate noise through the curvature of the cost; (fits, (dx, dy, beta))."""
    by_beta = np.array([(fit.beta, fit.beta, 1.0) for fit in fits])
    inverse = np.linalg.inv(_curvatures(fits)) * by_beta[:, None, :]
    variances = scale[:, None] * np.einsum("nij,njk,nik->ni", inverse, spread, inverse)
    return np.asarray(np.sqrt(variances))


def _chi2(fits: Sequence[PairFit], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost of each fit over Σ w² V."""
    return np.asarray(np.array([fit.cost for fit in fits]) / expected)


def _biases(
    fits: Sequence[PairFit],
    noises: Sequence[Jet],
    scale: NDArray[np.float64],
    true: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Return how far beta² N(d), scaled, moved the minimum of E; (fits, (dx, dy, beta)).

    It is Newton's step from the fit to the minimum of E - beta² N; NaN where N is so large that the
    step is not to be trusted.
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
    Return which share of the noise of B is that of the psf times that of the science image.

    In pixels of one weight, B has the variance Σ (V_p s² + V_s p² + V_p V_s). The last part does
    not know the star: it is another one at the next pixel. Where errors are not known, each
    image is taken to make half of E.
    """
    science = 0.5 * expected
    if noises is not None:
        science = np.array([f.beta**2 * n.value for f, n in zip(fits, noises, strict=True)])
    energy = np.array([f.beta**2 * f.curvature[2, 2] for f in fits if f.curvature is not None])
    in_science = np.minimum(1.0, scale * science / energy)
    return np.asarray(in_science * (1 - science / expected))


def _is_alone(fit: PairFit, sigma_beta: float, mixed: float) -> bool:
    """
    Return whether noise cannot have raised a fit above its best rival, a pixel away or more.

    Both are heights B / √C, in units of whose noise the fit is ahead by
    beta / sigma_beta · (1 - ρ), where ρ is the root of what the rival explains over what the
    fit does. If the truth were the rival, the fit would be expected as far behind it; the noise
    of the difference has the variance 2 (1 - ρ) as far as it is alike where the star is alike, and
    2 where it is mixed, of which nothing is expected.
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
    """Note what noise does to a fit, and whether its flux is significant."""
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
