"""What is left of the star in flight exposures, by program and by background."""

from collections.abc import Sequence

import numpy as np

from report import Report

from .flight import RELEASE, Campaign
from psfalign.fit.doubt import Leverages, find_influence
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.gradients import Gradients
from psfalign.fit.integration import FitOptions
from psfalign.fit.pair import Pair
from psfalign.fit.result import PairFit
from psfalign.fit.spectral import Psf, Science, Weighted
from psfalign.images.arrays import Background, Image
from psfalign.images.fourier import Shift, shift_image

HALF = 0.5  # weight from which a pixel counts as seen
BACKGROUNDS: tuple[Background, ...] = ("none", "fit", "plane")
PAIRS = ("exposures", "science", "psf", "not aligned", f"jwst {RELEASE}", "psfalign")
CHOICES = ("exposures", "background", "residual", "misfit", "sigma", "shift of the first pair")
LIMITS = ("exposures", "influence (pixels)", "unexplained", "ERR over median")


def study(report: Report, campaigns: Sequence[Campaign]) -> None:
    """Print residuals of each pair, by background, and how near the limits of doubt are."""
    report.say(
        "## Residuals",
        "",
        "RMS of science − c S(psf, −shift) − its mean in MJy/sr, where the mask is above 0.5, with",
        "the c that makes it least: without a shift, with that of jwst, and with that of psfalign,",
        "each with its defaults, from the same cleaned files.",
        "",
    )
    found = [_fit(campaign, "auto") for campaign in campaigns]
    rows = [row for pair in zip(campaigns, found, strict=True) for row in _pairs(*pair)]
    report.table(PAIRS, rows)
    _study_backgrounds(report, campaigns)
    _study_limits(report, campaigns, found)


def _study_backgrounds(report: Report, campaigns: Sequence[Campaign]) -> None:
    report.say(
        "## Backgrounds",
        "",
        "Residual: as above, mean of all pairs. Misfit: mean share of the psf's energy that the",
        "fit leaves. Sigma: median of all pairs and both axes, in pixels like the shift. `fit` is",
        "a constant.",
        "",
    )
    rows = []
    for campaign in campaigns:
        for background in BACKGROUNDS:
            fits = _fit(campaign, background)
            every = [fit for row in fits for fit in row]
            left = [
                left_over(campaign, i, k, Shift(fit.dx, fit.dy))
                for i, row in enumerate(fits)
                for k, fit in enumerate(row)
            ]
            sigma = np.median([(fit.sigma_dx, fit.sigma_dy) for fit in every])
            misfit = np.mean([fit.misfit for fit in every])
            first = f"{every[0].dx:+.4f}, {every[0].dy:+.4f}"
            cells = (f"{np.mean(left):.5f}", f"{misfit:.4f}", f"{sigma:.4f}", first)
            rows.append((campaign.name, background, *cells))
    report.table(CHOICES, rows)


def _study_limits(
    report: Report, campaigns: Sequence[Campaign], found: Sequence[list[list[PairFit]]]
) -> None:
    report.say(
        "## Limits",
        "",
        "The largest of all pairs, with the defaults: influence; share of the psf's energy that",
        "neither the fit nor noise explains. And the largest ERR of a good pixel over the median",
        "of its plane, before cleaning.",
        "",
    )
    rows = []
    for campaign, fits in zip(campaigns, found, strict=True):
        every = [fit for row in fits for fit in row]
        judged = _judge(campaign, fits)
        unexplained = max(fit.misfit * (1 - 1 / fit.chi2) for fit in every)
        cells = [f"{value:.4f}" for value in (np.nanmax(judged), unexplained)]
        rows.append((campaign.name, *cells, f"{campaign.largest_error:.1f}"))
    report.table(LIMITS, rows)


def _judge(campaign: Campaign, fits: list[list[PairFit]]) -> list[float]:
    """Return the influence of all pairs, also where no bound is above the limit."""
    weighted = Weighted(campaign.weight, FitOptions().fitted_background)
    psfs = [Psf.of(psf.image, weighted) for psf in campaign.psfs]
    judged = []
    for frame, row in zip(campaign.science, fits, strict=True):
        science = Science.of(frame.image, weighted)
        leverages = Leverages(Gradients(science.source, weighted))
        for psf, fit in zip(psfs, row, strict=True):
            judged.append(find_influence(fit, Pair(science, psf, weighted), leverages))
    return judged


def _fit(campaign: Campaign, background: str) -> list[list[PairFit]]:
    options = FitOptions(background=background)  # type: ignore[arg-type]
    return [*fit_shifts(campaign.science, campaign.psfs, campaign.weight, options=options)]


def _pairs(campaign: Campaign, fits: list[list[PairFit]]) -> list[tuple[str, ...]]:
    rows = []
    for i, k in np.ndindex(campaign.theirs.shape[:2]):
        ours, theirs = Shift(fits[i][k].dx, fits[i][k].dy), Shift(*campaign.theirs[i, k, :2])
        left = [left_over(campaign, i, k, shift) for shift in (Shift(0.0, 0.0), theirs, ours)]
        names = campaign.sciences[i], campaign.stars[k]
        rows.append((campaign.name, *names, *(f"{rms:.5f}" for rms in left)))
    return rows


def left_over(campaign: Campaign, integration: int, psf: int, shift: Shift) -> float:
    """Return the RMS of what the psf image, moved by minus a shift, leaves of the science image."""
    seen = campaign.weight > HALF
    moved = shift_image(campaign.psfs[psf].image, Shift(-shift.dx, -shift.dy))
    science, star = (
        _centred(image[seen]) for image in (campaign.science[integration].image, moved)
    )
    return float(np.std(science - np.vdot(science, star) / np.vdot(star, star) * star))


def _centred(values: Image) -> Image:
    return values - values.mean()
