"""Circles on an image that a fit leaves out, such as one around a known companion."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Image


@dataclass(frozen=True)
class Circle:
    """A circle on the image, in pixels counted from 0; whole numbers are the middles of pixels."""

    column: float
    row: float
    radius: float

    def covers(self, shape: tuple[int, ...], *, reach: float = 0.0) -> Bools:
        """
        Return the pixels that lie in the circle, or come to lie there by a shift.

        Parameters
        ----------
        shape
            Rows and columns of the image.
        reach
            Largest shift along each axis in pixels. The circle grows to all places that it takes
            then, a square with round corners.

        Returns
        -------
        (rows, columns) bool
        """
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        beside = np.maximum(np.abs(columns - self.column) - reach, 0.0)
        above = np.maximum(np.abs(rows - self.row) - reach, 0.0)
        return np.asarray(np.hypot(beside, above) <= self.radius)

    def moved(self, dx: float, dy: float) -> "Circle":
        """Return the circle on an image that was moved, in pixels."""
        return Circle(self.column + dx, self.row + dy, self.radius)

    @classmethod
    def parse(cls, text: str) -> "Circle":
        """
        Return the circle that `__str__` described.

        Raises
        ------
        TypeError, ValueError
            If the text describes none.
        """
        entries = (entry.split() for entry in text.split(","))
        return cls(**{name: float(value) for name, value in entries})

    def __str__(self) -> str:
        """Describe the circle, for headers and notes."""
        return f"column {self.column:.2f}, row {self.row:.2f}, radius {self.radius:.2f}"


def cover(circles: Iterable[Circle], shape: tuple[int, ...], *, reach: float = 0.0) -> Bools:
    """Return the pixels that any of some circles covers, (rows, columns) bool."""
    covered = np.zeros(shape, dtype=bool)
    for circle in circles:
        covered |= circle.covers(shape, reach=reach)
    return covered


def leave_out(weight: Image, circles: Iterable[Circle], *, reach: float = 0.0) -> Image:
    """Return a weight (rows, columns) that is 0 in circles, which may be shifted by a reach."""
    return np.where(cover(circles, weight.shape, reach=reach), 0.0, weight)
