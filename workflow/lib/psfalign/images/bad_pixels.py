"""Replace bad pixels by the median of the good ones around them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .arrays import Bools, Flags, Image
from .dq_flags import NON_SCIENCE

SMALLEST_BOX = 2  # pixels: half a width of one, the least that has neighbours
FEWEST = 4  # good pixels in a box whose scatter says something
CHUNK = 1 << 21  # values gathered at a time: 16 MB, so that a large box stays affordable


@dataclass(frozen=True)
class CleanImage:
    """
    An image without bad pixels, and what was done to it.

    Attributes
    ----------
    image : (rows, columns) float64
        The cleaned image; all NaN where the image held no good pixel.
    replaced : (rows, columns) bool
        The pixels whose value is not the observed one.
    scatter : (replaced pixels,) float64
        How far the good pixels around each are from the median that replaced it, RMS; 0 for those
        that were set to 0.
    n_grown : int
        How many of them needed a larger box than was asked for.
    n_zeroed : int
        How many of them lie outside the science area and were set to 0.
    """

    image: Image
    replaced: Bools
    scatter: NDArray[np.float64]
    n_grown: int
    n_zeroed: int


def find_bad_pixels(image: Image, dq: Flags, bad_bits: int) -> Bools:
    """Return which pixels are bad: flagged by one of ``bad_bits``, or not finite."""
    return ((dq & np.uint32(bad_bits)) != 0) | ~np.isfinite(image)


def clean_image(
    image: Image,
    dq: Flags,
    *,
    bad_bits: int,
    median_box_length: int = 3,
    zero_non_science: bool = False,
) -> CleanImage:
    """
    Replace the bad pixels of one image.

    Each becomes the median of the good pixels of the *original* image in a box of half-width
    ``median_box_length // 2`` around it, clipped at the edges of the image. Where that box holds
    no good pixel, it grows by one pixel on each side until it does. The median of an even number
    of values is the mean of the two in the middle.

    Parameters
    ----------
    image : (rows, columns) float64
        Not modified.
    dq : (rows, columns) uint32
        JWST data quality flags.
    bad_bits
        Flags that make a pixel bad; one that is not finite is bad anyway.
    median_box_length
        Side of the box in pixels; 2 and 3, like 4 and 5, mean the same.
    zero_non_science
        Set bad pixels that are flagged NON_SCIENCE to 0 instead, as is done for MIRI.

    Raises
    ------
    ConfigError
        If the box is smaller than two pixels or larger than the image.
    """
    check_box(median_box_length, image.shape)
    bad = find_bad_pixels(image, dq, bad_bits)
    off_science = bad & ((dq & np.uint32(NON_SCIENCE)) != 0) if zero_non_science else bad & False
    filling = _fill(image, bad, bad & ~off_science, median_box_length // 2)
    replaced = np.flatnonzero(bad)
    is_filled = ~off_science.ravel()[replaced]
    scatter = np.zeros(replaced.size)
    scatter[is_filled] = _scatter(filling)
    cleaned = filling.put()
    cleaned.ravel()[replaced[~is_filled]] = 0.0
    n_grown = int(np.count_nonzero(filling.is_grown))
    return CleanImage(cleaned, bad, scatter, n_grown, int(off_science.sum()))


def fill_pixels(image: Image, bad: Bools) -> Image:
    """Return a copy of an image with bad pixels replaced as in `clean_image`, by a box of three."""
    return _fill(image, bad, bad, half_width=1).put()


def check_box(median_box_length: int, shape: tuple[int, ...]) -> None:
    """Refuse a box that has no neighbours in it, or is larger than the image."""
    if median_box_length < SMALLEST_BOX:
        problem, remedy = "a box of one pixel or less holds no neighbours", "use 3 or more"
    elif median_box_length > max(shape):
        rows, columns = shape
        problem = f"the box is larger than the image of {columns}×{rows} pixels"
        remedy = "use a smaller one"
    else:
        return
    raise ConfigError(
        problem, keyword="align_refs.median_box_length", value=median_box_length, remedy=remedy
    )


class _Boxes(NamedTuple):
    """What the good pixels around some pixels are: median, RMS distance from it, number."""

    median: NDArray[np.float64]
    scatter: NDArray[np.float64]
    n_good: NDArray[np.intp]


class _Filling(NamedTuple):
    """
    What replaces some pixels.

    Attributes
    ----------
    good : (rows, columns) float64
        The image, in which bad pixels are NaN.
    pixels : (pixels, 2)
        Their rows and columns.
    boxes
        What is around each.
    radius : (pixels,)
        Half the width of the box; where it had to grow, the ring that holds the first good pixel.
    is_grown : (pixels,) bool
    """

    good: Image
    pixels: NDArray[np.intp]
    boxes: _Boxes
    radius: NDArray[np.intp]
    is_grown: Bools

    def put(self) -> Image:
        """Return the image with the medians in their places, which overwrites it."""
        self.good[*self.pixels.T] = self.boxes.median
        return self.good


def _fill(image: Image, bad: Bools, fill: Bools, half_width: int) -> _Filling:
    """Find what replaces the pixels of ``fill``."""
    pixels = np.stack(np.divmod(np.flatnonzero(fill), image.shape[1]), axis=-1)
    good = image.copy()
    good[bad] = np.nan
    boxes = _look_around(good, pixels, _box(half_width))
    filling = _Filling(good, pixels, boxes, np.full(len(pixels), half_width), boxes.n_good == 0)
    if filling.is_grown.any() and not bad.all():
        _grow(filling, bad)
    return filling


def _grow(filling: _Filling, bad: Bools) -> None:
    """Fill pixels whose box has no good pixel from the first ring that has one."""
    from scipy.ndimage import distance_transform_cdt  # seldom needed, slow to import

    grown = np.flatnonzero(filling.is_grown)
    distance = distance_transform_cdt(bad, metric="chessboard")[*filling.pixels[grown].T]
    filling.radius[grown] = distance
    for radius in np.unique(distance):
        members = grown[distance == radius]
        ring = _look_around(filling.good, filling.pixels[members], _ring(radius))
        for known, found in zip(filling.boxes, ring, strict=True):
            known[members] = found


def _scatter(filling: _Filling) -> NDArray[np.float64]:
    """Return the scatter in each box; a few pixels say little, so that theirs is also a wider's."""
    scatter = filling.boxes.scatter.copy()
    few = np.flatnonzero(filling.boxes.n_good < FEWEST)
    for radius in np.unique(filling.radius[few]):
        members = few[filling.radius[few] == radius]
        wider = _look_around(filling.good, filling.pixels[members], _box(radius + 1))
        scatter[members] = np.maximum(scatter[members], wider.scatter)
    return scatter


def _box(half_width: int) -> NDArray[np.intp]:
    """Row and column offsets of the pixels in a box, (pixels, 2)."""
    side = np.arange(-half_width, half_width + 1)
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)


def _ring(radius: int) -> NDArray[np.intp]:
    """Row and column offsets of the outermost pixels of a box, (pixels, 2)."""
    box = _box(radius)
    return box[np.abs(box).max(axis=1) == radius]


def _look_around(good: Image, pixels: NDArray[np.intp], offsets: NDArray[np.intp]) -> _Boxes:
    """Look at what is not NaN at some offsets from each pixel; NaN where there is nothing."""
    per_chunk = max(1, CHUNK // len(offsets))
    chunks = [pixels[i : i + per_chunk] for i in range(0, len(pixels), per_chunk)]
    parts = [_gather(good, chunk, offsets) for chunk in chunks or [pixels]]
    return _Boxes(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _gather(good: Image, pixels: NDArray[np.intp], offsets: NDArray[np.intp]) -> _Boxes:
    neighbours = pixels[:, None, :] + offsets
    last = np.array(good.shape) - 1
    inside = ((neighbours >= 0) & (neighbours <= last)).all(axis=-1)
    row, column = np.moveaxis(np.clip(neighbours, 0, last), -1, 0)
    values = np.where(inside, good[row, column], np.nan)
    values.sort(axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1)
    pixel = np.arange(len(pixels))
    # Where nothing is good, these are the last and the first, which are NaN like all others.
    lower, upper = values[pixel, (count - 1) // 2], values[pixel, count // 2]
    median = lower + 0.5 * (upper - lower)
    values -= median[:, None]
    squares = np.nansum(np.square(values, out=values), axis=1)
    return _Boxes(median, np.sqrt(squares / np.maximum(count, 1)), count)
