"""The table of shifts for people: the digits that mean something, as HTML or as text."""

from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..images.arrays import Figures
from .html import Cell, Row, Table, render
from .summary import Columns, Summary, status_words

# Column: (heading, format). Shifts are good to a few 1e-4 pixels, their uncertainties to 10 %.
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
        Of which exposures figures are drawn.
    files
        Names of the files that hold them, by the names of the figures; without any, the page does.
    pictures
        Their content as PNG.
    """

    choice: Figures
    files: Mapping[str, str]
    pictures: Mapping[str, bytes]

    @property
    def embedded(self) -> dict[str, str]:
        """The content of those that the page holds; figures with the same content count once."""
        content = {png: name for name, png in self.pictures.items() if not self.files}
        return {name: b64encode(png).decode("ascii") for png, name in content.items()}

    @property
    def remark(self) -> str:
        """Why there is none; empty where there are some."""
        return "" if self.pictures else UNDRAWN.get(self.choice, "")


def heads() -> list[str]:
    """Return the headings of the columns."""
    return [*(head for head, _ in SHOWN.values()), "status"]


def text_rows(columns: Columns) -> list[list[str]]:
    """Return the rows as text, the status last."""
    shown = [
        [format(value, spec) if np.isfinite(value) else NOTHING for value in columns[name].tolist()]
        for name, (_, spec) in SHOWN.items()
    ]
    return [list(row) for row in zip(*shown, status_words(columns), strict=True)]


def as_text(columns: Columns) -> str:
    """Return the table in lines, its columns aligned to the right."""
    rows = [heads(), *text_rows(columns)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def pair_page(summary: Summary, columns: Columns, shown: Shown) -> bytes:
    """
    Return the page of an exposure: what it was made from, and the shifts of all pairs.

    Parameters
    ----------
    summary, columns
        Of the exposure, and its table of shifts.
    shown
        Its figures.
    """
    origin = [
        ("science", summary.science),
        ("psf exposures", ", ".join(summary.psfs)),
        ("mask", f"{summary.psfmask}: {summary.reason}"),
        ("read as", f"{summary.convention or NOTHING} ({summary.decided_by or 'no mask'})"),
        *(("note", note) for note in summary.notes),
        ("options", ", ".join(f"{k}={v}" for k, v in summary.options.items())),
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
