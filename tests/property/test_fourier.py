"""Laws of the Fourier shift, for images of any size."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import rfft2
from simulate import BAND, low_pass, noise, read_only, shifted

from psfalign.images.fourier import Shift, shift_image, shift_variance

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
distances = st.floats(-50, 50)
shifts = st.builds(Shift, distances, distances)
seeds = st.integers(0, 2**32 - 1)

# Phases of up to 2π · 50 round to 1e-14 of themselves; sums of some hundred numbers of order 1.
ROUNDING = 1e-11

DRAWS, RATIO = 400, 0.05


@given(shapes, shifts, seeds)
def test_shift_is_that_of_scipy(shape: tuple[int, int], shift: Shift, seed: int) -> None:
    image = noise(shape, seed=seed)
    np.testing.assert_allclose(shift_image(image, shift), shifted(image, shift), atol=ROUNDING)


@given(shapes, shifts, shifts, seeds)
def test_shifts_add_up_below_nyquist(
    shape: tuple[int, int], one: Shift, other: Shift, seed: int
) -> None:
    image = low_pass(noise(shape, seed=seed), BAND)
    both = Shift(one.dx + other.dx, one.dy + other.dy)
    stepwise = shift_image(shift_image(image, one), other)
    np.testing.assert_allclose(stepwise, shift_image(image, both), atol=ROUNDING)


@given(shapes, shifts, seeds)
def test_sum_of_an_image_stays(shape: tuple[int, int], shift: Shift, seed: int) -> None:
    image = noise(shape, seed=seed)
    assert abs(shift_image(image, shift).sum() - image.sum()) < ROUNDING


@given(shapes, shifts, seeds)
def test_variance_is_not_negative_and_does_not_grow(
    shape: tuple[int, int], shift: Shift, seed: int
) -> None:
    variance = noise(shape, seed=seed) ** 2
    moved = shift_variance(rfft2(variance), shape, shift)
    assert moved.min() >= 0
    # Σ K² is at most 1: no factor of the shift is longer than that.
    assert moved.sum() <= variance.sum() + ROUNDING


@given(shapes, shifts, seeds)
def test_shift_and_back_is_nothing_below_nyquist(
    shape: tuple[int, int], shift: Shift, seed: int
) -> None:
    image = read_only(low_pass(noise(shape, seed=seed), BAND))
    back = shift_image(shift_image(image, shift), Shift(-shift.dx, -shift.dy))
    np.testing.assert_allclose(back, image, rtol=0, atol=ROUNDING)


@settings(max_examples=5)
@given(st.tuples(st.integers(24, 40), st.integers(24, 40)), shifts, seeds)
def test_variance_is_that_of_a_monte_carlo(shape: tuple[int, int], shift: Shift, seed: int) -> None:
    error = 1 + 9 * np.random.default_rng(seed).random(shape)
    expected = shift_variance(rfft2(error**2), shape, shift)
    drawn = np.random.default_rng(seed + 1).normal(0.0, error, (DRAWS, *shape))
    squares = sum(shift_image(image, shift) ** 2 for image in drawn)
    ratio = squares / DRAWS / expected
    # Each pixel's variance scatters by the root of 2 / DRAWS of itself, neighbours together.
    assert abs(ratio.mean() - 1) < RATIO
    np.testing.assert_allclose(ratio.std(), np.sqrt(2 / DRAWS), rtol=0.2)
