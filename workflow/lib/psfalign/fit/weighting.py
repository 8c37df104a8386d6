"""Weight the pixels of a pair of images, by bad pixels or by inverse variance."""

from typing import assert_never

import numpy as np

from ..images.arrays import Bools, Image, Weighting
from ..images.fourier import Shift, shift_variance
from ..images.frames import Frame
from ..images.shifted_flags import find_wrapped, move_flags


def pair_weight(
    weight: Image, science: Frame, psf: Frame, shift: Shift, beta: float, *, weighting: Weighting
) -> Image:
    """
    Return the weight of the residual psf - beta S(science, shift) of one pair.

    Parameters
    ----------
    weight : (rows, columns) float64
        The weight of the mask, the same for all pairs.
    science, psf
        The images, with `replaced`, and for ``inverse_variance`` with `variance`.
    shift, beta
        The result of a first fit with ``weight`` alone.
    weighting
        ``mask`` returns ``weight``. ``mask+dq`` sets it to 0 at pixels that were replaced in the
        psf, or that the shift fills from replaced pixels of the science image or from beyond its
        edges. ``inverse_variance`` does so, too, and divides by the standard error of the residual.

    Returns
    -------
    (rows, columns) float64
        All 0 if ``inverse_variance`` is asked for and an image has no variance.
    """
    if weighting == "mask":
        return weight
    masked = np.where(_touched(science, psf, shift), 0.0, weight)
    if weighting == "mask+dq":
        return masked
    if weighting == "inverse_variance":
        return np.asarray(masked / np.sqrt(_residual_variance(science, psf, shift, beta)))
    assert_never(weighting)  # mypy reports a new word that is not handled here


def _touched(science: Frame, psf: Frame, shift: Shift) -> Bools:
    touched = find_wrapped(psf.image.shape, shift)
    if psf.replaced is not None:
        touched = touched | psf.replaced
    if science.replaced is not None:
        touched = touched | (move_flags(science.replaced.astype(np.uint32), shift) != 0)
    return touched


def _residual_variance(science: Frame, psf: Frame, shift: Shift, beta: float) -> Image:
    if science.variance_spectrum is None or psf.variance is None:
        return np.full(psf.image.shape, np.inf)
    moved = shift_variance(science.variance_spectrum, psf.image.shape, shift)
    return psf.variance + beta**2 * moved
