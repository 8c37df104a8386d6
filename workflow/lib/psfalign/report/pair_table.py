"""The table of shifts for people: the digits that mean something, as HTML or as text."""

from collections.abc import Sequence

import numpy as np

from .html import Cell, Marked, facts, page, paragraph, table
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


def pair_page(summary: Summary, columns: Columns) -> bytes:
    """Return the page of an exposure: what it was made from, and the shifts of all pairs."""
    origin = facts(
        [
            ("science", summary.science),
            ("psf exposures", ", ".join(summary.psfs)),
            ("mask", f"{summary.psfmask}: {summary.reason}"),
            ("read as", f"{summary.convention or NOTHING} ({summary.decided_by or 'no mask'})"),
            *(("note", note) for note in summary.notes),
            ("options", ", ".join(f"{k}={v}" for k, v in summary.options.items())),
            ("bad pixels replaced", "{} in science, {} in psf planes".format(*summary.replaced)),
            ("software", ", ".join(f"{k} {v}" for k, v in summary.versions.items())),
        ]
    )
    meaning = paragraph(
        "dx, dy: psf position minus science position in pixels, positive towards higher column "
        "and row. beta: psf flux over science flux. closure: distance from the shift that all "
        "pairs together imply. misfit: share of the psf's weighted energy that the fit leaves. "
        "chi2: what it leaves over what the errors let expect. influence: largest move of the "
        "shift where a window of 8 by 8 pixels is left out, not shown where it cannot matter; "
        "beyond 0.04 pixels a shift is doubtful, as it is where the misfit that the errors do not "
        "explain is beyond 0.5."
    )
    rows: list[Sequence[Cell]] = [
        [*row[:-1], Marked(row[-1], "good" if row[-1] == "ok" else "bad")]
        for row in text_rows(columns)
    ]
    return page(summary.exposure, origin, meaning, table("shifts", heads(), rows))
