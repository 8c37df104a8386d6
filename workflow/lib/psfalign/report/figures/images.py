"""The images of a subtraction side by side, on one scale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...images.arrays import Image
from ...images.circles import Circle
from ...images.subtraction import Subtraction
from .style import BAD, Canvas, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 6.9  # inches, of two rows of panels
WEIGHT_LEVEL = 0.5
EXCLUDED = BAD  # colour of circles without weight
BELOW = 1 / 3  # of the largest value, what the scale shows of negative ones


class Panel(NamedTuple):
    """An image with its title."""

    title: str
    image: Image


def subtraction_panels(s: Subtraction, *, integration: int) -> list[Panel]:
    """Return the panels of a subtraction: above what is subtracted, below what is left."""
    return [
        Panel(f"Science, integration {integration}", s.science),
        Panel("Mean of the aligned psf images", s.psf),
        Panel("Residual without alignment", s.science - s.unaligned),
        Panel("Residual with alignment", s.science - s.psf),
    ]


def height_of(panels: Sequence[Panel]) -> float:
    """Return the height in inches of a figure of some panels, two in a row."""
    return HEIGHT / 2 * ((len(panels) + 1) // 2)


def draw_images(
    canvas: Canvas,
    panels: Sequence[Panel],
    weight: Image,
    *,
    title: str,
    unit: str,
    circles: Sequence[Circle] = (),
) -> None:
    """
    Draw images, two in a row, on one asinh scale, with the contour of half the weight.

    Circles that are excluded from the fit are drawn into all of them.

    The scale is linear within three times the noise of the last panel, and ends at the
    brightest thousandth of the first.
    """
    from matplotlib.colors import AsinhNorm

    top = float(np.nanpercentile(np.abs(panels[0].image), 99.9))
    noise = float(1.4826 * np.nanmedian(np.abs(panels[-1].image)))
    norm = AsinhNorm(linear_width=max(3 * noise, top / 1e4), vmin=-BELOW * top, vmax=top)
    axes = canvas.subplots((len(panels) + 1) // 2, 2, sharex=True, sharey=True, squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=True):
        shown = axis.imshow(panel.image, norm=norm)
        axis.set_title(panel.title)
        draw_weight(axis, weight)
        draw_circles(axis, circles)
    label_pixels(axes)
    bar = canvas.colorbar(shown, ax=axes, shrink=0.7, label=f"{drawn(unit)}, asinh scale")
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()
    canvas.suptitle(drawn(title))


def draw_weight(axis: "Axes", weight: Image) -> None:
    """Draw the contour of half the weight, where there is one."""
    if weight.min() < WEIGHT_LEVEL < weight.max():
        axis.contour(weight, levels=[WEIGHT_LEVEL], colors="white", linewidths=0.7)


def draw_circles(axis: "Axes", circles: Sequence[Circle]) -> None:
    """Draw what is excluded from the fit, within the image that is drawn already."""
    from matplotlib.patches import Circle as Patch

    for circle in circles:
        place, radius = (circle.column, circle.row), circle.radius
        axis.add_patch(Patch(place, radius, fill=False, color=EXCLUDED, linewidth=0.9))


def label_pixels(axes: "np.ndarray") -> None:
    """Label the axes of images that share them."""
    for axis in axes[-1, :]:
        axis.set_xlabel("column (pixels)")
    for axis in axes[:, 0]:
        axis.set_ylabel("row (pixels)")
