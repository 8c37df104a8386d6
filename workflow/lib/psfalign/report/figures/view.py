"""Draw images with axes in arcseconds from the star, or in pixels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import InputError
from ...files.exposure import Exposure
from ...files.sky import Sky, Star
from ...images.arrays import Image
from ...images.circles import Circle
from .style import BAD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WEIGHT_LEVEL = 0.5
EXCLUDED = BAD  # colour of circles without weight
ARROW = 0.13  # length of an arrow, as a share of the width of an image
CORNER = 0.78, 0.08  # origin of the arrows from the lower left, as shares of width and height
STAR: dict[str, Any] = {"marker": "+", "color": "white", "markersize": 6, "markeredgewidth": 0.8}


class View(NamedTuple):
    """
    The axes of images.

    Attributes
    ----------
    column, row
        The pixel at the origin.
    sides
        Width and height of a pixel.
    unit
        The unit of the sides.
    sky
        Position of the star and direction of north; None if they are not known.
    """

    column: float = 0.0
    row: float = 0.0
    sides: tuple[float, float] = (1.0, 1.0)
    unit: str = "pixels"
    sky: Sky | None = None

    @classmethod
    def of(cls, exposure: Exposure, star: Star = "auto") -> "View":
        """Return axes in arcseconds from the star, or in pixels if the star is not known."""
        try:
            sky = Sky.of(exposure, star)
        except InputError:
            return cls()
        width, height = np.hypot(*sky.matrix).tolist()
        return cls(sky.column, sky.row, (width, height), "arcsec", sky)

    @property
    def origin(self) -> str:
        """The origin of radii, in words."""
        return "the star" if self.sky else "the middle"

    def place(self, column: float, row: float) -> tuple[float, float]:
        """Return the coordinates (x, y) of a pixel."""
        return (column - self.column) * self.sides[0], (row - self.row) * self.sides[1]

    def extent(self, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
        """Return the left, right, lower and upper edge of an image (rows, columns)."""
        left, lower = self.place(-0.5, -0.5)
        right, upper = self.place(shape[1] - 0.5, shape[0] - 0.5)
        return left, right, lower, upper

    def radii(self, shape: tuple[int, ...]) -> Image:
        """Return the distance of each pixel from the star, or else from the centre of the image."""
        if self.sky:
            return self.sky.separations(shape)
        rows, columns = np.indices(shape)
        return np.hypot(rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2)

    def label(self, axes: "np.ndarray") -> None:
        """Label the axes of images that share them."""
        words = f"s from the star ({self.unit})" if self.sky else f" ({self.unit})"
        for axis in axes[-1, :]:
            axis.set_xlabel(f"column{words}")
        for axis in axes[:, 0]:
            axis.set_ylabel(f"row{words}")


PIXELS = View()


def draw_weight(axis: "Axes", weight: Image, view: View = PIXELS) -> None:
    """Draw the contour of half the weight, if there is one."""
    if weight.min() < WEIGHT_LEVEL < weight.max():
        extent = view.extent(weight.shape)
        style: dict[str, Any] = {"colors": "white", "linewidths": 0.7}
        axis.contour(weight, levels=[WEIGHT_LEVEL], extent=extent, origin="lower", **style)


def draw_circles(axis: "Axes", circles: Sequence[Circle], view: View = PIXELS) -> None:
    """Draw circles that are excluded from the fit into an image."""
    from matplotlib.patches import Ellipse

    for circle in circles:
        width, height = (2 * circle.radius * side for side in view.sides)
        place = view.place(circle.column, circle.row)
        axis.add_patch(Ellipse(place, width, height, fill=False, color=EXCLUDED, linewidth=0.9))


def draw_star(axis: "Axes", view: View, shape: tuple[int, ...]) -> None:
    """Draw the star and arrows to north and east, if their positions are known."""
    if view.sky is None:
        return
    axis.plot(0, 0, **STAR)
    left, right, lower, upper = view.extent(shape)
    x, y = left + CORNER[0] * (right - left), lower + CORNER[1] * (upper - lower)
    for name, direction in (("N", (0.0, 1.0)), ("E", (1.0, 0.0))):
        arrow = np.linalg.solve(view.sky.matrix, direction) * view.sides
        dx, dy = ARROW * (right - left) * arrow / np.hypot(*arrow)
        axis.annotate(
            "", (x + dx, y + dy), (x, y), arrowprops={"arrowstyle": "->", "color": "white"}
        )
        axis.text(x + 1.3 * dx, y + 1.3 * dy, name, color="white", ha="center", va="center")
