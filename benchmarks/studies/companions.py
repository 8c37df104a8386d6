"""Put companions into flight exposures, and see which of those that move a shift are noticed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import j1

from report import Report

from .flight import Campaign
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import PairFit, Status
from psfalign.images.arrays import Image

SEPARATIONS = (2.0, 3.0, 4.5, 7.0, 12.0)  # widths of a point source
ANGLES = range(17, 360, 60)  # degrees
FLUXES = (0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 10.0)  # of the brightest pixel that is seen
MOVES = (0.04, 0.06, 0.1)  # pixels
LITTLE = 0.02  # pixels
HALF = 0.5  # weight from which a pixel counts as seen
HALF_MAXIMUM = 1.6163  # where (2 J1(x) / x)² is a half
COLUMNS = ("exposures", "moved by", "shifts", "not doubtful", "largest move of these (pixels)")


@dataclass(frozen=True)
class Moved:
    """How far a companion moved a shift that may be used, in pixels, and what was said of it."""

    move: float
    doubtful: bool


def study(report: Report, campaigns: Sequence[Campaign]) -> None:
    """Print how many moves go unnoticed."""
    report.say(
        "## Companions",
        "",
        "A diffraction pattern of a round aperture is added to the first science image, at",
        f"{', '.join(f'{s:g}' for s in SEPARATIONS)} of its widths from the star, in {len(ANGLES)}",
        f"directions, {', '.join(f'{f:g}' for f in FLUXES)} times as bright as the brightest pixel",
        "that is seen. Of the fits that are `ok`: how far shifts move from those without a",
        "companion.",
        "",
    )
    rows: list[tuple[str, ...]] = []
    for campaign in campaigns:
        moved = _put_in(campaign)
        little = [one for one in moved if one.move < LITTLE]
        groups = {f"less than {LITTLE:g}": little} | {
            f"more than {least:g}": [one for one in moved if one.move > least] for least in MOVES
        }
        for label, group in groups.items():
            hidden = [one.move for one in group if not one.doubtful]
            largest = f"{max(hidden, default=0.0):.3f}"
            rows.append((campaign.name, label, str(len(group)), str(len(hidden)), largest))
    report.table(COLUMNS, rows)


def _put_in(campaign: Campaign) -> list[Moved]:
    science, (column, row) = campaign.science[0], campaign.stars_at[0]
    peak = np.abs(science.image[campaign.weight > HALF]).max()
    alone, found = _fit(campaign, science.image), []
    for separation in SEPARATIONS:
        for angle in np.deg2rad(ANGLES):
            away = separation * campaign.fwhm * np.array([np.cos(angle), np.sin(angle)])
            shape = science.image.shape
            pattern = point(shape, column + away[0], row + away[1], fwhm=campaign.fwhm)
            for flux in FLUXES:
                fits = _fit(campaign, science.image + flux * peak * pattern)
                found += [
                    Moved(float(np.hypot(fit.dx - one.dx, fit.dy - one.dy)), fit.doubtful)
                    for fit, one in zip(fits, alone, strict=True)
                    if fit.status is Status.OK
                ]
    return found


def _fit(campaign: Campaign, image: Image) -> list[PairFit]:
    frame = replace(campaign.science[0], image=image)
    return next(fit_shifts([frame], campaign.psfs, campaign.weight, options=FitOptions()))


def point(shape: tuple[int, ...], column: float, row: float, *, fwhm: float) -> Image:
    """Return the diffraction pattern of a round aperture, 1 at its peak (Airy 1835)."""
    rows, columns = np.indices(shape)
    x = 2 * HALF_MAXIMUM / fwhm * np.hypot(columns - column, rows - row)
    x = np.maximum(x, 1e-9)
    return np.asarray((2 * j1(x) / x) ** 2)
