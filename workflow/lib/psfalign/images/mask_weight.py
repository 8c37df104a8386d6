"""Convert the pixels of a PSFMASK file to the weight of the fit."""

from dataclasses import dataclass

import numpy as np

from ..errors import MaskError
from .arrays import Convention, Image

HALF = 0.5
OVERSHOOT = 1e-3  # tolerated distance from [0, 1]; real masks exceed it by up to 1e-4
MOSTLY = 0.6  # at least this share of pixels above 0.5: 1 means use; real masks have 0.69-0.97
SELDOM = 0.4  # at most this share of pixels above 0.5: 1 means masked out
LEAST_WEIGHT = 0.001  # smallest accepted mean weight
SET_CONVENTION = "set psfmask.convention to weight (1 = use) or exclude (1 = masked out)"


@dataclass(frozen=True)
class Weight:
    """
    The weight of a mask.

    Attributes
    ----------
    image : (rows, columns) float64
        Between 0 (leave out) and 1.
    convention
        How the mask was read: ``weight`` (1 = use) or ``exclude`` (1 = masked out).
    share
        Share of the pixels of the mask that are above 0.5.
    """

    image: Image
    convention: Convention
    share: float


def weigh(
    mask: Image, *, convention: str = "auto", occulter: tuple[float, float] | None = None
) -> Weight:
    """
    Return the weight that a mask stands for.

    According to the documentation of PSFMASK files, 1 means masked out; in all known files, 1
    means use. ``auto`` decides by the share of pixels above 0.5, and then checks the result: the
    occulter must not lie in an isolated area of full weight.

    Parameters
    ----------
    mask : (rows, columns) float64
    convention
        ``weight``, ``exclude`` or ``auto``.
    occulter
        Column and row of the occulter, counted from 0, if they are known.

    Raises
    ------
    MaskError
        If values are not in [0, 1], if ``auto`` cannot decide, or if hardly any pixel has weight.
    """
    _check_values(mask)
    share = float(np.mean(mask > HALF))
    chosen = _decide(share) if convention == "auto" else convention
    clipped = np.clip(mask, 0.0, 1.0)
    image = clipped if chosen == "weight" else 1.0 - clipped
    if image.mean() < LEAST_WEIGHT or (convention == "auto" and not mask.any()):
        problem = f"read as {chosen}, the mask leaves hardly any pixel (all are {_range(mask)})"
        raise MaskError(problem, remedy=f"name another mask, or {SET_CONVENTION}")
    if convention == "auto":
        _check_occulter(image, occulter, chosen)
    return Weight(image, "weight" if chosen == "weight" else "exclude", share)


def _check_values(mask: Image) -> None:
    if not np.isfinite(mask).all():
        n_bad = int(np.count_nonzero(~np.isfinite(mask)))
        raise MaskError(f"{n_bad} pixels are not finite", remedy="name another mask")
    if mask.min() < -OVERSHOOT or mask.max() > 1 + OVERSHOOT:
        raise MaskError(f"values are {_range(mask)}, outside [0, 1]", remedy="name another mask")


def _decide(share: float) -> str:
    if SELDOM < share < MOSTLY:
        problem = f"{share:.0%} of the pixels are above 0.5, which tells neither convention"
        raise MaskError(problem, keyword="psfmask.convention", value="auto", remedy=SET_CONVENTION)
    return "weight" if share >= MOSTLY else "exclude"


def _check_occulter(image: Image, occulter: tuple[float, float] | None, chosen: str) -> None:
    """Raise `MaskError` if the centre or the occulter lies in a small isolated area of weight."""
    rows, columns = image.shape
    places = [
        (int(row), int(column))
        for column, row in filter(None, ((columns / 2, rows / 2), occulter))
        if 0 <= row < rows and 0 <= column < columns and image[int(row), int(column)] > HALF
    ]
    if not places:
        return
    from scipy.ndimage import label  # slow to import, and seldom needed

    regions, _ = label(image > HALF)
    sizes = np.bincount(regions.ravel())[1:]
    for place in places:
        if sizes[regions[place] - 1] < HALF * sizes.sum():
            problem = f"read as {chosen}, the weight is full behind the occulter"
            raise MaskError(
                problem, keyword="psfmask.convention", value="auto", remedy=SET_CONVENTION
            )


def _range(mask: Image) -> str:
    return f"{mask.min():g} to {mask.max():g}"
