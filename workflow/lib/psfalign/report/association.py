"""Step plot_association: draw the combined residual around a star, and the noise."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files.fits.structure import text_of
from ..files.north_up import NorthUp, read_limits
from ..files.subtracted import MEAN, SCIENCE
from ..system.atomic_file import publish_bytes
from .figures.images import Panel
from .figures.north_up import CURVE_HEIGHT, HEIGHT, choose_field, draw_limits, draw_north_up
from .figures.notice import NOTICE_HEIGHT, draw_notice
from .figures.style import LOADED_LATER, draw_png

__all__ = ["LOADED_LATER", "AssociationPages", "plot_association"]


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
        The files to write.
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
    draw = partial(draw_north_up, panels=panels, field=field, title=what)
    publish_bytes(pages.picture, draw_png(draw, height=HEIGHT, is_laid_out=False))
    limits = read_limits(contrast)
    if not any(np.isfinite(one["limit"]).any() for one in limits.values()):
        text = f"No limit is known in Jy: the pictures are in {combined.unit}, not in MJy/sr"
        notice = partial(draw_notice, title=title, text=text)
        publish_bytes(pages.curve, draw_png(notice, height=NOTICE_HEIGHT, is_laid_out=False))
        return
    curve = partial(draw_limits, limits=limits, title=f"{title}: how faint a source would show")
    publish_bytes(pages.curve, draw_png(curve, height=CURVE_HEIGHT, is_laid_out=False))


def _title(combined: NorthUp, name: str) -> str:
    """Return the target and the filter, or else the name of the association."""
    words = [text_of(combined.primary, keyword) for keyword in ("TARGPROP", "FILTER")]
    return ", ".join(words) if all(words) else name


def _components(number: int) -> str:
    return f"{number} principal component{'s' if number != 1 else ''}"


def _made_of(combined: NorthUp) -> str:
    exposures, integrations = (combined.primary.get(key, 0) for key in ("NEXPO", "MAXFRAME"))
    rolls = f"{exposures} exposure{'s' if exposures != 1 else ''}"
    return f"{rolls}, up to {integrations} integration{'s' if integrations != 1 else ''} a pixel"
