"""Fit as the jwst documentation describes it, by `scipy.optimize.leastsq`, for comparison."""

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray
from scipy.optimize import leastsq

from ..images.arrays import Image
from ..images.fourier import Shift, shift_spectrum
from .spectral import Science, Weighted

TOLERANCE = 1e-12  # relative; looser ones leave errors of 1e-5 pixels
CONVERGED = (1, 2, 3, 4)  # values of leastsq's ier that mean success


def fit_least_squares(
    science: Science, psf_image: Image, weighted: Weighted, start: Shift, beta: float
) -> tuple[Shift, int, bool]:
    """
    Minimise Σ w² (p - beta S(s, (dx, dy)))² over dx, dy and beta with numerical derivatives.

    Parameters
    ----------
    science
        The science image s, prepared.
    psf_image : (rows, columns) float64
        The psf image p.
    weighted
        The weight w.
    start, beta
        The initial shift and flux ratio.

    Returns
    -------
    shift
        The fitted shift.
    n_calls
        How often the residuals were evaluated.
    converged
        Whether `leastsq` reports success.
    """
    seen = weighted.weight != 0
    psf, weight, basis = psf_image[seen], weighted.weight[seen], weighted.span.images[:, seen]

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        dx, dy, flux = parameters
        shifted = shift_spectrum(science.source.spectrum, science.shape, Shift(dx, dy))
        moved = irfft2(shifted, s=science.shape)
        residual = psf - flux * moved[seen]
        residual -= (basis @ (weight**2 * residual)) @ basis
        return np.asarray(residual * weight)

    solution, _, info, _, ier = leastsq(
        residuals, (*start, beta), full_output=True, ftol=TOLERANCE, xtol=TOLERANCE
    )
    shift = Shift(float(solution[0]), float(solution[1]))
    return shift, int(info["nfev"]), ier in CONVERGED
