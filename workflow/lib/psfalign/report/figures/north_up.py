"""Draw the residual around a star, north up and east left, and the limits for faint sources."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...images.arrays import Image
from .images import Panel, choose_ticks
from .style import QUIET, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

HEIGHT, CURVE_HEIGHT = 6.2, 3.4  # inches
NOISES = 5  # the scale is linear up to this multiple of the noise
BELOW = 2  # the scale begins at minus this multiple of the noise
BRIGHTEST = 99.7  # the scale ends at this percentile of the image
BAR_SHARE = 0.25  # largest length of the scale bar, as a share of the width of the image
BARS = (10, 5, 2, 1, 0.5, 0.2)  # arcsec, possible lengths of the scale bar
ARROW = 0.12  # length of an arrow, as a share of the width of the image


class Field(NamedTuple):
    """A square about the star that is drawn, with the scale and the unit of its pixels."""

    scale: float  # arcsec a pixel
    radius: float  # arcsec, from the star to the edges
    unit: str


def choose_field(picture: Image, scale: float, unit: str) -> Field:
    """Return the square about the centre of an image that is not all NaN at its edges."""
    known = np.isfinite(picture)
    middle = (picture.shape[0] - 1) / 2
    rows, columns = (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    ends = [abs(end - middle) for side in (rows, columns) if side.size for end in side[[0, -1]]]
    return Field(scale, scale * (min(ends, default=middle) + 0.5), unit)


def draw_north_up(canvas: Canvas, panels: Sequence[Panel], *, field: Field, title: str) -> None:
    """Draw the last of three images large, and the other two beside it."""
    grid = canvas.add_gridspec(2, 3)
    places = (grid[0, 2], grid[1, 2], grid[:, :2])
    for panel, place in zip(panels, places, strict=True):
        axis = canvas.add_subplot(place)
        shown = _show(axis, panel, field)
        is_main = panel is panels[-1]
        if is_main:
            _draw_compass(axis, field)
            axis.set_xlabel("east of the star (arcsec)")
            axis.set_ylabel("north of the star (arcsec)")
            bar = canvas.colorbar(shown, ax=axis, location="bottom", shrink=0.7, aspect=40)
            bar.set_label(f"{field.unit}, asinh scale")
            bar.set_ticks(choose_ticks(shown.get_clim()[1], NOISES * _noise(panel.image)))
            bar.ax.xaxis.set_major_formatter("{x:.2g}")
            bar.ax.minorticks_off()
        else:
            axis.tick_params(labelsize=6)
    canvas.suptitle(title)


def _show(axis: "Axes", panel: Panel, field: Field) -> "AxesImage":
    from matplotlib.colors import AsinhNorm

    rows, columns = panel.image.shape
    east, north = field.scale * columns / 2, field.scale * rows / 2
    noise = _noise(panel.image)
    top = max(float(np.nanpercentile(panel.image, BRIGHTEST)), NOISES * noise)
    norm = AsinhNorm(linear_width=NOISES * noise or 1.0, vmin=-BELOW * noise, vmax=top)
    shown = axis.imshow(panel.image, norm=norm, extent=(east, -east, -north, north))
    axis.plot(0, 0, "+", color="white", markersize=7, markeredgewidth=0.8)
    axis.set_xlim(field.radius, -field.radius)
    axis.set_ylim(-field.radius, field.radius)
    axis.set_facecolor(QUIET)
    axis.set_title(panel.title)
    return shown


def _noise(image: Image) -> float:
    """Return the standard deviation from the median absolute deviation, robust to sources."""
    return float(1.4826 * np.nanmedian(np.abs(image - np.nanmedian(image))))


def _draw_compass(axis: "Axes", field: Field) -> None:
    """Draw arrows to north and east, and a scale bar in arcseconds."""
    width = 2 * field.radius
    origin, length = (-0.36 * width, -0.44 * width), ARROW * width
    for name, d_east, d_north in (("N", 0, length), ("E", length, 0)):
        tip = origin[0] + d_east, origin[1] + d_north
        axis.annotate("", tip, origin, arrowprops={"arrowstyle": "->", "color": "white"})
        place = origin[0] + 1.25 * d_east, origin[1] + 1.25 * d_north
        axis.text(*place, name, color="white", ha="center", va="center")
    bar = next((bar for bar in BARS if bar <= BAR_SHARE * width), BARS[-1])
    start, level = 0.45 * width, -0.44 * width
    axis.plot([start, start - bar], [level, level], color="white", linewidth=2)
    axis.text(start - bar / 2, level + 0.015 * width, f"{bar:g}″", color="white", ha="center")


def draw_limits(
    canvas: Canvas, limits: Mapping[str, Mapping[str, NDArray[np.float64]]], *, title: str
) -> None:
    """Draw five-sigma limits by separation, a line for each stage of the subtraction."""
    axis = canvas.subplots()
    with_contrast = any(np.isfinite(one["contrast"]).any() for one in limits.values())
    column = "contrast" if with_contrast else "limit"
    for stage, one in limits.items():
        axis.plot(one["separation"], one[column], label=_name(stage))
    axis.set_yscale("log")
    axis.set_xlabel("separation from the star (arcsec)")
    axis.set_ylabel("5 σ contrast" if with_contrast else "5 σ limit of a point source (Jy)")
    axis.legend(ncols=2)
    canvas.suptitle(title)


def _name(stage: str) -> str:
    """Return the text of a stage in the legend."""
    kind, _, number = stage.partition(" ")
    if not number:
        return {"science": "nothing subtracted", "mean": "mean psf"}.get(kind, kind)
    return f"{number} component{'s' if number != '1' else ''}"
