"""Replace bad pixels by the median of the good ones around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .arrays import Bools, Flags, Image
from .dq_flags import NON_SCIENCE

SMALLEST_BOX = 2  # pixels; its half-width of 1 is the smallest that includes neighbours
FEWEST = 4  # good pixels in a box that are needed to estimate their scatter
CHUNK = 1 << 21  # values gathered at a time, 16 MB, which limits the memory for large boxes

Places = NDArray[np.intp]


@dataclass(frozen=True)
class CleanImage:
    """
    An image whose bad pixels were replaced.

    Attributes
    ----------
    image : (rows, columns) float64
        The cleaned image; all NaN if the image has no good pixel.
    replaced : (rows, columns) bool
        The pixels that were replaced.
    scatter : (replaced pixels,) float64
        RMS deviation of the good pixels in the box from their median, for each replaced pixel; 0
        for pixels that were set to 0.
    n_grown : int
        Number of replaced pixels that needed a larger box.
    n_zeroed : int
        Number of replaced pixels that lie outside the science area and were set to 0.
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

    A bad pixel becomes the median of the good pixels of the *original* image in a box of half-width
    ``median_box_length // 2`` around it, clipped at the edges of the image. If the box has no good
    pixel, it grows by one pixel on each side until it has. The median of an even number of values
    is the mean of the two in the middle.

    Parameters
    ----------
    image : (rows, columns) float64
        Not modified.
    dq : (rows, columns) uint32
        JWST data quality flags.
    bad_bits
        Flags that make a pixel bad. A pixel that is not finite is always bad.
    median_box_length
        Side of the box in pixels; 2 is the same as 3, and 4 the same as 5.
    zero_non_science
        Set bad pixels that are flagged NON_SCIENCE to 0 instead, as is done for MIRI.

    Raises
    ------
    ConfigError
        If the box is smaller than two pixels or larger than the image.
    """
    check_box(median_box_length, image.shape)
    bad = find_bad_pixels(image, dq, bad_bits)
    replaced, half_width = np.flatnonzero(bad), median_box_length // 2
    off_science = (dq.ravel()[replaced] & np.uint32(NON_SCIENCE if zero_non_science else 0)) != 0
    filling = _fill(image, bad, replaced[~off_science], half_width)
    scatter = np.zeros(replaced.size)
    scatter[~off_science] = _scatter(filling, half_width)
    cleaned = filling.put()
    cleaned.ravel()[replaced[off_science]] = 0.0
    n_zeroed = int(np.count_nonzero(off_science))
    return CleanImage(cleaned, bad, scatter, len(filling.grown), n_zeroed)


def fill_pixels(image: Image, bad: Bools) -> Image:
    """Return a copy of an image with bad pixels replaced as in `clean_image`, by a box of 3×3."""
    return _fill(image, bad, np.flatnonzero(bad), half_width=1).put()


def check_box(median_box_length: int, shape: tuple[int, ...]) -> None:
    """Raise `ConfigError` if a box includes no neighbours or is larger than the image."""
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


class _Filling(NamedTuple):
    """
    The values that replace bad pixels.

    Attributes
    ----------
    good : (rows, columns) float64
        The image, in which bad pixels are NaN.
    pixels : (pixels,)
        Indices of the pixels to replace in the flat image.
    medians : (pixels,) float64
        Their new values.
    grown : (grown pixels,)
        Indices into `pixels` of those that needed a larger box.
    radius : (grown pixels,)
        The half-width of that box; only its outermost ring has good pixels.
    """

    good: Image
    pixels: Places
    medians: NDArray[np.float64]
    grown: Places
    radius: Places

    def put(self) -> Image:
        """Write the medians into the image `good`, and return it."""
        self.good.ravel()[self.pixels] = self.medians
        return self.good


def _fill(image: Image, bad: Bools, pixels: Places, half_width: int) -> _Filling:
    """Compute the medians that replace some of the bad pixels."""
    good = np.where(bad, np.nan, image)
    medians = _medians(good, pixels, _box(half_width))
    grown = np.flatnonzero(np.isnan(medians))
    if not len(grown) or bad.all():
        return _Filling(good, pixels, medians, grown, np.full(len(grown), half_width))
    from scipy.ndimage import distance_transform_cdt  # seldom needed, slow to import

    radius = distance_transform_cdt(bad, metric="chessboard").ravel()[pixels[grown]].astype(np.intp)
    for distance in np.unique(radius):
        members = grown[radius == distance]
        medians[members] = _medians(good, pixels[members], _ring(distance))
    return _Filling(good, pixels, medians, grown, radius)


def _scatter(filling: _Filling, half_width: int) -> NDArray[np.float64]:
    """
    Return the RMS deviation of the good pixels in each box from their median.

    Where a box has fewer than `FEWEST` good pixels, the scatter is at least that in a box that is
    larger by one pixel on each side.
    """
    good, pixels, medians = filling.good, filling.pixels, filling.medians
    scatter, n_good = _deviations(good, pixels, medians, _box(half_width))
    for radius in np.unique(filling.radius):
        members = filling.grown[filling.radius == radius]
        found = _deviations(good, pixels[members], medians[members], _ring(radius))
        scatter[members], n_good[members] = found
    half_widths = np.full(len(pixels), half_width)
    half_widths[filling.grown] = filling.radius
    few = np.flatnonzero(n_good < FEWEST)
    for radius in np.unique(half_widths[few]):
        members = few[half_widths[few] == radius]
        at = pixels[members]
        box = _box(radius + 1)
        wider, _ = _deviations(good, at, _medians(good, at, box), box)
        scatter[members] = np.maximum(scatter[members], wider)
    return scatter


def _box(half_width: int) -> Places:
    """Row and column offsets of the pixels in a box, (pixels, 2)."""
    side = np.arange(-half_width, half_width + 1)
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)


def _ring(radius: int) -> Places:
    """Row and column offsets of the outermost pixels of a box, (pixels, 2)."""
    box = _box(radius)
    return box[np.abs(box).max(axis=1) == radius]


def _medians(good: Image, pixels: Places, offsets: Places) -> NDArray[np.float64]:
    """Return the median of the good pixels at some offsets from each pixel; NaN without any."""
    medians = np.empty(len(pixels))
    for part in _parts(pixels, offsets):
        values = _gather(good, pixels[part], offsets)
        values.sort(axis=1)  # NaN last
        count = values.shape[1] - _count(np.isnan(values))
        pixel = np.arange(len(values))
        # Without good values, these are the last and the first value, which are NaN.
        lower, upper = values[pixel, (count - 1) // 2], values[pixel, count // 2]
        medians[part] = lower + 0.5 * (upper - lower)
    return medians


def _deviations(
    good: Image, pixels: Places, medians: NDArray[np.float64], offsets: Places
) -> tuple[NDArray[np.float64], Places]:
    """Return the RMS deviation of good pixels at some offsets from medians, and their number."""
    scatter, number = np.empty(len(pixels)), np.empty(len(pixels), dtype=np.intp)
    for part in _parts(pixels, offsets):
        values = _gather(good, pixels[part], offsets)
        values -= medians[part, None]
        unknown = np.isnan(values)
        values[unknown] = 0.0
        number[part] = values.shape[1] - _count(unknown)
        squares = np.einsum("ij,ij->i", values, values)
        scatter[part] = np.sqrt(squares / np.maximum(number[part], 1))
    return scatter, number


def _count(marked: Bools) -> Places:
    """Count the marked pixels in each row; `sum` takes longer for such short rows."""
    return np.asarray(np.einsum("ij->i", marked, dtype=np.intp, casting="safe"))


def _parts(pixels: Places, offsets: Places) -> Iterator[slice]:
    per_part = max(1, CHUNK // len(offsets))
    return (slice(i, i + per_part) for i in range(0, len(pixels), per_part))


def _gather(good: Image, pixels: Places, offsets: Places) -> NDArray[np.float64]:
    """Return the values at some offsets from each pixel, NaN beyond the edges."""
    rows, columns = good.shape
    values = good.take(pixels[:, None] + offsets @ (columns, 1), mode="clip")
    row, column = np.divmod(pixels, columns)
    from_edge = np.minimum(
        np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column)
    )
    near = np.flatnonzero(from_edge < offsets.max())
    there = np.stack([row[near], column[near]], axis=-1)[:, None] + offsets
    values[near] = np.where(
        ((there < 0) | (there >= good.shape)).any(axis=-1), np.nan, values[near]
    )
    return values
