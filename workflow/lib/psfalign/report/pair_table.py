"""Format the table of shifts for people, with significant digits, as HTML or as text."""

from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..images.arrays import Figures
from .html import Cell, Row, Table, render
from .summary import Columns, Summary, status_words

# Column: (heading, format). Shifts are accurate to a few 1e-4 pixels, uncertainties to 10 %.
SHOWN = {
    "integration": ("integration", "d"),
    "psf": ("psf", "d"),
    "dx": ("dx (pix)", ".4f"),
    "dy": ("dy (pix)", ".4f"),
    "beta": ("beta", ".5f"),
    "sigma_dx": ("sigma_dx (pix)", ".5f"),
    "sigma_dy": ("sigma_dy (pix)", ".5f"),
    "sigma_beta": ("sigma_beta", ".5f"),
    "misfit": ("misfit", ".4f"),
    "chi2": ("chi2", ".3g"),
    "closure": ("closure (pix)", ".5f"),
    "influence": ("influence (pix)", ".4f"),
}
NOTHING = "–"
UNDRAWN = {
    "reported": "No pair failed, is suspicious or doubtful; no figure drawn (figures: reported).",
    "none": "No figure drawn (figures: none).",
}


class Shown(NamedTuple):
    """
    The figures of an exposure.

    Attributes
    ----------
    choice
        The option ``figures``: of which exposures figures are drawn.
    files
        File names by the names of the figures; if there are none, the page contains the figures.
    pictures
        The figures as PNG, by name.
    """

    choice: Figures
    files: Mapping[str, str]
    pictures: Mapping[str, bytes]

    @property
    def embedded(self) -> dict[str, str]:
        """The figures that the page contains, in base64; of equal figures only the last."""
        content = {png: name for name, png in self.pictures.items() if not self.files}
        return {name: b64encode(png).decode("ascii") for png, name in content.items()}

    @property
    def remark(self) -> str:
        """The reason why there are no figures; empty if there are some."""
        return "" if self.pictures else UNDRAWN.get(self.choice, "")


def heads() -> list[str]:
    """Return the headings of the columns."""
    return [*(head for head, _ in SHOWN.values()), "status"]


def text_rows(columns: Columns) -> list[list[str]]:
    """Return the rows as text, with the status in the last column."""
    shown = [
        [format(value, spec) if np.isfinite(value) else NOTHING for value in columns[name].tolist()]
        for name, (_, spec) in SHOWN.items()
    ]
    return [list(row) for row in zip(*shown, status_words(columns), strict=True)]


def as_text(columns: Columns) -> str:
    """Return the table as text, with right-aligned columns."""
    rows = [heads(), *text_rows(columns)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def pair_page(summary: Summary, columns: Columns, shown: Shown) -> bytes:
    """
    Return the page of an exposure as HTML: its origin, its figures, and the shifts of all pairs.

    Parameters
    ----------
    summary, columns
        The summary of the exposure, and the columns of its table of shifts.
    shown
        The figures of the exposure.
    """
    origin = [
        ("science", summary.science),
        ("psf exposures", ", ".join(summary.psfs)),
        ("mask", f"{summary.psfmask}: {summary.reason}"),
        ("read as", f"{summary.convention or NOTHING} ({summary.decided_by or 'no mask'})"),
        *(("note", note) for note in summary.notes),
        # Circles are shown as a configuration has them, without the quotes of Python.
        ("options", ", ".join(f"{k}={v}".replace("'", "") for k, v in summary.options.items())),
        ("bad pixels replaced", "{} in science, {} in psf planes".format(*summary.replaced)),
        ("software", ", ".join(f"{k} {v}" for k, v in summary.versions.items())),
    ]
    rows: list[Row] = [
        [*row[:-1], Cell(row[-1], "good" if row[-1] == "ok" else "bad")]
        for row in text_rows(columns)
    ]
    return render(
        "exposure.html",
        title=summary.exposure,
        pages=shown.files,
        pictures=shown.embedded,
        remark=shown.remark,
        origin=origin,
        shifts=Table("shifts", heads(), rows),
    )
