"""What psf images leave of a science image, each at the flux that fits it best."""

import numpy as np
import pytest

from psfalign.images.arrays import Background
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.subtraction import (
    radial_scatter,
    scatter_of_psfs,
    shift_psf,
    subtract_psfs,
    weighted_rms,
)

SHAPE = (24, 30)
ROWS, COLUMNS = np.indices(SHAPE)
PLANE = 4.0 + 0.3 * ROWS - 0.2 * COLUMNS
WEIGHT = np.ones(SHAPE)
WEIGHT[10:14, 12:18] = 0.25


def star(column: float, row: float) -> np.ndarray:
    return 80 * np.exp(-((COLUMNS - column) ** 2 + (ROWS - row) ** 2) / 8)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, SHAPE)


@pytest.mark.parametrize(
    ("background", "below"),
    [("none", 0.0), ("fit", 4.0), ("plane", PLANE)],
    ids=["none", "fit", "plane"],
)
def test_flux_and_background_are_fitted(background: Background, below: object) -> None:
    psf = star(15, 12)
    states = [(np.roll(psf, 2, axis=1), psf)]
    made = subtract_psfs(2.5 * psf + below, states, WEIGHT, background)
    # Nothing but rounding is left; without its flux or its background, some units would be.
    assert made.rms[0, 1] < 1e-9
    np.testing.assert_allclose(made.aligned, 0, atol=1e-9)
    np.testing.assert_allclose(np.ptp(made.psf), 2.5 * np.ptp(psf), rtol=1e-9)
    assert made.rms[0, 0] > 5  # a star of 200 that is two pixels off
    np.testing.assert_allclose(made.science, made.psf + made.aligned)


def test_a_psf_image_full_of_noise_is_never_worse_than_nothing() -> None:
    """1/beta, the scale of a fit of the psf by the science image, would be too large there."""
    science, psf = 0.3 * star(15, 12) + 9 * noise(1), 0.3 * star(15, 12) + 9 * noise(2)
    made = subtract_psfs(science, [(psf, psf)], WEIGHT, "none")
    squared = WEIGHT**2
    beta = np.vdot(squared, psf * science) / np.vdot(squared, science**2)
    assert weighted_rms(made.aligned, WEIGHT) <= weighted_rms(science, WEIGHT)
    assert weighted_rms(science - psf / beta, WEIGHT) > weighted_rms(science, WEIGHT)


def test_gain_is_the_median_over_psf_images() -> None:
    psf = star(15, 12)
    states = [(star(15 + d, 12) + noise(n), psf + noise(n)) for n, d in enumerate((1, 2, 4))]
    made = subtract_psfs(psf, states, WEIGHT, "none")
    ratios = made.rms[:, 0] / made.rms[:, 1]
    assert ratios[0] < ratios[1] < ratios[2]
    assert made.gain == ratios[1]


def test_rms_counts_pixels_by_the_square_of_their_weight() -> None:
    weight = np.array([[1.0, 0.5, 0.0]])
    assert weighted_rms(np.array([[3.0, 1.0, 99.0]]), weight) == pytest.approx(
        np.sqrt((9 + 0.25) / 1.25)
    )


def test_psf_images_of_several_fluxes_do_not_differ() -> None:
    psf = star(15, 12)
    mean, scatter = scatter_of_psfs(np.array([psf, 3 * psf]), WEIGHT)
    np.testing.assert_allclose(mean, 2 * psf)
    np.testing.assert_allclose(scatter, 0, atol=1e-12)


def test_a_psf_image_is_shifted_with_room_between_its_edges() -> None:
    psf = star(15, 12) + PLANE
    np.testing.assert_array_equal(shift_psf(psf, 0.3, -0.2, 0), shift_image(psf, Shift(0.3, -0.2)))
    padded = shift_psf(psf, 0.3, -0.2, 6)
    assert padded.shape == SHAPE
    assert np.abs(padded - shift_psf(psf, 0.3, -0.2, 0)).max() > 0.1  # a ramp wraps around


def test_scatter_is_that_of_rings_about_the_star() -> None:
    radii = 0.1 * np.hypot(COLUMNS - 12.0, ROWS - 11.0)  # arcsec
    radius, scatter = radial_scatter(np.where(radii < 0.5, 3.0, 1.0), radii)
    assert set(scatter[radius < 0.45]) == {3.0}
    assert set(scatter[radius > 0.55]) == {1.0}
    # What is not known does not count.
    unknown = np.where(np.indices(radii.shape)[1] % 2, np.nan, 2.0)
    np.testing.assert_allclose(radial_scatter(unknown, radii)[1], 2.0)
    # Rings end where the nearest pair of edges does.
    assert 0.9 < radius.max() < 1.3
