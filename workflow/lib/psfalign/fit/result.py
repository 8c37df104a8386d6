"""The result of a fit: numbers, uncertainties, and whether they may be used."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .polynomials import Jet

N_PARAMETERS = 3  # dx, dy and beta


class Status(StrEnum):
    """Whether a fit may be used (`OK`), or why it failed."""

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
        Position of the psf minus position of the science image, in pixels along a row (dx) and
        along a column (dy).
    beta
        Flux of the psf divided by the flux of the science image.
    sigma_dx, sigma_dy, sigma_beta
        Standard uncertainties, see `psfalign.fit.noise`.
    dx_bias, dy_bias, beta_bias
        The expected errors of dx, dy and beta that noise in the science image causes: the unbiased
        value is the value minus its bias. 0 where the fit already took that noise into account. NaN
        where errors are not known, where the cost is far above its expectation, or where the star
        is so faint that a correction would make the values worse.
    cost
        Σ w² (psf - beta S(science, (dx, dy)))² at the minimum, less the background if it is fitted.
    misfit
        The cost divided by Σ w² psf², between 0 and 1; the fitted background is subtracted from
        the psf first.
    noise_scale
        The factor on the variances of both images by which noise alone explains the cost; NaN
        where errors are not known.
    chi2
        The cost divided by its expectation from the errors of both images; NaN where errors are
        not known.
    influence
        Largest move of the shift, in pixels, if a small window of the image is left out or lines
        get free offsets, see `psfalign.fit.doubt`; NaN where no move can matter.
    doubtful
        Whether the influence is too large, or most of the psf stays unexplained.
    n_pixels
        Number of pixels with weight.
    n_iterations
        How often the cost and its derivatives were evaluated in the last fit.
    status
        Whether the numbers may be used. Where it is not `OK`, they are the last values, or NaN.
    rival
        Ratio of the B²/C of the best other shift, at least one pixel away, to that of the fit; 0
        where no other shift was examined.
    curvature : (3, 3) float64, optional
        ½ ∂²E by (dx, dy, beta), if a minimum was reached.
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
    Return E = A - 2 beta B(d) + beta² C(d) at beta = B/C, and ½ ∂²E by (dx, dy, beta).

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
    """Return ½ ∂²E along the direction of (dx, dy) in which the shift is least well determined."""
    (xx, xy, _), (_, yy, _), _ = curvature.tolist()
    return 0.5 * (xx + yy) - math.hypot(0.5 * (xx - yy), xy)


def energy_curvature(beta: float, energy: Jet) -> NDArray[np.float64]:
    """Return ½ ∂² of beta² C(d), or of beta² N(d), by (dx, dy, beta); (3, 3)."""
    curvature = np.empty((3, 3))
    curvature[:2, :2] = 0.5 * beta**2 * energy.hessian
    curvature[:2, 2] = curvature[2, :2] = beta * energy.gradient
    curvature[2, 2] = energy.value
    return curvature
