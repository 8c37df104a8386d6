"""Draw the images of a subtraction side by side, on one scale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...images.arrays import Image
from ...images.circles import Circle, cover
from ...images.subtraction import Subtraction, weighted_rms
from .style import Canvas, Place, drawn, inside, write_title
from .view import PIXELS, View, draw_circles, draw_star, draw_weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 6.9  # inches, for two rows of panels
BELOW = 1 / 3  # the scale begins at minus this share of its largest value


class Panel(NamedTuple):
    """An image with its title."""

    title: str
    image: Image


def subtraction_panels(s: Subtraction, *, integration: int) -> list[Panel]:
    """Return the panels of a subtraction: science and psf above, the two residuals below."""
    before, after = (weighted_rms(image, s.weight) for image in (s.unaligned, s.aligned))
    psfs = (
        "The aligned psf image" if len(s.rms) == 1 else f"Mean of {len(s.rms)} aligned psf images"
    )
    return [
        Panel(f"Science, integration {integration}", s.science),
        Panel(f"{psfs} at its best flux", s.psf),
        Panel(f"Residual without alignment, RMS {before:.3g}", s.unaligned),
        Panel(f"Residual with alignment, RMS {after:.3g}", s.aligned),
    ]


def height_of(panels: Sequence[Panel]) -> float:
    """Return the height in inches of a figure with two panels in a row."""
    return HEIGHT / 2 * ((len(panels) + 1) // 2)


def draw_images(
    canvas: Canvas,
    panels: Sequence[Panel],
    weight: Image,
    *,
    title: str,
    unit: str,
    view: View = PIXELS,
    circles: Sequence[Circle] = (),
) -> None:
    """
    Draw images, two in a row, on one asinh scale, with the contour of half the weight.

    Circles that are excluded from the fit are drawn into all images. If the view has a position of
    the star, the first image shows it, with the directions of north and east.
    """
    from matplotlib.colors import AsinhNorm

    top, linear = choose_scale(panels, circles)
    norm = AsinhNorm(linear_width=linear, vmin=-BELOW * top, vmax=top)
    rows = (len(panels) + 1) // 2
    place = inside(canvas, left=0.7, right=1.2, bottom=0.45, top=0.5)
    grid = {**place, "wspace": 0.08, "hspace": 0.14}
    axes = canvas.subplots(rows, 2, sharex=True, sharey=True, squeeze=False, gridspec_kw=grid)
    for axis, panel in zip(axes.flat, panels, strict=True):
        shown = axis.imshow(panel.image, norm=norm, extent=view.extent(panel.image.shape))
        axis.set_title(panel.title)
        draw_weight(axis, weight, view)
        draw_circles(axis, circles, view)
    draw_star(axes.flat[0], view, weight.shape)
    view.label(axes)
    label = f"{drawn(unit)}, asinh scale"
    bar = canvas.colorbar(shown, cax=beside(canvas, place), label=label)
    ticks = choose_ticks(top, linear)
    bar.set_ticks([-tick for tick in ticks if tick and tick <= BELOW * top] + ticks)
    bar.ax.yaxis.set_major_formatter("{x:.3g}")
    bar.ax.minorticks_off()
    write_title(canvas, title)


def choose_scale(panels: Sequence[Panel], circles: Sequence[Circle]) -> tuple[float, float]:
    """
    Return the end of the scale of some images, and up to which value it is linear.

    It ends at the 99.9th percentile of the first image, and is linear up to three times the noise
    of the last image. Pixels in circles are left out.
    """
    counts = ~cover(circles, panels[0].image.shape)
    first, last = (np.abs(panel.image[counts]) for panel in (panels[0], panels[-1]))
    top = float(np.nanpercentile(first, 99.9))
    return top, max(3 * 1.4826 * float(np.nanmedian(last)), top / 1e4)


def beside(canvas: Canvas, place: Place) -> "Axes":
    """Return axes for a colour bar to the right of other axes."""
    height = place["top"] - place["bottom"]
    return canvas.add_axes(
        (place["right"] + 0.02, place["bottom"] + 0.1 * height, 0.02, 0.8 * height)
    )


def choose_ticks(top: float, linear: float) -> list[float]:
    """Return ticks from 0 to the end of an asinh scale whose labels do not overlap."""
    return [0.0, *(value for value in (top / 10, top / 3) if value > linear / 3), top]
