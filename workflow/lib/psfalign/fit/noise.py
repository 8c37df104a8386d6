"""
How the noise of both images spreads to the fitted shift and flux.

At the minimum of E = Σ w² r², with the residual r = p - beta S(s, d) and g its derivatives by dx,
dy and beta, noise of variance V in r makes errors with the covariance

    H⁻¹ M H⁻¹,   H = ½ ∂²E,   M = Σ w⁴ V g gᵀ,

whether or not the weight is the best for that noise. V = V_p + beta² S(V_s) comes from the errors
of both images, or is a constant where they are not known; its scale comes from the residual
itself, as Σ w² V is what E is expected to be. Where w² V is a constant, this is E / (n - 3) · H⁻¹.

Noise in the science image also adds beta² N(d) to E, whose slope moves the minimum: a bias. Where
the mask cuts through the star, N is not the same at all shifts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray

from ..arrays import Image, Spectrum
from ..fourier import Shift
from ..frames import Frame
from .polynomials import EnergyTerm, Jet, gradient_rates, noise_term
from .result import N_PARAMETERS, PairFit, Status
from .spectral import Weighted

SIGNIFICANT = 5.0  # sigma of beta; of all places in an image, noise alone reaches four to five
# The products of two derivatives, as rows and columns of a symmetric matrix.
FIRST, SECOND = np.triu_indices(N_PARAMETERS)


@dataclass(frozen=True)
class _Spread:
    """What noise adds up to under a weight: Σ w⁴ V g gᵀ for beta = 1, and Σ w² V."""

    products: NDArray[np.float64]
    expected: float

    def plus(self, other: "_Spread", factor: float) -> "_Spread":
        """Add that of another image whose variance is multiplied by a factor."""
        return _Spread(
            self.products + factor * other.products, self.expected + factor * other.expected
        )


@dataclass(frozen=True)
class PsfNoise:
    """
    The noise of psf images under one weight.

    Attributes
    ----------
    spread : (psfs, pixels) float32
        w⁴ V_p / Σ w² V_p.
    expected : (psfs,) float64
        Σ w² V_p.
    """

    spread: NDArray[np.float32]
    expected: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Sequence[Frame], weighted: Weighted) -> "PsfNoise | None":
        """Collect the noise of psf images; None unless the errors of all are known."""
        variances = [frame.variance for frame in frames if frame.variance is not None]
        if not frames or len(variances) < len(frames):
            return None
        square = weighted.squared
        expected = np.array([np.vdot(square, variance) for variance in variances])
        spread = np.empty((len(frames), square.size), dtype=np.float32)
        for row, variance, total in zip(spread, variances, expected, strict=True):
            row[:] = (square**2 * (variance / total)).ravel()
        return cls(spread, expected)

    def propagate(self, psfs: list[int], products: NDArray[np.float64]) -> list[_Spread]:
        """Give what the noise of some psfs adds up to."""
        peak = np.abs(products).max()  # any unit of flux fits into single precision after it
        scaled = (products / peak).astype(np.float32)
        sums = [(scaled @ self.spread[i]).astype(np.float64) for i in psfs]
        expected = self.expected[psfs].tolist()
        return [_Spread(peak * e * s, e) for s, e in zip(sums, expected, strict=True)]


@dataclass(frozen=True)
class ScienceNoise:
    """
    The noise of a science image under one weight.

    Attributes
    ----------
    frame
        The science image.
    derivatives : (3, rows, columns) float64
        See `science_derivatives`.
    weighted
    """

    frame: Frame
    derivatives: NDArray[np.float64]
    weighted: Weighted

    @cached_property
    def term(self) -> EnergyTerm | None:
        """N(d), what noise adds to C; None where the errors of the image are not known."""
        if self.frame.variance is None:
            return None
        rows, columns = self.frame.image.shape
        return noise_term(self.frame.variance, self.weighted.harmonics, (rows, columns))

    def at(self, fit: PairFit) -> Jet | None:
        """N(d) at a fitted shift."""
        return self.term.at(Shift(fit.dx, fit.dy)) if self.term is not None else None

    def products(self, whole: tuple[int, int]) -> NDArray[np.float64]:
        """Give the products of two derivatives for a whole-pixel shift (dy, dx), (6, pixels)."""
        derivatives = np.roll(self.derivatives, whole, axis=(1, 2)).reshape(N_PARAMETERS, -1)
        if self.weighted.centred:
            means = derivatives @ self.weighted.squared.ravel() / self.weighted.total
            derivatives -= means[:, None]
        products = np.empty((len(FIRST), derivatives.shape[1]))
        for product, i, j in zip(products, FIRST, SECOND, strict=True):
            np.multiply(derivatives[i], derivatives[j], out=product)
        return products

    def variance(self, whole: tuple[int, int]) -> Image:
        """Give the variance after a whole-pixel shift (dy, dx); 1 where it is not known."""
        if self.frame.variance is None:
            return np.ones(self.frame.image.shape)
        return np.roll(self.frame.variance, whole, axis=(0, 1))


def science_derivatives(image: Image, spectrum: Spectrum) -> NDArray[np.float64]:
    """Give those of S(s, d) by dx and dy, and S itself, at d = 0; (3, rows, columns)."""
    shape = image.shape
    in_x, in_y = gradient_rates(shape)
    along_x = irfft2(spectrum * in_x, s=shape)
    along_y = irfft2(spectrum * in_y[:, None], s=shape)
    return np.stack([along_x, along_y, image])


def add_uncertainties(
    fits: Sequence[PairFit], science: ScienceNoise, psfs: PsfNoise | None
) -> list[PairFit]:
    """
    Give the fits of one integration their uncertainties and biases.

    Those whose flux is not significant get the status that says so. Within half a pixel, the
    derivatives and variances of the science image are taken to move rigidly, but not in N(d).
    """
    finished = list(fits)
    weighted = science.weighted
    for whole, members in _by_whole_shift(fits).items():
        products = science.products(whole)
        alike = _Spread(products @ (weighted.squared**2).ravel(), weighted.total)
        of_science = products @ (weighted.squared**2 * science.variance(whole)).ravel()
        of_psfs = psfs.propagate(members, products) if psfs else [None] * len(members)
        for i, of_psf in zip(members, of_psfs, strict=True):
            noise, spread = science.at(fits[i]), alike
            if of_psf and noise:
                spread = of_psf.plus(_Spread(of_science, noise.value), fits[i].beta ** 2)
            finished[i] = _finish(fits[i], spread, noise, weighted)
    return finished


def unbiased(fit: PairFit) -> PairFit:
    """Say of a fit that reached a minimum that noise was taken into account."""
    return (
        replace(fit, dx_bias=0.0, dy_bias=0.0, beta_bias=0.0) if fit.curvature is not None else fit
    )


def _by_whole_shift(fits: Sequence[PairFit]) -> dict[tuple[int, int], list[int]]:
    """Collect the fits that reached a minimum by their nearest whole-pixel shift (dy, dx)."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, fit in enumerate(fits):
        if fit.curvature is not None:
            groups.setdefault((round(fit.dy), round(fit.dx)), []).append(i)
    return groups


def _finish(fit: PairFit, spread: _Spread, noise: Jet | None, weighted: Weighted) -> PairFit:
    """Propagate noise through the curvature of the cost."""
    assert fit.curvature is not None
    meat = np.empty((N_PARAMETERS, N_PARAMETERS))
    meat[FIRST, SECOND] = meat[SECOND, FIRST] = spread.products
    by_beta = np.array([fit.beta, fit.beta, 1.0])
    inverse = np.linalg.inv(fit.curvature) * by_beta
    n_free = fit.n_pixels - N_PARAMETERS - weighted.centred
    scale = fit.cost / spread.expected * fit.n_pixels / n_free
    variances = scale * np.einsum("ij,jk,ik->i", inverse, meat, inverse)
    sigma_dx, sigma_dy, sigma_beta = np.sqrt(variances).tolist()
    significant = fit.beta >= SIGNIFICANT * sigma_beta
    status = Status.INSIGNIFICANT if fit.status is Status.OK and not significant else fit.status
    dx_bias, dy_bias, beta_bias = _bias(fit, noise) if noise else (np.nan,) * N_PARAMETERS
    return replace(
        fit,
        sigma_dx=sigma_dx,
        sigma_dy=sigma_dy,
        sigma_beta=sigma_beta,
        dx_bias=dx_bias,
        dy_bias=dy_bias,
        beta_bias=beta_bias,
        status=status,
    )


def _bias(fit: PairFit, noise: Jet) -> list[float]:
    """
    Give how far beta² N(d) moved the minimum of E in dx, dy and beta.

    It is Newton's step from the fit to the minimum of E - beta² N; NaN where that has none.
    """
    assert fit.curvature is not None
    slope = fit.beta * np.array([*(0.5 * fit.beta * noise.gradient), noise.value])
    bend = np.empty((N_PARAMETERS, N_PARAMETERS))
    bend[:2, :2] = 0.5 * fit.beta**2 * noise.hessian
    bend[:2, 2] = bend[2, :2] = fit.beta * noise.gradient
    bend[2, 2] = noise.value
    curvature = fit.curvature - bend
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return [np.nan] * N_PARAMETERS
    return (-np.linalg.solve(curvature, slope)).tolist()
