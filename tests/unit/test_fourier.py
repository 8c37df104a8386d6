"""The Fourier shift of images and of variances."""

import numpy as np
import pytest
from scipy.fft import rfft2
from simulate import BAND, SHAPES, low_pass, noise, read_only, shifted

from psfalign.images.fourier import Shift, shift_image, shift_variance

SHIFTS = [(0.0, 0.0), (0.3, -0.7), (0.5, 0.5), (-0.5, 1.5), (3.0, -2.0), (17.25, -20.1)]
each_shape = pytest.mark.parametrize("shape", [*SHAPES, (1, 6), (2, 2), (3, 1)])
each_shift = pytest.mark.parametrize("offset", SHIFTS)

# Transforms of numbers of order 1 round to a few 1e-16 times the logarithm of their count.
ROUNDING = 1e-13


def kernel(shape: tuple[int, int], offset: tuple[float, float]) -> np.ndarray:
    """Shift a single bright pixel in the corner."""
    point = np.zeros(shape)
    point[0, 0] = 1.0
    return shifted(point, offset)


def variance_by_sum(variance: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Σ K² V, pixel by pixel."""
    squared = kernel(variance.shape, offset) ** 2
    total = np.zeros_like(variance)
    for (row, column), v in np.ndenumerate(variance):
        total += v * np.roll(squared, (row, column), axis=(0, 1))
    return total


@each_shape
@each_shift
def test_shift_is_that_of_scipy(shape: tuple[int, int], offset: tuple[float, float]) -> None:
    image = read_only(noise(shape, seed=1))  # white: all frequencies, Nyquist's above all
    ours = shift_image(image, Shift(*offset))
    np.testing.assert_allclose(ours, shifted(image, offset), rtol=0, atol=ROUNDING)


@each_shape
def test_whole_pixels_only_roll(shape: tuple[int, int]) -> None:
    image = noise(shape, seed=2)
    rolled = np.roll(image, (-1, 2), axis=(0, 1))
    np.testing.assert_allclose(shift_image(image, Shift(2.0, -1.0)), rolled, rtol=0, atol=ROUNDING)


def test_positive_shift_goes_to_higher_column_and_row() -> None:
    image = np.zeros((8, 10))
    image[2, 3] = 1.0
    assert shift_image(image, Shift(dx=4.0, dy=1.0))[3, 7] == pytest.approx(1.0, abs=ROUNDING)


@each_shape
def test_back_and_forth_is_nothing_below_nyquist(shape: tuple[int, int]) -> None:
    image = low_pass(noise(shape, seed=3), BAND)
    moved = shift_image(shift_image(image, Shift(0.4, -1.3)), Shift(-0.4, 1.3))
    np.testing.assert_allclose(moved, image, rtol=0, atol=ROUNDING)


@each_shape
@each_shift
def test_variance_is_the_sum_over_the_squared_kernel(
    shape: tuple[int, int], offset: tuple[float, float]
) -> None:
    variance = noise(shape, seed=4) ** 2
    spectrum = read_only(rfft2(variance))
    ours = shift_variance(spectrum, shape, Shift(*offset))
    expected = variance_by_sum(variance, offset)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=ROUNDING * variance.max())


@pytest.mark.parametrize("shape", [(8, 10), (9, 7)])
def test_variance_is_that_of_many_noisy_images(shape: tuple[int, int]) -> None:
    variance = 0.1 + noise(shape, seed=5) ** 2
    offset, draws = (0.37, -0.61), 2000
    noisy = np.random.default_rng(6).normal(size=(draws, *shape)) * np.sqrt(variance)
    measured = np.var([shift_image(image, Shift(*offset)) for image in noisy], axis=0)
    ours = shift_variance(rfft2(variance), shape, Shift(*offset))
    # A variance from n normal numbers has a relative error of √(2/n), here 3 %; five of them.
    np.testing.assert_allclose(measured, ours, rtol=5 * np.sqrt(2 / draws))


@each_shift
def test_variance_of_a_single_noisy_pixel_is_not_negative(offset: tuple[float, float]) -> None:
    variance = np.zeros((16, 18))
    variance[3, 5] = 1e12
    assert shift_variance(rfft2(variance), variance.shape, Shift(*offset)).min() >= 0
