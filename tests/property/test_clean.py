"""Cleaning of any image follows the documented rule, pixel by pixel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from simulate import read_only

from psfalign.images.bad_pixels import clean_image

# Whole numbers, so that the mean of two is exact.
VALUES = st.integers(-1000, 1000).map(float) | st.sampled_from([np.nan, np.inf, -np.inf])
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda shape: max(shape) >= 5)
FLAGS = st.sampled_from([0, 0, 1, 4, 5, 512, 513])


def by_the_rule(image: np.ndarray, bad: np.ndarray, row: int, column: int, half: int) -> float:
    """Return the median of the good pixels in the smallest box that has any."""
    while True:
        rows, columns = (
            slice(max(0, row - half), row + half + 1),
            slice(max(0, column - half), column + half + 1),
        )
        good = image[rows, columns][~bad[rows, columns]]
        if good.size:
            return float(np.median(good))
        half += 1


@given(st.data(), SHAPES, st.integers(2, 5), st.booleans())
def test_every_bad_pixel_follows_the_rule(
    data: st.DataObject, shape: tuple[int, int], box: int, is_miri: bool
) -> None:
    image = read_only(data.draw(arrays(np.float64, shape, elements=VALUES)))
    dq = read_only(data.draw(arrays(np.uint32, shape, elements=FLAGS)))
    bad = ((dq & 1) != 0) | ~np.isfinite(image)
    result = clean_image(image, dq, bad_bits=1, median_box_length=box, zero_non_science=is_miri)
    expected = image.copy()
    for row, column in np.argwhere(bad):
        if is_miri and dq[row, column] & 512:
            expected[row, column] = 0.0
        elif bad.all():
            expected[row, column] = np.nan
        else:
            expected[row, column] = by_the_rule(image, bad, row, column, box // 2)
    np.testing.assert_array_equal(result.image, expected)
    np.testing.assert_array_equal(result.replaced, bad)
