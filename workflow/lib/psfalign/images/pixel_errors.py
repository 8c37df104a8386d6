"""Standard errors of pixels, and replacements for those that are not known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Image
from .bad_pixels import CleanImage, fill_pixels

# Times the plane's median. A full well of 1e5 electrons has a photon noise of 300, and a pixel
# without light a read noise of 3 or more; in flight exposures errors reach 34 times the median.
ABSURD = 100.0
N_SAMPLED = 2000  # pixels whose median stands for that of a plane; a limit of 100 needs no more


@dataclass(frozen=True)
class CleanError:
    """
    Errors that say something, and for how many pixels they had to be made up.

    Attributes
    ----------
    error : (rows, columns) float64
        Positive and finite, or NaN in all pixels, where the plane has no error that is known.
    n_filled : int
        Good pixels whose error was unknown or absurd.
    """

    error: Image
    n_filled: int

    @property
    def are_unknown(self) -> bool:
        """Whether the plane has no error that is known."""
        return bool(np.isnan(self.error[0, 0]))


def clean_error(error: Image, cleaned: CleanImage) -> CleanError:
    """
    Complete the errors of an image that was cleaned.

    An error is known where it is finite, positive, and neither more than 100 times the median of
    the plane nor less than a hundredth of it. Where it is not known, or the pixel was replaced, the
    errors of good pixels around take its place, as in `psfalign.images.bad_pixels.clean_image`.
    The variance of a pixel that was replaced by a median gains the mean square of what the good
    pixels in the box differ from it: it could have been any of them.

    Parameters
    ----------
    error : (rows, columns) float64
        Not modified.
    cleaned
        The image.
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
    """Return errors of which those that are not positive and finite come from their neighbours."""
    known = _is_known(error)
    if known.all():
        return error
    return fill_pixels(error, ~known) if known.any() else np.full_like(error, np.nan)


def _is_known(error: NDArray[np.float64]) -> Bools:
    return np.asarray((error > 0) & (error < np.inf))


def _is_plausible(error: Image, replaced: Bools) -> Bools:
    """Return which errors are known, and not absurd beside those of good pixels."""
    step = max(1, error.size // N_SAMPLED)
    typical = _median(error.ravel()[::step], replaced.ravel()[::step])
    if np.isnan(typical):
        typical = _median(error.ravel(), replaced.ravel())
    return np.asarray((error >= typical / ABSURD) & (error <= typical * ABSURD))


def _median(error: NDArray[np.float64], replaced: Bools) -> float:
    """Return the median of the known errors of good pixels, NaN where there is none."""
    known = error[_is_known(error) & ~replaced]
    return float(np.median(known)) if known.size else np.nan
