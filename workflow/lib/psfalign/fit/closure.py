"""How well the shifts of all pairs agree with one position for each image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Bools

Floats = NDArray[np.float64]
"""One number for each pair, (integrations, psfs)."""

SUSPICIOUS = 5.0  # sigma
# Pixels. A sigma counts as at least this much: a pair that is off by less than SUSPICIOUS times
# this, a thousandth of a pixel, is never called wrong.
NEGLIGIBLE = 2e-4
# Pixels. The scatter of all pairs raises the limit at most to SUSPICIOUS times this: a pair that is
# off by a quarter of a pixel is wrong, however much the others scatter.
UNEXPLAINED = 0.05
RAYLEIGH_MEDIAN = np.sqrt(2 * np.log(2))  # median length of a vector with unit sigma on each axis
FEWEST = 4  # pairs of each image that are needed to identify a single wrong one
N_REWEIGHTINGS = 20  # iterations of Huber's estimate, which converges in a few


@dataclass(frozen=True)
class Closure:
    """
    The shift of each pair that the positions of all images imply.

    Attributes
    ----------
    dx, dy : (integrations, psfs) float64
        The implied shift, in pixels. NaN for pairs that are not usable, and for pairs that no
        chain of usable, unsuspicious pairs connects.
    residual : (integrations, psfs) float64
        Distance between the fitted and the implied shift, in pixels. Where no shift is implied,
        the distance from what all usable pairs together would imply. NaN where no other pair can
        contradict this one, because it is the only usable one of its integration or psf.
    suspicious : (integrations, psfs) bool
        Pairs that differ from the others by more than five sigma. They do not contribute to the
        implied shifts.
    """

    dx: Floats
    dy: Floats
    residual: Floats
    suspicious: Bools

    @property
    def tells_who_is_wrong(self) -> bool:
        """
        Return whether the suspicious pairs are certain to be the wrong ones.

        This needs at least four pairs for each image, of which at most a quarter is suspicious:
        among three pairs of which two are wrong, the right one can look suspicious.
        """
        counts, wrong = self.suspicious.shape, self.suspicious
        too_many = any(
            (FEWEST * wrong.sum(axis=axis) > counts[axis]).any() for axis in range(len(counts))
        )
        return min(counts) >= FEWEST and not too_many


def close(dx: Floats, dy: Floats, sigma: Floats, usable: Bools) -> Closure:
    """
    Find the image positions that agree best with the shifts of all pairs.

    The shift of integration i and psf k is the position of the psf minus that of the science image,
    d_ik = t_k - u_i. The positions t and u are fitted to all pairs with the weights 1 / sigma².
    Where all shifts are right, the residuals are noise; a wrong shift has a large residual.

    Parameters
    ----------
    dx, dy : (integrations, psfs) float64
        Fitted shifts in pixels.
    sigma : (integrations, psfs) float64
        Standard uncertainty of a shift along one axis, pixels.
    usable : (integrations, psfs) bool
        The pairs whose fit succeeded.
    """
    alone = (usable.sum(axis=1) == 1)[:, None] | (usable.sum(axis=0) == 1)
    length, doubtful = _find_suspicious(dx, dy, sigma, usable)
    suspicious = doubtful & ~alone
    trusted = usable & ~suspicious
    weight = np.where(trusted, 1 / np.maximum(sigma, NEGLIGIBLE) ** 2, 0.0)
    known = _are_linked(trusted) & usable
    implied_dx, implied_dy = (np.where(known, _implied(d, weight), np.nan) for d in (dx, dy))
    residual = np.where(known, np.hypot(dx - implied_dx, dy - implied_dy), length)
    return Closure(implied_dx, implied_dy, np.where(alone | ~usable, np.nan, residual), suspicious)


def _find_suspicious(dx: Floats, dy: Floats, sigma: Floats, usable: Bools) -> tuple[Floats, Bools]:
    """Return the distance of each pair from Huber's robust estimate, and which are suspicious."""
    sigma, length = np.maximum(sigma, NEGLIGIBLE), np.zeros(dx.shape)
    if not usable.any():
        return length, usable
    for _ in range(N_REWEIGHTINGS):
        weight = np.where(usable, 1 / (sigma * np.maximum(length, sigma)), 0.0)
        length = np.hypot(dx - _implied(dx, weight), dy - _implied(dy, weight))
    scatter = min(np.median(length[usable]) / RAYLEIGH_MEDIAN, UNEXPLAINED)
    return length, usable & (length > SUSPICIOUS * np.maximum(sigma, scatter))


def _are_linked(trusted: Bools) -> Bools:
    """
    Return for each pair whether a chain of trusted pairs connects its integration and its psf.

    Without such a chain, their distance is not determined.
    """
    links = trusted.astype(np.float64)
    reached = links.T @ links > 0  # psfs that share an integration
    for _ in range(max(1, len(reached)).bit_length()):
        further = reached.astype(np.float64)
        reached = further @ further > 0
    return np.asarray(links @ reached > 0)


def _implied(shift: Floats, weight: Floats) -> Floats:
    """
    Solve the normal equations of d_ik = t_k - u_i, and return t_k - u_i for all pairs.

    The u are eliminated, so that the system has one row for each psf. It is singular, because all
    positions may move together, but that motion cancels in the differences.
    """
    known = np.where(weight > 0, shift, 0.0)
    total = weight.sum(axis=1)
    share = weight / np.where(total > 0, total, 1.0)[:, None]
    normal = np.diag(weight.sum(axis=0)) - weight.T @ share
    moments = np.sum(weight * (known - np.sum(share * known, axis=1)[:, None]), axis=0)
    psf = np.linalg.lstsq(normal, moments, rcond=None)[0]
    science = np.sum(share * (psf - known), axis=1)
    return np.asarray(psf - science[:, None])
