"""
How the noise of both images spreads to the fitted shift and flux.

At the minimum of E = Σ w² r², with the residual r = p - beta S(s, d) and g its derivatives by dx,
dy and beta, noise of variance V in r makes errors with the covariance

    H⁻¹ M H⁻¹,   H = ½ ∂²E,   M = Σ w⁴ V g gᵀ,

whether or not the weight is the best for that noise. V = V_p + beta² S(V_s) comes from the errors
of both images, or is a constant where they are not known; its scale comes from the residual
itself, as Σ w² V is what E is expected to be. Where w² V is a constant, this is E / (n - 3) · H⁻¹.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray

from ..arrays import Image, Spectrum
from ..frames import Frame
from .polynomials import gradient_rates
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
    The noise of a science image, and the derivatives by the fit's parameters that it meets.

    Attributes
    ----------
    frame
        The science image.
    spectrum : (rows, columns // 2 + 1) complex128
        Its ``rfft2``.
    """

    frame: Frame
    spectrum: Spectrum

    @cached_property
    def derivatives(self) -> NDArray[np.float64]:
        """Those of S(s, d) by dx and dy, and S itself, at d = 0; (3, rows, columns)."""
        shape = self.frame.image.shape
        in_x, in_y = gradient_rates(shape)
        along_x = irfft2(self.spectrum * in_x, s=shape)
        along_y = irfft2(self.spectrum * in_y[:, None], s=shape)
        return np.stack([along_x, along_y, self.frame.image])

    def products(self, whole: tuple[int, int], weighted: Weighted) -> NDArray[np.float64]:
        """Give the products of two derivatives for a whole-pixel shift (dy, dx), (6, pixels)."""
        derivatives = np.roll(self.derivatives, whole, axis=(1, 2)).reshape(N_PARAMETERS, -1)
        if weighted.centred:
            derivatives -= (derivatives @ weighted.squared.ravel() / weighted.total)[:, None]
        products = np.empty((len(FIRST), derivatives.shape[1]))
        for product, i, j in zip(products, FIRST, SECOND, strict=True):
            np.multiply(derivatives[i], derivatives[j], out=product)
        return products


def add_uncertainties(
    fits: Sequence[PairFit], science: ScienceNoise, psfs: PsfNoise | None, weighted: Weighted
) -> list[PairFit]:
    """
    Give the fits of one integration their uncertainties.

    Those whose flux is not significant get the status that says so. Within half a pixel, the
    derivatives and variances of the science image are taken to move rigidly.
    """
    finished = list(fits)
    for whole, members in _by_whole_shift(fits).items():
        products = science.products(whole, weighted)
        variance = science.frame.variance
        if psfs is None or variance is None:
            spread = _spread(products, np.ones(weighted.weight.shape), weighted)
            for i in members:
                finished[i] = _finish(fits[i], spread, np.nan, weighted)
            continue
        of_science = _spread(products, np.roll(variance, whole, axis=(0, 1)), weighted)
        of_psfs = psfs.propagate(members, products)
        for i, of_psf in zip(members, of_psfs, strict=True):
            spread = of_psf.plus(of_science, fits[i].beta ** 2)
            finished[i] = _finish(fits[i], spread, of_science.expected, weighted)
    return finished


def _by_whole_shift(fits: Sequence[PairFit]) -> dict[tuple[int, int], list[int]]:
    """Collect the fits that reached a minimum by their nearest whole-pixel shift (dy, dx)."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, fit in enumerate(fits):
        if fit.curvature is not None:
            groups.setdefault((round(fit.dy), round(fit.dx)), []).append(i)
    return groups


def _spread(products: NDArray[np.float64], variance: Image, weighted: Weighted) -> _Spread:
    weighted_variance = (weighted.squared * variance).ravel()
    in_products = products @ (weighted_variance * weighted.squared.ravel())
    return _Spread(in_products, float(weighted_variance.sum()))


def _finish(fit: PairFit, spread: _Spread, noise_energy: float, weighted: Weighted) -> PairFit:
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
    return replace(
        fit,
        sigma_dx=sigma_dx,
        sigma_dy=sigma_dy,
        sigma_beta=sigma_beta,
        beta_bias=_attenuation(fit, noise_energy),
        status=status,
    )


def _attenuation(fit: PairFit, noise_energy: float) -> float:
    """
    Give the expected error of beta = B/C that the noise of the science image makes.

    It adds to C, so that a flux ratio fitted by least squares is too small. Where the mask cuts
    through the star, it adds more at some shifts than at others, and moves the shift as well.
    """
    assert fit.curvature is not None
    energy = float(fit.curvature[-1, -1])
    return -fit.beta * noise_energy / (energy - noise_energy) if energy > noise_energy else np.nan
