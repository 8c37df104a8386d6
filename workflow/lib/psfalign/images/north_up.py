"""Turn images north up and east left about the star, and combine those of several rolls."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Cube, Image

Matrix = NDArray[np.float64]
HALF = 0.5  # share of bad pixels in an interpolated one, above which it is bad
MEDIAN_FROM = 3  # frames: a median of two is their mean


class Grid(NamedTuple):
    """
    Square pixels with the star in the middle one, rows towards north and columns towards west.

    Attributes
    ----------
    reach
        Pixels beyond the star on each side.
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
        """Return how far each pixel is from the star, in arcsec."""
        row, column = np.indices(self.shape) - self.reach
        return self.scale * np.hypot(row, column)


class Placement(NamedTuple):
    """Where the star of an image is, and the map of its pixels, as in `psfalign.files.sky.Sky`."""

    column: float
    row: float
    matrix: Matrix  # (east, north) in arcsec by (column, row)


def enclosing_grid(images: Sequence[tuple[Placement, tuple[int, ...]]]) -> Grid:
    """Return the smallest grid that holds images of some shapes, with the pixels of the first."""
    scale = math.sqrt(abs(np.linalg.det(images[0][0].matrix)))
    farthest = 0.0
    for place, (rows, columns) in images:
        corners = np.array([(c, r) for c in (0, columns - 1) for r in (0, rows - 1)], float)
        offsets = (corners - (place.column, place.row)) @ place.matrix.T
        farthest = max(farthest, float(np.abs(offsets).max()))
    return Grid(math.ceil(farthest / scale), scale)


class Turning:
    """
    The turn of an image on a grid.

    Parameters
    ----------
    place
        Where the star is in the image, and how its pixels lie on the sky.
    grid
        The pixels to make.
    """

    def __init__(self, place: Placement, grid: Grid) -> None:
        # Columns of the grid count towards west. SciPy wants rows before columns.
        to_sky = np.array([[-grid.scale, 0.0], [0.0, grid.scale]])
        self._matrix = (np.linalg.inv(place.matrix) @ to_sky)[::-1, ::-1]
        self._offset = np.array([place.row, place.column]) - self._matrix.sum(axis=1) * grid.reach
        self._shape = grid.shape

    def turn(self, image: Image) -> Image:
        """
        Interpolate surface brightness, finite everywhere, by cubic splines.

        What lies outside is made of the edge; NaN there would spread along the splines, so leave
        it out afterwards.
        """
        return self._turn(image, order=3)

    def turn_variance(self, variance: Image) -> Image:
        """Interpolate a variance linearly; the correlation of turned pixels is left aside."""
        return self._turn(variance, order=1)

    def turn_bad(self, bad: Bools) -> Bools:
        """Return the pixels that lie outside, or are made of bad pixels by more than a half."""
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
    """The combination of some frames: NaN where there is none."""

    image: Image
    error: Image
    n_frames: NDArray[np.uint32]


def combine(images: Cube, variances: Cube) -> Combined:
    """
    Combine turned frames.

    Two frames are averaged with the inverse of their variances. From three frames on their median
    is taken, of which one pixel that is far off does no harm; its error is that of their mean times
    `median_factor`, but that of the mean where only one or two of them have the pixel. Where
    variances are not known (0), frames count alike, and the error is NaN.

    Parameters
    ----------
    images, variances : (frames, rows, columns) float64
        NaN where a frame has nothing.
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
    Return by how much the median of n normal numbers scatters more than their mean.

    √(π/2) for many. The terms beside n, for even and for odd ones, are fitted to simulations, which
    they meet to half a percent from n = 3 on.
    """
    return np.sqrt(np.pi / 2 * n / (n + np.where(n % 2 == 0, 1.3, 0.5)))


def median(images: Cube) -> Image:
    """Return the median along the first axis of what is finite; NaN where nothing is."""
    ordered = np.sort(images, axis=0)  # NaN comes last
    count = np.isfinite(images).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, len(images) - 1)
    pair = np.take_along_axis(ordered, np.stack([low, high]), axis=0)
    return np.asarray(np.where(count > 0, pair.mean(axis=0), np.nan))
