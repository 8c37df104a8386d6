"""How well the shifts of all pairs agree with one position for each image."""

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools


def closure(dx: NDArray[np.float64], dy: NDArray[np.float64], usable: Bools) -> NDArray[np.float64]:
    """
    Give each pair's distance from the shift that the positions of its images imply.

    A shift is psf position minus science position, d_ik = t_k - u_i. The positions t, u that
    fit all usable pairs best leave a residual in each, which is noise where all fits are right
    and stands out where one is not.

    Parameters
    ----------
    dx, dy : (integrations, psfs) float64
        Fitted shifts in pixels.
    usable : (integrations, psfs) bool
        The pairs that may be used.

    Returns
    -------
    (integrations, psfs) float64
        Length of the residual in pixels; NaN for pairs that are not usable, or the only usable
        one of their integration or psf, so that nothing can contradict them.
    """
    alone = (usable.sum(axis=1) == 1)[:, None] | (usable.sum(axis=0) == 1)
    residual = np.full(dx.shape, np.nan)
    lengths = np.hypot(_residual(dx, usable), _residual(dy, usable))
    residual[usable & ~alone] = lengths[usable & ~alone]
    return residual


def _residual(shift: NDArray[np.float64], usable: Bools) -> NDArray[np.float64]:
    """Solve the normal equations of d_ik = t_k - u_i; their one null direction drops out."""
    ones = usable.astype(float)
    known = np.where(usable, shift, 0.0)
    normal = np.block([[np.diag(ones.sum(axis=1)), -ones], [-ones.T, np.diag(ones.sum(axis=0))]])
    moments = np.concatenate([-known.sum(axis=1), known.sum(axis=0)])
    positions = np.linalg.lstsq(normal, moments, rcond=None)[0]
    science, psf = np.split(positions, [len(shift)])
    return known - (psf - science[:, None])
