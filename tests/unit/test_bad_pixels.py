"""Bad pixels are found, and replaced by the median of good ones."""

import numpy as np
import pytest
from simulate import read_only

from psfalign.errors import ConfigError
from psfalign.images import bad_pixels as module
from psfalign.images.bad_pixels import (
    CleanImage,
    check_box,
    clean_image,
    fill_pixels,
    find_bad_pixels,
)

DO_NOT_USE, NON_SCIENCE = 1, 512
ROWS, COLUMNS = 7, 9


def numbered() -> np.ndarray:
    """Return an image in which every pixel has another value: 10 row + column."""
    return np.add.outer(10.0 * np.arange(ROWS), np.arange(COLUMNS))


def clean(image: np.ndarray, bad: list[tuple[int, int]], box: int = 3) -> CleanImage:
    """Clean a copy in which some pixels are flagged, and hold a value that would be noticed."""
    dq = np.zeros(image.shape, dtype=np.uint32)
    dq[tuple(zip(*bad, strict=True))] = DO_NOT_USE
    broken = read_only(np.where(dq != 0, 1e9, image))
    return clean_image(broken, read_only(dq), bad_bits=DO_NOT_USE, median_box_length=box)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((3, 4), 34.0),  # 23 24 25 33 35 43 44 45: mean of 33 and 35
        ((0, 4), 13.0),  # 3 5 13 14 15
        ((0, 0), 10.0),  # 1 10 11
        ((0, 8), 17.0),  # 7 17 18
        ((6, 0), 51.0),  # 50 51 61
        ((6, 8), 58.0),  # 57 58 67
        ((3, 0), 31.0),  # 20 21 31 40 41
        ((3, 8), 37.0),  # 27 28 37 47 48
        ((6, 4), 55.0),  # 53 54 55 63 65
    ],
)
def test_isolated_pixel_gets_the_median_of_its_clipped_box(
    pixel: tuple[int, int], expected: float
) -> None:
    result = clean(numbered(), [pixel])
    assert result.image[pixel] == expected
    assert np.argwhere(result.replaced).tolist() == [list(pixel)]
    assert (result.n_grown, result.n_zeroed) == (0, 0)


def test_pixels_are_filled_from_a_box_of_three() -> None:
    bad = np.zeros((ROWS, COLUMNS), dtype=bool)
    bad[3, 4] = bad[0, 0] = True
    filled = fill_pixels(read_only(np.where(bad, 1e9, numbered())), read_only(bad))
    expected = numbered()
    expected[3, 4], expected[0, 0] = 34.0, 10.0
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1.0, 2.0, 10.0), 2.0), ((1.0, 2.0, 10.0, 100.0), 6.0), ((1.0, 2.0), 1.5), ((7.0,), 7.0)],
)
def test_even_count_gives_the_mean_of_the_middle_two(
    values: tuple[float, ...], expected: float
) -> None:
    image = np.full((3, 3), np.nan)
    image.flat[: len(values)] = values
    assert clean(image, [(1, 1)]).image[1, 1] == expected


def test_scatter_is_that_of_the_good_pixels_around_the_median() -> None:
    """In the order of the replaced pixels; none where the value is 0 by definition."""
    dq = np.zeros((ROWS, COLUMNS), np.uint32)
    dq[3, 4] = dq[5, 1] = DO_NOT_USE
    dq[4, 8] = DO_NOT_USE | NON_SCIENCE
    result = clean_image(numbered(), dq, bad_bits=1, zero_non_science=True)
    # Around each, numbers differ from the median by ±1, ±9, ±10 and ±11.
    scatter = np.sqrt((1 + 81 + 100 + 121) / 4)
    np.testing.assert_allclose(result.scatter, [scatter, 0.0, scatter], rtol=1e-14)


def test_good_pixels_keep_every_bit() -> None:
    image = np.random.default_rng(1).normal(size=(ROWS, COLUMNS))
    result = clean(image, [(0, 0), (3, 3), (3, 4), (6, 8)])
    np.testing.assert_array_equal(result.image[~result.replaced], image[~result.replaced])
    assert result.replaced.sum() == 4


def test_no_filled_pixel_feeds_its_neighbours() -> None:
    # Both see the same ten originals around them, not each other: 3×4 of them less the two.
    image = numbered()
    result = clean(image, [(3, 3), (3, 4)])
    assert result.image[3, 3] == np.median([22, 23, 24, 32, 42, 43, 44])
    assert result.image[3, 4] == np.median([23, 24, 25, 35, 43, 44, 45])


@pytest.mark.bad_input(39)
@pytest.mark.parametrize("turned", [False, True])
def test_box_grows_until_it_holds_a_good_pixel(turned: bool) -> None:
    # In a 7×7 hole of a plane of 5 with one 11 at a corner of it, the middle grows to the ring
    # beyond the hole, 32 pixels of which one is not 5; at the hole's rim nothing has to grow.
    image = np.full((12, 12), 5.0)
    image[0, 0] = 11.0
    hole = [(r, c) for r in range(1, 8) for c in range(1, 8)]
    if turned:
        image, hole = image[::-1, ::-1], [(11 - r, 11 - c) for r, c in hole]
    result = clean(image, hole)
    assert result.n_grown == 5 * 5
    assert np.all(result.image[result.replaced] == 5.0)


@pytest.mark.bad_input(39)
def test_grown_box_is_no_larger_than_it_must_be() -> None:
    # One row: of the pixel in the middle, the first ring has 3 and 7, the second 100.
    image = np.array([[100.0, 3.0, 0.0, 0.0, 0.0, 0.0, 7.0, 100.0, 100.0]])
    result = clean(image, [(0, 2), (0, 3), (0, 4), (0, 5)])
    assert result.image[0, 2:6].tolist() == [3.0, 3.0, 7.0, 7.0]
    assert result.n_grown == 2


@pytest.mark.parametrize("chunk", [1, 20])
def test_pixels_gathered_at_a_time_change_nothing(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a single box has more pixels than are gathered at a time."""
    image, bad = numbered() ** 2, [(0, 0), (3, 3), (3, 4), (6, 8)]
    expected = clean(image, bad).image
    monkeypatch.setattr(module, "CHUNK", chunk)
    np.testing.assert_array_equal(clean(image, bad).image, expected)


@pytest.mark.parametrize("box", [2, 3])
def test_boxes_of_two_and_three_are_the_same(box: int) -> None:
    assert clean(numbered() ** 2, [(0, 0)], box).image[0, 0] == 100.0  # of 1, 100, 121


@pytest.mark.parametrize("box", [4, 5])
def test_boxes_of_four_and_five_are_the_same(box: int) -> None:
    # 0 to 2 by 0 to 2 without the corner: 1 2 10 11 12 20 21 22
    assert clean(numbered() ** 2, [(0, 0)], box).image[0, 0] == (121 + 144) / 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_bad_without_a_flag(value: float) -> None:
    image = numbered()
    image[3, 4] = value
    result = clean_image(read_only(image), np.zeros(image.shape, np.uint32), bad_bits=0)
    assert result.image[3, 4] == 34.0
    assert np.isfinite(result.image).all()
    assert result.replaced.sum() == 1


def test_only_the_chosen_flags_are_bad() -> None:
    dq = np.array([[1, 2, 16, 2**31, 18, 0]], dtype=np.uint32)
    image = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, np.inf]])
    assert find_bad_pixels(image, dq, 18).tolist() == [[False, True, True, False, True, True]]
    assert find_bad_pixels(image, dq, 2**31).tolist() == [[False] * 3 + [True, False, True]]


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_plane_without_a_good_pixel_is_nan(value: float) -> None:
    dq = np.ones((4, 5), np.uint32)
    result = clean_image(np.full((4, 5), value), dq, bad_bits=1)
    assert np.isnan(result.image).all()
    assert result.replaced.all()


@pytest.mark.parametrize("box", [-1, 0, 1])
def test_box_without_neighbours_is_refused(box: int) -> None:
    with pytest.raises(ConfigError, match=f"median_box_length={box}: a box of one pixel or less"):
        clean(numbered(), [(0, 0)], box)


def test_box_larger_than_the_image_is_refused() -> None:
    check_box(9, (ROWS, COLUMNS))
    with pytest.raises(ConfigError, match=r"larger than the image of 9×7 pixels; use a smaller"):
        clean(numbered(), [(0, 0)], 10)


def test_miri_pixels_outside_the_science_area_become_zero() -> None:
    image, dq = numbered(), np.zeros((ROWS, COLUMNS), np.uint32)
    dq[0, 0] = dq[0, 1] = DO_NOT_USE | NON_SCIENCE
    dq[3, 3] = NON_SCIENCE  # not bad: stays
    dq[3, 5] = DO_NOT_USE  # bad, of the science area: filled from its neighbours
    dq[0, 2] = DO_NOT_USE  # next to one that is zeroed, which must not feed it
    arrays = read_only(image), read_only(dq)
    result = clean_image(*arrays, bad_bits=1, zero_non_science=True)
    assert result.image[0, :2].tolist() == [0.0, 0.0]
    assert result.image[3, 3] == 33.0
    assert result.image[3, 5] == 35.0
    assert result.image[0, 2] == np.median([3, 11, 12, 13])
    assert (result.n_zeroed, result.replaced.sum()) == (2, 4)
    filled = clean_image(*arrays, bad_bits=1)
    assert (filled.n_zeroed, filled.image[0, 0]) == (0, np.median([10, 11]))
