"""Measure the ringing of shifted images at their edges, by padding."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from report import Report

from .pictures import BLUE, GREY, ORANGE, save
from psfalign.files.exposure import Exposure
from psfalign.images.arrays import Image
from psfalign.images.bad_pixels import clean_image
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.padding import pad_image

PADDINGS = (0, 8, 16, 32, 64)
STEP, FLIGHT = Shift(0.5, 0.0), Shift(3.4, -2.6)
SIZE = 96
FLIGHT_IMAGE = "flight/nircam_f444w/jw01184001001_03106_00001_nrcalong_calints.fits"
CUT = np.s_[104:264, 40:200]  # with a bright part of the halo at its edges
ZONES = {"4 outermost": (0, 4), "5th to 16th": (4, 16), "farther in": (16, 48)}


def study(report: Report, data: Path) -> None:
    """Print differences to the shift of a larger image, by distance from the edge."""
    report.say(
        "## Edges",
        "",
        "An image shifted and cut, against the same part of a larger image that was shifted. RMS",
        "difference in rows and columns by their distance from the edge, outside the part that",
        f"came in over the edge. Step: half 0, half 1, shifted by {STEP.dx} pixels; in units of",
        f"the step. Flight: NIRCam, {CUT[0].stop - CUT[0].start} pixels cut from 320, shifted by",
        f"{tuple(FLIGHT)}; over the RMS of the same pixels.",
        "",
    )
    rows = []
    large = np.tile(np.repeat([0.0, 1.0], 3 * SIZE // 2), (4, 1))
    middle = np.s_[:, SIZE : 2 * SIZE]
    rows += _rows("step", large, middle, STEP, relative=False)
    if (data / FLIGHT_IMAGE).exists():
        with Exposure(data / FLIGHT_IMAGE) as exposure:
            image, dq = exposure.read_science(0), exposure.read_dq(0)
        clean = clean_image(image, dq, bad_bits=1).image
        rows += _rows("flight", clean, CUT, FLIGHT, relative=True)
    else:
        report.say("(without flight images: there are none here)", "")
    report.table(("image", "padding", *ZONES), rows)
    _draw(large, middle)


def _rows(
    name: str, large: Image, cut: tuple[slice, slice], shift: Shift, *, relative: bool
) -> list[tuple[str, ...]]:
    expected, rows = shift_image(large, shift)[cut], []
    distance = _distance(expected.shape, shift, whole_rows=name == "step")
    for padding in PADDINGS:
        difference = padded_shift(large[cut], shift, padding) - expected
        cells = []
        for start, stop in ZONES.values():
            zone = (distance >= start) & (distance < stop)
            scale = np.sqrt(np.mean(expected[zone] ** 2)) if relative else 1.0
            cells.append(f"{np.sqrt(np.mean(difference[zone] ** 2)) / scale:.2g}")
        rows.append((name, str(padding), *cells))
    return rows


def padded_shift(image: Image, shift: Shift, padding: int) -> Image:
    """Shift an image with room between its edges."""
    rows, columns = image.shape
    return shift_image(pad_image(image, padding), shift)[:rows, :columns]


def _distance(shape: tuple[int, ...], shift: Shift, *, whole_rows: bool) -> NDArray[np.float64]:
    """Rows or columns to the edge, or to what came in over it; negative beyond."""
    along = []
    for size, d in zip(shape, (shift.dy, shift.dx), strict=True):
        index = np.arange(size)
        along.append(np.minimum(index - max(np.ceil(d), 0), size - 1 + min(np.floor(d), 0) - index))
    return along[1][None] + np.zeros(shape) if whole_rows else np.minimum(*np.ix_(*along))


def _draw(large: Image, middle: tuple[slice, slice]) -> None:
    figure = Figure(figsize=(6, 3.4), dpi=100, layout="constrained")
    axes = figure.subplots()
    expected = shift_image(large, STEP)[middle][0]
    for padding, colour, style in ((0, GREY, ":"), (8, ORANGE, "--"), (32, BLUE, "-")):
        line = padded_shift(large[middle], STEP, padding)[0] - expected
        axes.plot(line, color=colour, linestyle=style, label=f"padding {padding}")
    axes.set(xlabel="column (pixels)", ylabel="difference (steps)", ylim=(-0.12, 0.12))
    axes.set_title("A step shifted by half a pixel: what its edges add")
    axes.legend(frameon=False)
    save(figure, "edges")
