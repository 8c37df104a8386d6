"""Which pixels were replaced, what weighted the fit, and what is left at which radius."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...images.arrays import Image
from ...images.circles import Circle
from ...images.subtraction import radial_scatter
from .images import Panel, draw_circles, draw_weight, label_pixels
from .style import BAD, GOOD, QUIET, Canvas, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 6.6  # inches
COLOURS = (QUIET, BAD, GOOD)


@dataclass(frozen=True)
class Checks:
    """
    What to check besides the images.

    Attributes
    ----------
    replaced
        Maps of the share of planes, 0 to 1, in which a pixel's value is not the observed one.
    weight : (rows, columns) float64
        The weight of the fit.
    profiles
        Up to three images whose scatter is drawn against radius.
    circles
        What is excluded from the fit, drawn into the map of the weight.
    """

    replaced: Sequence[Panel]
    weight: Image
    profiles: Sequence[Panel]
    circles: Sequence[Circle] = ()


def draw_checks(canvas: Canvas, checks: Checks, *, title: str, unit: str) -> None:
    """Draw maps of replaced pixels and of the weight, and the scatter by radius."""
    maps, profile = canvas.subfigures(2, 1, height_ratios=(1, 1.15), squeeze=False)[:, 0]
    panels = [*checks.replaced, Panel("Weight of the fit", checks.weight)]
    axes = maps.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=True):
        shown = axis.imshow(panel.image, vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(panel.title)
    draw_weight(axes.flat[-1], checks.weight)
    draw_circles(axes.flat[-1], checks.circles)
    label_pixels(axes)
    maps.colorbar(shown, ax=axes, shrink=0.8, label="share of planes; weight")
    _draw_profiles(profile.subplots(), checks.profiles, unit)
    canvas.suptitle(drawn(title))


def _draw_profiles(axis: "Axes", profiles: Sequence[Panel], unit: str) -> None:
    for panel, colour, style in zip(profiles, COLOURS, (":", "--", "-"), strict=False):
        radius, scatter = radial_scatter(panel.image)
        axis.semilogy(radius, scatter, label=panel.title, color=colour, linestyle=style)
    axis.set(
        title="Scatter by radius",
        xlabel="radius from the middle (pixels)",
        ylabel=f"RMS ({drawn(unit)})",
    )
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend()
