"""The curve of noise: known noise, the correction for few samples, sources of known flux."""

import numpy as np
import pytest
from scipy.stats import norm, t

from psfalign.images.contrast import (
    aperture_share,
    aperture_sums,
    measure_noise,
    small_sample_factor,
)

FWHM = 4.0
STAR = 60.0, 60.0


def test_white_noise_gives_its_own_scatter() -> None:
    noise = np.random.default_rng(1).normal(0, 2.0, (121, 121))
    curve = measure_noise(noise, STAR, FWHM)
    weight = aperture_sums(np.eye(1, 1), 1.0)  # one pixel counts once
    assert weight.shape == (1, 1)
    point = np.zeros((31, 31))
    point[15, 15] = 1
    squares = np.nansum(aperture_sums(point, FWHM) ** 2)
    expected = 5 * 2.0 * np.sqrt(squares)
    # A ring of n apertures knows its scatter to 1 / sqrt(2 n).
    ratio = curve.limit / curve.factor / expected
    tolerance = 4 / np.sqrt(2 * curve.n_samples)
    assert np.all(np.abs(ratio - 1) < tolerance)
    assert np.average(ratio, weights=curve.n_samples) == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(curve.separation, FWHM * np.arange(1, 1 + len(curve.separation)))


@pytest.mark.parametrize("n", [4, 6, 12, 50, 1000])
def test_the_factor_is_that_of_students_distribution(n: int) -> None:
    expected = t.isf(norm.sf(5), n - 1) * np.sqrt(1 + 1 / n) / 5
    assert small_sample_factor(n) == pytest.approx(expected, rel=1e-9)


def test_the_factor_keeps_the_rate_of_false_alarms() -> None:
    """As a rate of 5 sigma cannot be drawn, it is that of the formula at two sigma."""
    rng = np.random.default_rng(4)
    n, draws = 6, 200_000
    ring = rng.normal(size=(draws, n + 1))
    others = ring[:, 1:]
    threshold = t.isf(norm.sf(2), n - 1) * np.sqrt(1 + 1 / n) * others.std(axis=1, ddof=1)
    rate = np.mean(ring[:, 0] - others.mean(axis=1) > threshold)
    assert rate == pytest.approx(norm.sf(2), abs=0.0015)  # 4 sigma of the count


def test_apertures_that_miss_a_pixel_are_left_out() -> None:
    image = np.random.default_rng(1).normal(size=(121, 121))
    image[:60] = np.nan
    half, whole = (measure_noise(one, STAR, FWHM) for one in (image, np.nan_to_num(image)))
    ring = whole.n_samples[whole.separation == 40.0].item()
    assert half.n_samples[half.separation == 40.0].item() == pytest.approx(ring / 2, abs=3)
    assert measure_noise(np.full((40, 40), np.nan), (20, 20), FWHM).limit.size == 0


def test_an_aperture_holds_half_of_a_gaussian() -> None:
    # Of a continuous Gaussian, exactly one half; pixels blur the rim.
    assert aperture_share(8.0) == pytest.approx(0.5, abs=0.005)
    assert aperture_share(2.3) == pytest.approx(0.5, abs=0.06)
