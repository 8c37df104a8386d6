"""Which errors are known, and what stands for the others."""

import numpy as np
import pytest
from simulate import noise, read_only

from psfalign.images.bad_pixels import CleanImage, clean_image
from psfalign.images.pixel_errors import ABSURD, CleanError, clean_error, fill_error

SHAPE = (12, 15)
DO_NOT_USE, NON_SCIENCE = 1, 512
PIXEL = (5, 6)


def cleaned(image: np.ndarray, *bad: tuple[int, int], flag: int = DO_NOT_USE) -> CleanImage:
    dq = np.zeros(image.shape, np.uint32)
    for pixel in bad:
        dq[pixel] = flag
    return clean_image(image, dq, bad_bits=DO_NOT_USE, zero_non_science=True)


def complete(error: np.ndarray, *bad: tuple[int, int]) -> CleanError:
    """Clean errors of an image that is 0 everywhere: medians are certain."""
    return clean_error(read_only(error), cleaned(np.zeros(error.shape), *bad))


def flat(value: float) -> np.ndarray:
    error = np.full(SHAPE, 0.5)
    error[PIXEL] = value
    return error


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, 0.0, -0.5, 3e-9, 150.0, 500.0, 1e6, 0.5 / ABSURD / 1.01]
)
def test_unknown_and_absurd_errors_come_from_neighbours(value: float, unit: float) -> None:
    """Among them those 300 to 1000 times the others, and the 1e6 that stands for unknown."""
    result = complete(unit * flat(value))
    np.testing.assert_allclose(result.error, unit * 0.5, rtol=1e-15)
    assert result.n_filled == 1


@pytest.mark.parametrize("factor", [1 / ABSURD, 0.1, 1.0, 34.0, ABSURD])
def test_errors_that_a_detector_can_have_keep_every_bit(factor: float) -> None:
    error = flat(0.5 * factor)
    result = complete(error)
    np.testing.assert_array_equal(result.error, error)
    assert result.n_filled == 0


def test_errors_of_bad_pixels_say_nothing_about_others() -> None:
    """Most pixels are bad here, with an error of 1e6."""
    error = np.full(SHAPE, 1e6)
    error[:5] = 0.5
    bad = [(row, column) for row in range(5, 12) for column in range(15)]
    result = complete(error, *bad)
    np.testing.assert_array_equal(result.error, 0.5)
    assert result.n_filled == 0


def test_the_only_known_error_is_found() -> None:
    error = np.full((200, 150), np.nan)
    error[7, 11] = 0.5  # not one of those that are looked at first
    result = complete(error)
    np.testing.assert_array_equal(result.error, 0.5)
    assert result.n_filled == error.size - 1


@pytest.mark.parametrize("unknown", [np.nan, 0.0, -1.0, np.inf])
def test_plane_without_errors_has_none(unknown: float) -> None:
    result = complete(np.full(SHAPE, unknown), PIXEL)
    assert np.isnan(result.error).all()
    assert result.are_unknown
    assert result.n_filled == 0
    assert np.isnan(fill_error(np.full(SHAPE, unknown))).all()


def test_replaced_pixel_gains_the_scatter_around_its_median() -> None:
    image = noise(SHAPE, seed=1, sigma=3.0)
    row, column = PIXEL
    around = np.delete(image[row - 1 : row + 2, column - 1 : column + 2].ravel(), 4)
    scatter = np.sqrt(np.mean((around - np.median(around)) ** 2))
    result = clean_error(flat(7.0), cleaned(image, PIXEL))
    expected = flat(np.hypot(0.5, scatter))
    np.testing.assert_allclose(result.error, expected, rtol=1e-14)
    assert result.n_filled == 0  # it is a bad pixel, not a good one whose error is unknown


def test_scatter_of_a_few_pixels_is_that_of_a_wider_box_too() -> None:
    """In a corner three pixels are left of nine; here they are equal by chance."""
    image = np.full(SHAPE, 2.0)
    image[2, :3] = image[:2, 2] = 5.0
    result = clean_error(np.full(SHAPE, 0.5), cleaned(image, (0, 0)))
    # Of the eight others in a box of five clipped to three by three, five are off by 3 from a
    # median of 5, or three from one of 2: their own median is 5.
    scatter = np.sqrt(3 * 3.0**2 / 8)
    assert result.error[0, 0] == pytest.approx(np.hypot(0.5, scatter), rel=1e-14)


def test_pixels_off_the_science_area_have_the_errors_of_their_neighbours() -> None:
    image = noise(SHAPE, seed=2)
    off = cleaned(image, PIXEL, flag=DO_NOT_USE | NON_SCIENCE)
    assert off.n_zeroed == 1
    np.testing.assert_allclose(clean_error(flat(9.0), off).error, 0.5, rtol=1e-15)
