"""Rotate images north up and east left about the star, and combine those of several rolls."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Cube, Image

Matrix = NDArray[np.float64]
HALF = 0.5  # a pixel is bad if more than this share of its interpolation comes from bad pixels
MEDIAN_FROM = 3  # frames; the median of two is their mean


class Grid(NamedTuple):
    """
    A grid of square pixels centred on the star; rows increase to the north, columns to the west.

    Attributes
    ----------
    reach
        Number of pixels on each side of the star.
    scale
        Side of a pixel in arcsec.
    """

    reach: int
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return 2 * self.reach + 1, 2 * self.reach + 1

    def separations(self) -> Image:
        """Return the distance of each pixel from the star in arcsec, (rows, columns)."""
        row, column = np.indices(self.shape) - self.reach
        return self.scale * np.hypot(row, column)


class Placement(NamedTuple):
    """Position of the star in an image, and the matrix from pixels to the sky, see `Sky`."""

    column: float
    row: float
    matrix: Matrix  # (east, north) in arcsec by (column, row)


def enclosing_grid(images: Sequence[tuple[Placement, tuple[int, ...]]]) -> Grid:
    """Return the smallest grid that contains all images, with the pixel size of the first."""
    scale = math.sqrt(abs(np.linalg.det(images[0][0].matrix)))
    farthest = 0.0
    for place, (rows, columns) in images:
        corners = np.array([(c, r) for c in (0, columns - 1) for r in (0, rows - 1)], float)
        offsets = (corners - (place.column, place.row)) @ place.matrix.T
        farthest = max(farthest, float(np.abs(offsets).max()))
    return Grid(math.ceil(farthest / scale), scale)


class Turning:
    """
    The rotation of an image onto a grid.

    Parameters
    ----------
    place
        Position of the star in the image, and orientation of the pixels on the sky.
    grid
        The grid to interpolate to.
    """

    def __init__(self, place: Placement, grid: Grid) -> None:
        # Columns of the grid increase to the west. SciPy expects rows before columns.
        to_sky = np.array([[-grid.scale, 0.0], [0.0, grid.scale]])
        self._matrix = (np.linalg.inv(place.matrix) @ to_sky)[::-1, ::-1]
        self._offset = np.array([place.row, place.column]) - self._matrix.sum(axis=1) * grid.reach
        self._shape = grid.shape

    def turn(self, image: Image) -> Image:
        """
        Interpolate an image of surface brightness by cubic splines.

        The image must be finite, because NaN spreads along splines. Pixels outside the image get
        the value of the nearest edge; `turn_bad` marks them.
        """
        return self._turn(image, order=3)

    def turn_variance(self, variance: Image) -> Image:
        """Interpolate a variance linearly; correlations between the new pixels are neglected."""
        return self._turn(variance, order=1)

    def turn_bad(self, bad: Bools) -> Bools:
        """Return the pixels that lie outside the image, or come mostly from bad pixels."""
        return self._turn(bad.astype(float), order=1, outside="constant") > HALF

    def _turn(
        self,
        image: Image,
        *,
        order: Literal[1, 3],
        outside: Literal["nearest", "constant"] = "nearest",
    ) -> Image:
        from scipy.ndimage import affine_transform  # slow to import

        return np.asarray(
            affine_transform(
                image,
                self._matrix,
                self._offset,
                output_shape=self._shape,
                order=order,
                mode=outside,
                cval=1.0,
            )
        )


class Combined(NamedTuple):
    """The combination of frames; pixels that no frame covers are NaN."""

    image: Image
    error: Image
    n_frames: NDArray[np.uint32]


def combine(images: Cube, variances: Cube) -> Combined:
    """
    Combine rotated frames.

    Up to two frames are averaged with the inverse of their variances as weights. Three or more are
    combined by their median, which a single outlier does not affect. Its error is the error of the
    mean times `median_factor`, or the error of the mean where at most two frames cover the pixel.
    Where a variance is not known (0), frames have equal weights, and the error is NaN.

    Parameters
    ----------
    images, variances : (frames, rows, columns) float64
        Pixels that a frame does not cover are NaN.
    """
    there = np.isfinite(images)
    count = there.sum(axis=0)
    known = np.where(there & (variances > 0), variances, np.nan)
    unknown = (there & ~np.isfinite(known)).any(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if len(images) < MEDIAN_FROM:
            weights = np.where(there, np.where(unknown, 1.0, 1.0 / known), 0.0)
            total = weights.sum(axis=0)
            image = np.where(there, weights * images, 0.0).sum(axis=0) / total
            error = 1.0 / np.sqrt(total)
        else:
            image = median(images)
            error = np.sqrt(np.nansum(known, axis=0)) / count
            error = np.where(count < MEDIAN_FROM, error, median_factor(count) * error)
    error = np.where(unknown | (count == 0), np.nan, error)
    return Combined(image, error, count.astype(np.uint32))


def median_factor(n: NDArray[np.integer]) -> NDArray[np.float64]:
    """
    Return the standard error of the median of n normal numbers, divided by that of their mean.

    It approaches √(π/2) for large n. The constants for even and odd n are fitted to simulations,
    with which the formula agrees to half a percent for n >= 3.
    """
    return np.sqrt(np.pi / 2 * n / (n + np.where(n % 2 == 0, 1.3, 0.5)))


def median(images: Cube) -> Image:
    """Return the median of the finite values along the first axis; NaN where there are none."""
    ordered = np.sort(images, axis=0)  # NaN comes last
    count = np.isfinite(images).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, len(images) - 1)
    pair = np.take_along_axis(ordered, np.stack([low, high]), axis=0)
    return np.asarray(np.where(count > 0, pair.mean(axis=0), np.nan))
