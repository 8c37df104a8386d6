"""plot_exposure: the picture of an exposure's result."""

import io
from pathlib import Path

import numpy as np

from ..files.clean import read_frames
from ..files.exposure import Exposure
from ..files.resolved import ResolvedMask
from ..files.shifts import ShiftTable
from ..fit.result import Status
from ..fourier import Shift, shift_image
from ..picture import Subtraction, draw, draw_nothing, mean_psf
from ..publish import publish_bytes
from .fit import choose_frames


def plot_exposure(science: Path, psfs: Path, shifts: Path, psfmask: Path, output: Path) -> None:
    """
    Draw science, psf, residuals and shifts of the first integration that has usable fits.

    Parameters
    ----------
    science, psfs
        Cleaned exposures.
    shifts, psfmask
        Their table of shifts and resolved mask.
    output
        The picture, PNG.
    """
    table, mask = ShiftTable.read(shifts), ResolvedMask.read(psfmask)
    title = output.stem
    usable = table.columns["status"] == Status.OK
    if not usable.any():
        reason = f"{table.n_failed} fits failed" if mask.applies else "not aligned: psfmask N/A"
        figure = draw_nothing(title=title, reason=reason)
    else:
        columns = {name: column[usable] for name, column in table.columns.items()}
        integration = int(columns["integration"][0])
        subtraction = _subtract(science, psfs, mask, table, integration)
        unit = str(Exposure(science).science.header.get("BUNIT", "")).strip() or "unit of the file"
        figure = draw(subtraction, columns, integration=integration, title=title, unit=unit)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    publish_bytes(output, buffer.getvalue())


def _subtract(
    science: Path, psfs: Path, mask: ResolvedMask, table: ShiftTable, integration: int
) -> Subtraction:
    frames = choose_frames(read_frames(science), table.meta["align_to"])
    image = next(frame.image for i, frame in enumerate(frames) if i == integration)
    rows = (table.columns["integration"] == integration) & (table.columns["status"] == Status.OK)
    columns = {name: table.columns[name][rows] for name in ("psf", "dx", "dy", "beta")}
    images = [frame.image for frame in read_frames(psfs)]
    chosen = [images[psf] for psf in columns["psf"]]
    aligned = [
        shift_image(psf, Shift(-dx, -dy))
        for psf, dx, dy in zip(chosen, columns["dx"], columns["dy"], strict=True)
    ]
    before, after = (mean_psf(np.array(cube), columns["beta"]) for cube in (chosen, aligned))
    return Subtraction(image, after, before, mask.read_weight())
