"""Circles on an image that are excluded from a fit, for example around a known companion."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Image


@dataclass(frozen=True)
class Circle:
    """A circle in pixels counted from 0; whole numbers are the centres of pixels."""

    column: float
    row: float
    radius: float

    def covers(self, shape: tuple[int, ...], *, reach: float = 0.0) -> Bools:
        """
        Return the pixels that lie in the circle, or that a shift moves into it.

        Parameters
        ----------
        shape
            Rows and columns of the image.
        reach
            Largest shift along each axis in pixels. The covered area is the union of the circle at
            all these shifts, a square with round corners.

        Returns
        -------
        (rows, columns) bool
        """
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        beside = np.maximum(np.abs(columns - self.column) - reach, 0.0)
        above = np.maximum(np.abs(rows - self.row) - reach, 0.0)
        return np.asarray(np.hypot(beside, above) <= self.radius)

    def moved(self, dx: float, dy: float) -> "Circle":
        """Return the circle on an image that was moved by (dx, dy) pixels."""
        return Circle(self.column + dx, self.row + dy, self.radius)

    @classmethod
    def parse(cls, text: str) -> "Circle":
        """
        Parse the text that `__str__` returns.

        Raises
        ------
        TypeError, ValueError
            If the text does not describe a circle.
        """
        entries = (entry.split() for entry in text.split(","))
        return cls(**{name: float(value) for name, value in entries})

    def __str__(self) -> str:
        """Return a description of the circle, for headers and notes."""
        return f"column {self.column:.2f}, row {self.row:.2f}, radius {self.radius:.2f}"


def cover(circles: Iterable[Circle], shape: tuple[int, ...], *, reach: float = 0.0) -> Bools:
    """Return the pixels that at least one circle covers, (rows, columns) bool."""
    covered = np.zeros(shape, dtype=bool)
    for circle in circles:
        covered |= circle.covers(shape, reach=reach)
    return covered


def leave_out(weight: Image, circles: Iterable[Circle], *, reach: float = 0.0) -> Image:
    """Return a weight, (rows, columns), set to 0 in circles that may move by ``reach`` pixels."""
    return np.where(cover(circles, weight.shape, reach=reach), 0.0, weight)
