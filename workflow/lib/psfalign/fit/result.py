"""What a fit found: numbers, uncertainties, and whether they may be used."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .polynomials import Jet

N_PARAMETERS = 3  # dx, dy and beta


class Status(StrEnum):
    """Why a fit may be used (`OK`) or not."""

    OK = "ok"
    NO_CONVERGENCE = "no_convergence"
    OUT_OF_RANGE = "out_of_range"
    NEGATIVE_FLUX = "negative_flux"
    INSIGNIFICANT = "insignificant"
    ROUNDING = "rounding"
    NO_WEIGHT = "no_weight"
    BAD_SCIENCE = "bad_science"
    BAD_PSF = "bad_psf"


@dataclass(frozen=True)
class PairFit:
    """
    The fit of one psf image to one science image.

    Attributes
    ----------
    dx, dy
        Position of the psf minus position of the science, pixels along columns and rows.
    beta
        Flux of the psf over flux of the science.
    sigma_dx, sigma_dy, sigma_beta
        Standard uncertainties, see `psfalign.fit.noise`.
    dx_bias, dy_bias, beta_bias
        The expected errors of dx, dy and beta that come from noise in the science image; 0 where
        it was taken into account. A number minus its bias is the unbiased one. NaN where they are
        not known: without the errors of both images, where the residual is far from what these
        make one expect, or where the star is so faint that the numbers would become worse.
    cost
        Σ w² (psf - beta S(science, (dx, dy)))² at the minimum.
    misfit
        The cost over Σ w² psf², between 0 and 1; of psf less its mean, where a constant is fitted.
    noise_scale
        What the variances of both images are to be multiplied by, so that noise alone explains the
        cost; NaN where they are not known.
    chi2
        The cost over what is expected of it from the errors of both images; NaN where those are
        not known.
    influence
        Largest move of the shift where a small window of the image is left out, or lines have
        levels of their own, pixels; see `psfalign.fit.doubt`.
    doubtful
        Whether the shift hangs on such a part, or most of the psf stays unexplained.
    n_pixels
        Number of pixels with weight.
    n_iterations
        Evaluations of the cost and its derivatives; of the last fit, where each pair is weighted.
    status
        Whether the numbers may be used; where it is not `OK`, they are what was reached, or NaN.
    rival
        What the second peak of the search explains of the psf, over what the first one does.
    curvature : (3, 3) float64, optional
        ½ ∂²E by (dx, dy, beta) at a minimum that was reached.
    """

    dx: float = np.nan
    dy: float = np.nan
    beta: float = np.nan
    sigma_dx: float = np.nan
    sigma_dy: float = np.nan
    sigma_beta: float = np.nan
    dx_bias: float = np.nan
    dy_bias: float = np.nan
    beta_bias: float = np.nan
    cost: float = np.nan
    misfit: float = np.nan
    noise_scale: float = np.nan
    chi2: float = np.nan
    influence: float = np.nan
    doubtful: bool = False
    n_pixels: int = 0
    n_iterations: int = 0
    status: Status = Status.OK
    rival: float = 0.0
    curvature: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)


def cost_and_curvature(
    psf_energy: float, cross: Jet, energy: Jet
) -> tuple[float, NDArray[np.float64]]:
    """
    Return E = A - 2 beta B(d) + beta² C(d) at beta = B/C, and ½ ∂²E by (dx, dy, beta), (3, 3).

    Parameters
    ----------
    psf_energy
        A = Σ w² p².
    cross, energy
        B and C at the fitted shift.
    """
    beta = cross.value / energy.value
    cost = max(0.0, psf_energy - beta * cross.value)
    curvature = energy_curvature(beta, energy)
    curvature[:2, :2] -= beta * cross.hessian
    curvature[:2, 2] -= cross.gradient
    curvature[2, :2] -= cross.gradient
    return cost, curvature


def least_curvature(curvature: NDArray[np.float64]) -> float:
    """Return ½ ∂²E along the direction of (dx, dy) in which a shift is determined least."""
    (xx, xy, _), (_, yy, _), _ = curvature.tolist()
    return 0.5 * (xx + yy) - math.hypot(0.5 * (xx - yy), xy)


def energy_curvature(beta: float, energy: Jet) -> NDArray[np.float64]:
    """Return ½ ∂² of beta² C(d), or of beta² N(d), by (dx, dy, beta); (3, 3)."""
    curvature = np.empty((3, 3))
    curvature[:2, :2] = 0.5 * beta**2 * energy.hessian
    curvature[:2, 2] = curvature[2, :2] = beta * energy.gradient
    curvature[2, 2] = energy.value
    return curvature
