"""Complete the standard errors of pixels where they are not known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Image
from .bad_pixels import CleanImage, fill_pixels

# Largest plausible ratio of an error to the median of its plane, and the inverse of the smallest.
# A full well of 1e5 electrons has a photon noise of 300, and a pixel without light has a read noise
# of 3 or more. In flight exposures errors reach 34 times the median.
ABSURD = 100.0
N_SAMPLED = 2000  # pixels of which the median is taken; it need not be exact for such a wide limit


@dataclass(frozen=True)
class CleanError:
    """
    The errors of a plane, completed.

    Attributes
    ----------
    error : (rows, columns) float64
        Positive and finite, or all NaN if no error of the plane is known.
    n_filled : int
        Number of good pixels whose error was unknown or implausible.
    """

    error: Image
    n_filled: int

    @property
    def are_unknown(self) -> bool:
        """Whether no error of the plane is known."""
        return bool(np.isnan(self.error[0, 0]))


def clean_error(error: Image, cleaned: CleanImage) -> CleanError:
    """
    Complete the errors of an image that was cleaned.

    An error counts as known if it is finite, positive, at most 100 times the median of the plane,
    and at least a hundredth of it. An unknown error, and the error of a replaced pixel, become the
    median of the errors of good pixels around, as in `psfalign.images.bad_pixels.clean_image`.
    The variance of a replaced pixel is the square of this error plus the mean square deviation of
    the good pixels in the box from their median, because the true value could be any of theirs.

    Parameters
    ----------
    error : (rows, columns) float64
        The errors before cleaning; not modified.
    cleaned
        The cleaned image.
    """
    known = _is_plausible(error, cleaned.replaced)
    n_good = known.size - int(np.count_nonzero(cleaned.replaced))
    known &= ~cleaned.replaced
    n_known = int(np.count_nonzero(known))
    if n_known == known.size:
        return CleanError(error, 0)
    if n_known == 0:
        return CleanError(np.full_like(error, np.nan), 0)
    filled, replaced = fill_pixels(error, ~known), np.flatnonzero(cleaned.replaced)
    filled.ravel()[replaced] = np.hypot(filled.ravel()[replaced], cleaned.scatter)
    return CleanError(filled, n_good - n_known)


def fill_error(error: Image) -> Image:
    """Replace errors that are not positive and finite by the median of their neighbours."""
    known = _is_known(error)
    if known.all():
        return error
    return fill_pixels(error, ~known) if known.any() else np.full_like(error, np.nan)


def _is_known(error: NDArray[np.float64]) -> Bools:
    return np.asarray((error > 0) & (error < np.inf))


def _is_plausible(error: Image, replaced: Bools) -> Bools:
    """Return which errors are within a factor of `ABSURD` of the median of good pixels."""
    step = max(1, error.size // N_SAMPLED)
    typical = _median(error.ravel()[::step], replaced.ravel()[::step])
    if np.isnan(typical):
        typical = _median(error.ravel(), replaced.ravel())
    return np.asarray((error >= typical / ABSURD) & (error <= typical * ABSURD))


def _median(error: NDArray[np.float64], replaced: Bools) -> float:
    """Return the median of the known errors of good pixels; NaN if there are none."""
    known = error[_is_known(error) & ~replaced]
    return float(np.median(known)) if known.size else np.nan
