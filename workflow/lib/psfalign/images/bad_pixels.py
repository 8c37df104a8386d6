"""Replace bad pixels by the median of the good ones around them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .arrays import Bools, Flags, Image
from .dq_flags import NON_SCIENCE

SMALLEST_BOX = 2  # pixels: half a width of one, the least that has neighbours
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
    n_grown : int
        How many of them needed a larger box than was asked for.
    n_zeroed : int
        How many of them lie outside the science area and were set to 0.
    """

    image: Image
    replaced: Bools
    n_grown: int
    n_zeroed: int


def find_bad_pixels(image: Image, dq: Flags, bad_bits: int) -> Bools:
    """Tell which pixels are bad: flagged by one of ``bad_bits``, or not finite."""
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
    cleaned, n_grown = _fill(image, bad, bad & ~off_science, median_box_length // 2)
    cleaned[off_science] = 0.0
    return CleanImage(cleaned, bad, n_grown, int(off_science.sum()))


def fill_pixels(image: Image, bad: Bools) -> Image:
    """Return a copy of an image with bad pixels replaced as in `clean_image`, by a box of three."""
    return _fill(image, bad, bad, half_width=1)[0]


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


def _fill(image: Image, bad: Bools, fill: Bools, half_width: int) -> tuple[Image, int]:
    """Medians for the pixels of ``fill``, and how many of them needed a larger box."""
    values, pixels = image.copy(), np.argwhere(fill)
    values[bad] = np.nan
    medians = _medians_around(values, pixels, _box(half_width))
    empty = np.isnan(medians)
    n_grown = int(empty.sum())
    if n_grown and not bad.all():
        medians[empty] = _medians_of_rings(values, bad, pixels[empty])
    values[fill] = medians
    return values, n_grown


def _medians_of_rings(good: Image, bad: Bools, pixels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Median for pixels whose box is empty, of the first ring that holds a good pixel."""
    from scipy.ndimage import distance_transform_cdt  # seldom needed, slow to import

    distance = distance_transform_cdt(bad, metric="chessboard")[pixels[:, 0], pixels[:, 1]]
    medians = np.empty(len(pixels))
    for radius in np.unique(distance):
        members = distance == radius
        medians[members] = _medians_around(good, pixels[members], _ring(radius))
    return medians


def _box(half_width: int) -> NDArray[np.intp]:
    """Row and column offsets of the pixels in a box, (pixels, 2)."""
    side = np.arange(-half_width, half_width + 1)
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)


def _ring(radius: int) -> NDArray[np.intp]:
    """Row and column offsets of the outermost pixels of a box, (pixels, 2)."""
    box = _box(radius)
    return box[np.abs(box).max(axis=1) == radius]


def _medians_around(
    good: Image, pixels: NDArray[np.intp], offsets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Median of what is not NaN at some offsets from each pixel; NaN where there is nothing."""
    per_chunk = max(1, CHUNK // len(offsets))
    chunks = [pixels[i : i + per_chunk] for i in range(0, len(pixels), per_chunk)]
    return np.concatenate([np.empty(0), *(_gathered_medians(good, c, offsets) for c in chunks)])


def _gathered_medians(
    good: Image, pixels: NDArray[np.intp], offsets: NDArray[np.intp]
) -> NDArray[np.float64]:
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
    return lower + 0.5 * (upper - lower)
