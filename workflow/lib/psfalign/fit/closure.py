"""How well the shifts of all pairs agree with one position for each image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Bools

Floats = NDArray[np.float64]
"""One number for each pair, (integrations, psfs)."""

SUSPICIOUS = 5.0  # sigma
NEGLIGIBLE = 2e-4  # pixels, the least sigma: closer than a thousandth of a pixel nothing is wrong
UNEXPLAINED = 0.05  # pixels, the largest scatter that may excuse a pair; a quarter is wrong anyway
RAYLEIGH_MEDIAN = np.sqrt(2 * np.log(2))  # of a length whose two components have unit sigma
FEWEST = 4  # pairs of each image, for one wrong one to be known by the others
N_REWEIGHTINGS = 20  # beyond one sigma by the inverse distance, which settles in a few


@dataclass(frozen=True)
class Closure:
    """
    What the positions of all images imply for each pair, all (integrations, psfs).

    Attributes
    ----------
    dx, dy
        The shift that the pairs together imply, pixels; NaN for pairs that are not usable, and
        for those of which the others, less the suspicious ones, imply nothing.
    residual
        Distance of a pair's own shift from it, or, where nothing is implied, from what all usable
        pairs would imply; pixels. NaN where nothing can contradict the pair: the only usable one
        of its integration or psf.
    suspicious : bool
        Pairs that contradict the majority by more than five sigma, and are left out of what is
        implied.
    """

    dx: Floats
    dy: Floats
    residual: Floats
    suspicious: Bools

    @property
    def tells_who_is_wrong(self) -> bool:
        """
        Return whether there are so many pairs that the wrong ones are sure to be those left out.

        Each image needs four pairs, of which at most one is suspicious, or a share of that size:
        where two of three are wrong, nothing says which.
        """
        counts, wrong = self.suspicious.shape, self.suspicious
        too_many = any(
            (FEWEST * wrong.sum(axis=axis) > counts[axis]).any() for axis in range(len(counts))
        )
        return min(counts) >= FEWEST and not too_many


def close(dx: Floats, dy: Floats, sigma: Floats, usable: Bools) -> Closure:
    """
    Find the positions that agree best with the shifts of all pairs.

    A shift is psf position minus science position, d_ik = t_k - u_i. The positions t, u that
    fit all pairs best, weighted by 1 / sigma², leave a residual in each, which is noise where all
    fits are right and stands out where one is not.

    Parameters
    ----------
    dx, dy : (integrations, psfs) float64
        Fitted shifts in pixels.
    sigma : (integrations, psfs) float64
        Standard uncertainty of a shift along one axis, pixels.
    usable : (integrations, psfs) bool
        The pairs that may be used.
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
    """Return distances from Huber's estimate, which few wrong pairs do not move, and who is far."""
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

    Without one, nothing says how far their positions are from each other.
    """
    links = trusted.astype(np.float64)
    reached = links.T @ links > 0  # psfs that share an integration
    for _ in range(max(1, len(reached)).bit_length()):
        further = reached.astype(np.float64)
        reached = further @ further > 0
    return np.asarray(links @ reached > 0)


def _implied(shift: Floats, weight: Floats) -> Floats:
    """
    Solve the normal equations of d_ik = t_k - u_i for t_k - u_i.

    The u are eliminated, so that the system is as small as the number of psfs; its null direction,
    all positions together, drops out of the differences.
    """
    known = np.where(weight > 0, shift, 0.0)
    total = weight.sum(axis=1)
    share = weight / np.where(total > 0, total, 1.0)[:, None]
    normal = np.diag(weight.sum(axis=0)) - weight.T @ share
    moments = np.sum(weight * (known - np.sum(share * known, axis=1)[:, None]), axis=0)
    psf = np.linalg.lstsq(normal, moments, rcond=None)[0]
    science = np.sum(share * (psf - known), axis=1)
    return np.asarray(psf - science[:, None])
