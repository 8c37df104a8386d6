"""Step plot_exposure: write figures, table and summary of the result of an exposure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..files.exposure import Exposure
from ..files.frames import CleanFrames
from ..files.origins import read_origins
from ..files.provenance.records import Records, record_step, software_versions
from ..files.shifts import ShiftTable, say_failures
from ..files.sky import Star
from ..fit.result import Status
from ..images.arrays import Figures, Image
from ..images.dq_flags import FLUX_ESTIMATED
from ..images.frames import choose_frames
from ..images.subtraction import Subtraction, shift_psf, subtract_psfs
from ..psfmask.resolved import ResolvedMask
from ..system.atomic_file import publish_bytes
from .figures import checks, images, shifts, style
from .figures.images import Panel
from .figures.notice import NOTICE_HEIGHT, draw_notice
from .figures.shifts import Gains
from .figures.style import Draw, draw_png
from .figures.view import View
from .html import digest_looks, load_templates
from .pair_table import Shown, pair_page
from .summary import Summary, deserve_a_look, pairs_to_look_at, take_medians, usable_pairs

__all__ = ["Pages", "load_ahead", "plot_exposure"]

STEP = "plot_exposure"
FIGURES = ("images", "shifts", "checks")
OPTIONS = (
    *("align_to", "shifts", "method", "max_shift", "weighting", "background", "padding"),
    "exclude",
)


def load_ahead() -> None:
    """Load what every exposure needs, so that forks of this process find it loaded."""
    load_templates()
    style.load_ahead()


@dataclass(frozen=True)
class Pages:
    """Paths of the summary and the table of an exposure, and of its PNG files if it has any."""

    summary: Path
    table: Path
    images: Path | None = None
    shifts: Path | None = None
    checks: Path | None = None

    @property
    def figures(self) -> dict[str, Path]:
        """Paths of the PNG files by the names of the figures; all or none."""
        paths = {"images": self.images, "shifts": self.shifts, "checks": self.checks}
        return {name: path for name, path in paths.items() if path is not None}

    def sizes(self) -> dict[str, int]:
        """Return the sizes in bytes of all files except the summary, by file name."""
        return {path.name: path.stat().st_size for path in (*self.figures.values(), self.table)}


def plot_exposure(
    science: Path,
    psfs: Path,
    shift_table: Path,
    psfmask: Path,
    pages: Pages,
    *,
    name: str,
    star: Star = "auto",
    figures: Figures = "all",
) -> Summary:
    """
    Draw the result of an exposure, and summarise it.

    The images are those of the first integration with a usable fit.

    Parameters
    ----------
    science, psfs
        The cleaned exposures.
    shift_table, psfmask
        Their table of shifts and their psfmask.json.
    pages
        The files to write.
    name
        Name of the exposure.
    star
        ``auto``, or the column and row of the star, counted from 0.
    figures
        ``all``: draw figures. ``reported``: draw them only if a pair failed, is suspicious or
        doubtful. ``none``: draw none. Figures are written to the files of ``pages`` or, if it has
        none, into the page of the table; then figure files of an earlier run are removed.

    Returns
    -------
    Summary
        The summary that was written.
    """
    table, mask = ShiftTable.read(shift_table), ResolvedMask.read(psfmask)
    exposures = Exposure(science), Exposure(psfs)
    origins = read_origins(exposures[1])
    usable = table.columns["status"] == Status.OK
    integration = int(table.columns["integration"][usable][0]) if usable.any() else None
    subtraction = None
    if integration is not None:
        subtraction = _subtract(exposures, mask, table, integration)
    summary = _sum_up(
        name, exposures, origins, mask, table, subtraction, integration, _record(star, figures)
    )
    pictures: dict[str, bytes] = {}
    if figures == "all" or (figures == "reported" and summary.n_look_at):
        view = View.of(exposures[0], star)
        parts = _draw_all(summary, subtraction, table, origins, exposures, view)
        if subtraction is None and len(table):
            parts |= _draw_failed(name, table, mask, exposures, view)
        pictures = {part: draw_png(draw, height=height) for part, (draw, height) in parts.items()}
    shown = Shown(figures, {n: path.name for n, path in pages.figures.items()}, pictures)
    _publish(pages, pictures, name, pair_page(summary, table.columns, shown))
    summary = replace(summary, sizes=pages.sizes())
    publish_bytes(pages.summary, summary.to_json())
    return summary


def _publish(pages: Pages, pictures: Mapping[str, bytes], name: str, table: bytes) -> None:
    """Write the figures, if they have files of their own, and the page of the table."""
    for part, path in pages.figures.items():
        publish_bytes(path, pictures[part])
    publish_bytes(pages.table, table)
    if not pages.figures:  # figures of an earlier run may be outdated
        for part in FIGURES:
            pages.table.with_name(f"{name}_{part}.png").unlink(missing_ok=True)


def _draw_all(
    summary: Summary,
    subtraction: Subtraction | None,
    table: ShiftTable,
    origins: Sequence[str],
    exposures: tuple[Exposure, Exposure],
    view: View,
) -> dict[str, tuple[Draw, float]]:
    """Return the function that draws each figure, and the height of the figure in inches."""
    name, unit = summary.exposure, exposures[0].unit
    if subtraction is None or summary.integration is None:
        text = "not aligned: the psf mask is N/A"
        if len(table):
            text = f"all {summary.pairs} fits failed: {say_failures(summary.failed)}"
        notice = partial(draw_notice, title=name, text=text), NOTICE_HEIGHT
        return dict.fromkeys(FIGURES, notice)
    psfs = table.columns["psf"][usable_pairs(table.columns, summary.integration)]
    gains = Gains(summary.integration, psfs, subtraction.rms, unit)
    pairs = shifts.Pairs(table.columns, origins, table.columns["suspicious"], gains)
    of_shifts = (partial(shifts.draw_shifts, pairs=pairs, title=name), shifts.height_of(pairs))
    panels = images.subtraction_panels(subtraction, integration=summary.integration)
    circles, weight = table.circles, subtraction.weight
    of_images = partial(
        images.draw_images,
        panels=panels,
        weight=weight,
        title=name,
        unit=unit,
        view=view,
        circles=circles,
    )
    replaced = [
        _replaced(exposure, what)
        for exposure, what in zip(exposures, ("science", "psfs"), strict=True)
    ]
    looked_at = checks.Checks(replaced, weight, [panels[0], *panels[2:]], circles, view)
    of_checks = partial(checks.draw_checks, checks=looked_at, title=name, unit=unit)
    drawn = (of_images, images.HEIGHT), of_shifts, (of_checks, looked_at.height)
    return dict(zip(FIGURES, drawn, strict=True))


def _draw_failed(
    name: str,
    table: ShiftTable,
    mask: ResolvedMask,
    exposures: tuple[Exposure, Exposure],
    view: View,
) -> dict[str, tuple[Draw, float]]:
    """Return what draws the first pair of images that hold something, and its height, if any."""
    status = table.columns["status"]
    rows = np.flatnonzero(~np.isin(status, (Status.BAD_SCIENCE, Status.BAD_PSF)))
    if not rows.size:
        return {}
    integration, psf = (int(table.columns[what][rows[0]]) for what in ("integration", "psf"))
    with CleanFrames(exposures[0]) as frames, exposures[1]:
        science, star = frames[integration].image, exposures[1].read_science(psf)
    peaks = [float(np.percentile(np.abs(np.nan_to_num(image)), 99)) for image in (science, star)]
    if min(peaks) <= 0:
        return {}
    panels = [
        Panel(f"Science, integration {integration}", science),
        Panel(f"Psf image {psf}, scaled: {status[rows[0]]}", star * (peaks[0] / peaks[1])),
    ]
    draw = partial(
        images.draw_images,
        panels=panels,
        weight=table.leave_out(mask.read_weight()),
        title=name,
        unit=exposures[0].unit,
        view=view,
        circles=table.circles,
    )
    return {"images": (draw, images.height_of(panels))}


def _replaced(exposure: Exposure, what: str) -> Panel:
    share = replaced_share(exposure)
    return Panel(f"Replaced in {what}: {share.sum():.0f} pixels", share)


def replaced_share(exposure: Exposure) -> Image:
    """Return the share of planes in which each pixel was replaced, (rows, columns)."""
    with exposure:
        total = np.zeros(exposure.shape[1:])
        for i in range(len(exposure)):
            total += (exposure.read_dq(i) & np.uint32(FLUX_ESTIMATED)) != 0
        return total / len(exposure)


def _sum_up(
    name: str,
    exposures: tuple[Exposure, Exposure],
    origins: Sequence[str],
    mask: ResolvedMask,
    table: ShiftTable,
    subtraction: Subtraction | None,
    integration: int | None,
    record: Records,
) -> Summary:
    return Summary(
        exposure=name,
        science=str(table.meta["science"]),
        psfs=list(dict.fromkeys(origins)),
        shape=[len(exposures[0]), *exposures[1].shape],
        psfmask=mask.file_name,
        reason=mask.reason,
        convention=mask.convention,
        decided_by=mask.decided_by,
        notes=list(mask.notes),
        options={key: table.meta[key] for key in OPTIONS if key in table.meta},
        replaced=[int(e.science.header.get("NREPLACE", 0)) for e in exposures],
        pairs=len(table),
        failed=table.count_failures(),
        suspicious=table.n_suspicious,
        doubtful=table.n_doubtful,
        medians=take_medians(table.columns),
        gain=None if subtraction is None else subtraction.gain,
        integration=integration,
        n_look_at=int(deserve_a_look(table.columns).sum()),
        look_at=pairs_to_look_at(table.columns),
        versions=software_versions(),
        provenance=[*table.records, *record],
    )


def _record(star: Star, figures: Figures) -> Records:
    parameters = {"style": digest_looks(), "star": star, "figures": figures}
    return record_step(STEP, __file__, parameters=parameters)


def _subtract(
    exposures: tuple[Exposure, Exposure], mask: ResolvedMask, table: ShiftTable, integration: int
) -> Subtraction:
    science, psfs = exposures
    with CleanFrames(science) as frames:
        image = choose_frames(frames, table.meta["align_to"])[integration].image
    rows = usable_pairs(table.columns, integration)
    numbers, *shift = (table.columns[name][rows].tolist() for name in ("psf", "dx", "dy"))
    padding, weight = int(table.meta["padding"]), table.leave_out(mask.read_weight())
    with psfs:
        read = map(psfs.read_science, numbers)
        pairs = (
            (psf, shift_psf(psf, -dx, -dy, padding))
            for psf, dx, dy in zip(read, *shift, strict=True)
        )
        return subtract_psfs(image, pairs, weight, table.meta["background"])
