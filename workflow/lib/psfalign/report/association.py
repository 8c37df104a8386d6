"""Step plot_association: draw the combined residual around a star, and the noise."""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..campaign.words import plural
from ..files.digest import sha256
from ..files.fits.structure import text_of
from ..files.north_up import NorthUp, read_limits
from ..files.provenance.records import record_step
from ..files.provenance.table import read_records
from ..files.subtracted import MEAN, SCIENCE
from ..system.atomic_file import publish_bytes
from .figures.images import Panel
from .figures.north_up import CURVE_HEIGHT, HEIGHT, choose_field, draw_limits, draw_north_up
from .figures.notice import NOTICE_HEIGHT, draw_notice
from .figures.style import Draw, draw_png, load_ahead
from .html import digest_looks

__all__ = ["AssociationPages", "load_ahead", "plot_association"]

STEP = "plot_association"


class AssociationPages(NamedTuple):
    """Paths of the two PNG files of an association."""

    picture: Path
    curve: Path


def plot_association(northup: Path, contrast: Path, pages: AssociationPages, *, name: str) -> None:
    """
    Draw the residual around a star, north up, and the noise by separation.

    Parameters
    ----------
    northup, contrast
        The files that combine_rolls wrote.
    pages
        The files to write. The picture records how both were made.
    name
        Name of the association.
    """
    combined = NorthUp(northup)
    with combined:
        largest = max(range(len(combined)), key=lambda n: combined.modes[n])
        rest = combined.read_science(largest)
        panels = [
            Panel("Science", combined.read_before(SCIENCE)),
            Panel("Less the mean psf", combined.read_before(MEAN)),
            Panel(f"Less {_components(combined.modes[largest])} of the psf images", rest),
        ]
    field = choose_field(rest, combined.scale, combined.unit)
    title = _title(combined, name)
    what = f"{title}, {_made_of(combined)}"
    curve, height = _curve(contrast, title, combined.unit)
    content = draw_png(curve, height=height, is_laid_out=False)
    publish_bytes(pages.curve, content)
    inputs = [(contrast.name, sha256(contrast))]  # the table has no records of its own
    record = record_step(STEP, __file__, inputs=inputs, parameters={"style": digest_looks()})
    records = [*read_records(northup, combined.hdus), *record]
    note = json.dumps({"sizes": {pages.curve.name: len(content)}, "provenance": records})
    draw = partial(draw_north_up, panels=panels, field=field, title=what)
    publish_bytes(pages.picture, draw_png(draw, height=HEIGHT, is_laid_out=False, note=note))


def _curve(contrast: Path, title: str, unit: str) -> tuple[Draw, float]:
    """Return what draws the noise, or says why it is not known, and its height in inches."""
    limits = read_limits(contrast)
    if any(np.isfinite(one["limit"]).any() for one in limits.values()):
        title = f"{title}: how faint a source would show"
        return partial(draw_limits, limits=limits, title=title), CURVE_HEIGHT
    text = f"No limit is known in Jy: the pictures are in {unit}, not in MJy/sr"
    return partial(draw_notice, title=title, text=text), NOTICE_HEIGHT


def _title(combined: NorthUp, name: str) -> str:
    """Return the target and the filter, or else the name of the association."""
    words = [text_of(combined.primary, keyword) for keyword in ("TARGPROP", "FILTER")]
    return ", ".join(words) if all(words) else name


def _components(number: int) -> str:
    return f"{number} principal component{'s' if number != 1 else ''}"


def _made_of(combined: NorthUp) -> str:
    exposures, integrations = (combined.primary.get(key, 0) for key in ("NEXPO", "MAXFRAME"))
    return f"{plural(exposures, 'exposure')}, {plural(integrations, 'integration')}"
