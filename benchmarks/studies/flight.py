"""Fit flight exposures in all ways, and compare with jwst on the same cleaned files."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cases import Case, folder_cases
from report import Report
from runs import align, run_peer

from .pictures import BLUE, GREEN, GREY, ORANGE, save
from .robustness import rejecting
from psfalign.files.exposure import Exposure
from psfalign.files.frames import CleanFrames
from psfalign.files.sky import Sky, read_fwhm, read_star
from psfalign.fit.closure import Closure, close
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import PairFit
from psfalign.images.arrays import Image
from psfalign.images.dq_flags import DO_NOT_USE
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.frames import Frame
from psfalign.images.mask_weight import weigh
from psfalign.images.subtraction import weighted_rms
from psfalign.psfmask.file import read_mask

RELEASE = "1.15.1"
WEIGHTINGS = ("mask", "mask+dq", "inverse_variance")
JWST, REJECTING = f"jwst {RELEASE}", "mask, rejecting once"
STYLES = {"mask": (GREY, "o"), "mask+dq": (BLUE, "s"), "inverse_variance": (ORANGE, "^")}
COLUMNS = ("exposures", "fit", "residual", "shift of the first pair", "sigma", "bias", "from mask")

NUMBERS = ("dx", "dy", "beta", "sigma_dx", "sigma_dy", "dx_bias", "dy_bias")
N_KNOWN = 3  # of them, those that jwst gives
Fits = NDArray[np.float64]  # (integrations, psfs, NUMBERS)


@dataclass(frozen=True)
class Campaign:
    """
    Cleaned science images, psf images and their mask; and what jwst fits to them.

    Attributes
    ----------
    name, sciences, stars
        Of the exposures, for tables.
    science, psfs
        The images.
    weight : (rows, columns) float64
        The mask.
    theirs : (integrations, psfs, NUMBERS)
        Shifts and flux ratios of jwst.
    stars_at
        Column and row of the star in each science image.
    fwhm
        Width of a point source, pixels.
    largest_error
        The largest ERR of a good pixel before cleaning, over the median of those of its plane.
    """

    name: str
    sciences: list[str]
    stars: list[str]
    science: list[Frame]
    psfs: list[Frame]
    weight: Image
    theirs: Fits
    stars_at: list[tuple[float, float]]
    fwhm: float
    largest_error: float


def study(report: Report, seen: Sequence[Campaign]) -> None:
    """Print the table and draw the shifts."""
    report.say(
        "## Fits",
        "",
        "Residual: RMS of psf − beta S(science, shift) under the mask over that of the psf, mean",
        "of all pairs; with `background: fit` the constant is taken off. Sigma: median of all",
        "pairs and both axes. Bias: largest dx_bias or dy_bias. From mask: largest difference of",
        "a shift along an axis to the line `mask`. All in pixels. The table of closure follows.",
        "",
    )
    rows, closures, found = [], [], {}
    for campaign in seen:
        results = all_fits(campaign)
        found[campaign.name] = results
        rows += [_row(campaign, name, fits, results["mask"]) for name, fits in results.items()]
        closures += [_closure(campaign, name, fits) for name, fits in results.items()]
    report.table(COLUMNS, rows)
    report.say("Closure in pixels, of the exposures of one campaign; one integration has none.", "")
    head = ("exposures", "fit", "median closure", "largest", "suspicious pairs")
    report.table(head, [row for row in closures if row])
    _draw(found)


def campaigns(flight: Path, folder: Path) -> list[Campaign]:
    """Clean the exposures of each mask, and let jwst fit them."""
    made = []
    by_mask = itertools.groupby(folder_cases(flight), key=lambda case: case.psfmask)
    for mask, group in by_mask:
        cases = list(group)
        science, theirs, psfs, names = [], [], [], []
        for case in cases:
            names.append(_name(case.science))
            steps = align(case, folder / case.science.stem)
            science += _frames(steps.science)
            psfs = _frames(steps.psfs)
            theirs.append(_jwst(case, steps.science, steps.psfs, folder / case.science.stem))
        stars = [_name(path) for path in case.psfs]
        files = [*{path for case in cases for path in (case.science, *case.psfs)}]
        exposures = [Exposure(case.science) for case in cases]
        made.append(
            Campaign(
                name=mask.parent.name,
                sciences=names,
                stars=stars,
                science=science,
                psfs=psfs,
                weight=weigh(read_mask(mask)).image,
                theirs=np.concatenate(theirs),
                stars_at=[read_star(exposure) for exposure in exposures],
                fwhm=read_fwhm(exposures[0]) / Sky.of(exposures[0]).scale,
                largest_error=max(map(_largest_error, files)),
            )
        )
    return made


def _name(path: Path) -> str:
    """Return what tells an exposure from others of its program."""
    visit, _, number, *_ = path.name.split("_")
    return f"{visit} {number}"


def _largest_error(path: Path) -> float:
    """Return the largest known error of a good pixel over the median of those of its plane."""
    ratios = []
    with fits.open(path, memmap=False) as hdus:
        for image, error, flags in zip(*(hdus[n].data for n in ("SCI", "ERR", "DQ")), strict=True):
            good = np.isfinite(image) & (flags & DO_NOT_USE == 0) & np.isfinite(error) & (error > 0)
            ratios.append(float(error[good].max() / np.median(error[good])))
    return max(ratios)


def _frames(path: Path) -> list[Frame]:
    with CleanFrames(Exposure(path)) as frames:
        return list(frames)


def _jwst(case: Case, science: Path, psfs: Path, folder: Path) -> Fits:
    output = folder / "jwst.fits"
    arguments = (science, psfs, case.psfmask, output, "cleaned")
    run_peer(RELEASE, "align_refs", *arguments, folder=folder)
    shifts = np.load(output.with_suffix(".npy"))
    unknown = np.full((*shifts.shape[:2], len(NUMBERS) - N_KNOWN), np.nan)
    return np.concatenate([shifts, unknown], axis=-1)


def all_fits(campaign: Campaign) -> dict[str, Fits]:
    """Fit in all ways."""
    results = {}
    for weighting in WEIGHTINGS:
        for background in ("none", "fit"):
            options = FitOptions(weighting=weighting, background=background)
            fits = fit_shifts(campaign.science, campaign.psfs, campaign.weight, options=options)
            suffix = ", background" if background == "fit" else ""
            results[weighting + suffix] = _numbers(list(fits))
    rejected = [[rejecting(s, p, campaign.weight) for p in campaign.psfs] for s in campaign.science]
    results[REJECTING] = _numbers(rejected)
    results[JWST] = campaign.theirs
    unaligned = np.zeros_like(campaign.theirs)
    for i, k in np.ndindex(unaligned.shape[:2]):
        science, psf = (f.image * campaign.weight for f in (campaign.science[i], campaign.psfs[k]))
        unaligned[i, k, 2] = np.vdot(science, psf) / np.vdot(science, science)
    return {**results, "not aligned": unaligned}


def _numbers(fits: list[list[PairFit]]) -> Fits:
    bad = [fit.status for row in fits for fit in row if fit.status != "ok"]
    if bad:
        raise RuntimeError(f"fits failed: {bad}")
    return np.array([[[getattr(fit, name) for name in NUMBERS] for fit in row] for row in fits])


def residual(campaign: Campaign, name: str, fits: Fits) -> float:
    """Return the mean of the relative residuals of all pairs, under the mask."""
    weight, ratios = campaign.weight, []
    for i, k in np.ndindex(fits.shape[:2]):
        dx, dy, beta = fits[i, k, :3]
        psf = campaign.psfs[k].image
        left = psf - beta * shift_image(campaign.science[i].image, Shift(dx, dy))
        if "background" in name:
            left -= np.average(left, weights=weight**2)
        ratios.append(weighted_rms(left, weight) / weighted_rms(psf, weight))
    return float(np.mean(ratios))


def _row(campaign: Campaign, name: str, fits: Fits, mask: Fits) -> tuple[str, ...]:
    dx, dy, _, sigma_dx, sigma_dy = fits[0, 0, :5]
    known = np.isfinite(sigma_dx) and sigma_dx > 0
    first = f"{dx:+.4f} ± {sigma_dx:.4f}, {dy:+.4f} ± {sigma_dy:.4f}"
    first = first if known else f"{dx:+.4f}, {dy:+.4f}"
    sigma = f"{np.median(fits[..., 3:5]):.4f}" if known else "–"
    largest = np.abs(fits[..., 5:]).max()
    bias = f"{largest:.1g}" if np.isfinite(largest) else "not known" if known else "–"
    difference = f"{np.abs(fits - mask)[..., :2].max():.2g}" if name != "mask" else "–"
    return (
        campaign.name,
        name,
        f"{residual(campaign, name, fits):.4f}",
        first,
        sigma,
        bias,
        difference,
    )


def _closure(campaign: Campaign, name: str, fits: Fits) -> tuple[str, ...] | None:
    if len(fits) < 2 or not fits[0, 0, 3] > 0:
        return None
    dx, dy, _, sigma_dx, sigma_dy = np.moveaxis(fits[..., :5], -1, 0)
    sigma = np.hypot(sigma_dx, sigma_dy) / np.sqrt(2)
    closed: Closure = close(dx, dy, sigma, np.ones(sigma.shape, dtype=bool))
    median, largest = np.median(closed.residual), closed.residual.max()
    suspicious = f"{closed.suspicious.sum()} of {closed.suspicious.size}"
    return campaign.name, name, f"{median:.4f}", f"{largest:.4f}", suspicious


def _draw(found: dict[str, dict[str, Fits]]) -> None:
    """Show how far shifts along columns are from those of the mask, with error bars."""
    figure = Figure(figsize=(8, 3.6), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (name, results) in zip(panels, found.items(), strict=True):
        middle = results["mask"][..., 0].ravel()
        pairs = np.arange(len(middle))
        for offset, (kind, (colour, marker)) in enumerate(STYLES.items()):
            dx, sigma = (results[kind][..., i].ravel() for i in (0, 3))
            place = pairs + 0.18 * (offset - 1)
            style = {"color": colour, "marker": marker, "markersize": 4, "linestyle": "none"}
            axes.errorbar(place, dx - middle, sigma, label=kind, linewidth=1, **style)
        theirs = results[JWST][..., 0].ravel() - middle
        axes.plot(pairs, theirs, "x", color=GREEN, label=JWST)
        axes.axhline(0, color=GREY, linewidth=0.5)
        axes.set(title=name, xlabel="pair of science and psf", xticks=pairs)
    panels[0].set_ylabel("dx minus that of mask (pixels)")
    panels[-1].legend(frameon=False, fontsize=8)
    save(figure, "flight")
