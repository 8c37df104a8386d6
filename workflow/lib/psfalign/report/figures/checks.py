"""Draw the replaced pixels, the weight of the fit, and the scatter of residuals by radius."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...images.arrays import Image
from ...images.circles import Circle, cover
from ...images.subtraction import radial_scatter
from .images import Panel, beside
from .style import BAD, GOOD, QUIET, Canvas, drawn, inside, write_title
from .view import PIXELS, View, draw_circles, draw_weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, PROFILE_HEIGHT = 6.6, 3.5  # inches, with and without maps
SEEN = 100  # a dot of 1/100 of the width of a map can be seen
COLOURS = (QUIET, BAD, GOOD)


@dataclass(frozen=True)
class Checks:
    """
    The data of this figure.

    Attributes
    ----------
    replaced
        Maps of the share of planes, 0 to 1, in which a pixel was replaced.
    weight : (rows, columns) float64
        The weight of the fit.
    profiles
        Up to three images whose scatter is drawn against radius.
    circles
        Circles that are excluded from the fit. They are drawn into the map of the weight, and
        excluded from the scatter.
    view
        The axes of the images.
    """

    replaced: Sequence[Panel]
    weight: Image
    profiles: Sequence[Panel]
    circles: Sequence[Circle] = ()
    view: View = PIXELS

    @property
    def maps(self) -> list[Panel]:
        """The maps that are not constant."""
        panels = [*self.replaced, Panel("Weight of the fit", self.weight)]
        return [panel for panel in panels if np.ptp(panel.image) > 0]

    @property
    def height(self) -> float:
        """Height of the figure in inches."""
        return HEIGHT if self.maps else PROFILE_HEIGHT


def draw_checks(canvas: Canvas, checks: Checks, *, title: str, unit: str) -> None:
    """Draw maps of replaced pixels and of the weight, and the scatter by radius."""
    profile = canvas
    if checks.maps:
        maps, profile = canvas.subfigures(2, 1, height_ratios=(1, 1.15), squeeze=False)[:, 0]
        _draw_maps(maps, checks)
    place = inside(profile, left=0.7, right=0.15, bottom=0.5, top=0.5 - 0.2 * bool(checks.maps))
    _draw_profiles(profile.subplots(gridspec_kw=place), checks, unit)
    write_title(canvas, title)


def _draw_maps(canvas: Canvas, checks: Checks) -> None:
    place = inside(canvas, left=0.7, right=0.95, bottom=0.4, top=0.45)
    grid, n_maps = {**place, "wspace": 0.06}, len(checks.maps)
    axes = canvas.subplots(1, n_maps, sharex=True, sharey=True, squeeze=False, gridspec_kw=grid)
    for axis, panel in zip(axes.flat, checks.maps, strict=True):
        extent = checks.view.extent(panel.image.shape)
        style: dict[str, Any] = {"vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = panel.image if panel.image is checks.weight else _enlarge(panel.image)
        shown = axis.imshow(image, extent=extent, **style)
        axis.set_title(panel.title)
        if panel.image is checks.weight:
            draw_weight(axis, checks.weight, checks.view)
            draw_circles(axis, checks.circles, checks.view)
    checks.view.label(axes)
    canvas.colorbar(shown, cax=beside(canvas, place), label="share of planes; weight")


def _enlarge(image: Image) -> Image:
    """Enlarge single pixels of a large image, so that they can be seen."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(image, size=2 * (max(image.shape) // SEEN // 2) + 1))


def _draw_profiles(axis: "Axes", checks: Checks, unit: str) -> None:
    view, radii = checks.view, checks.view.radii(checks.weight.shape)
    left_out = cover(checks.circles, checks.weight.shape)
    styles = zip(checks.profiles, COLOURS, (":", "--", "-"), (3, 3, 2), strict=False)
    for panel, colour, dashes, order in styles:
        radius, scatter = radial_scatter(np.where(left_out, np.nan, panel.image), radii)
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "zorder": order}
        axis.semilogy(radius, scatter, label=panel.title, **style)
    axis.set(
        title="Scatter by radius" + ", without what is excluded" * bool(checks.circles),
        xlabel=f"radius from {view.origin} ({view.unit})",
        ylabel=f"RMS ({drawn(unit)})",
    )
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend()
