"""Aligned planes: the image, its error and its flags."""

import numpy as np
import pytest
from simulate import SHAPES, noise, read_only, scene, shifted

from psfalign.images.arrays import Errors
from psfalign.images.fourier import Shift, shift_variance
from psfalign.images.pixel_errors import fill_error
from psfalign.images.plane import Plane, failed_plane
from psfalign.images.shifted_psf import Movable

SHAPE = (32, 40)
SHIFT = Shift(1.3, -0.6)
NONE = read_only(np.zeros(SHAPE, dtype=bool))

# Transforms of numbers of order 100 round to some 1e-14.
ROUNDING = 1e-12
FLOAT32 = 6e-8  # half a unit in the last place, of 1


def plane(
    image: np.ndarray | None = None, error: np.ndarray | None = None, dq: np.ndarray | None = None
) -> Plane:
    return Plane(
        read_only(scene(SHAPE) if image is None else image),
        read_only(np.full(SHAPE, 0.1) if error is None else error),
        read_only(np.zeros(SHAPE, np.uint32) if dq is None else dq),
    )


def point(value: float, background: float = 0.0) -> np.ndarray:
    image = np.full(SHAPE, background)
    image[16, 20] = value
    return image


@pytest.mark.parametrize("shape", SHAPES)
def test_psf_moves_onto_the_science(shape: tuple[int, int]) -> None:
    science, zero = scene(shape), np.zeros(shape)
    psf = Plane(shifted(science, SHIFT), zero, zero.astype(np.uint32))
    moved, _ = Movable.of(psf, zero != 0).moved(Shift(-SHIFT.dx, -SHIFT.dy))
    np.testing.assert_allclose(moved, science, rtol=0, atol=ROUNDING)


def test_one_movable_plane_moves_many_times() -> None:
    movable = Movable.of(plane(), NONE)
    for shift in (SHIFT, Shift(-4.0, 0.5), SHIFT):
        moved, _ = movable.moved(shift)
        np.testing.assert_allclose(moved, shifted(scene(SHAPE), shift), atol=ROUNDING)


def moved_error(error: np.ndarray | None = None, errors: Errors = "variance") -> np.ndarray:
    _, moved = Movable.of(plane(error=error), NONE, errors=errors).moved(SHIFT)
    assert moved.dtype == np.float32
    return moved


def test_constant_error_stays() -> None:
    moved = moved_error()
    # Σ K² = 1 for all terms but Nyquist's, of which a shift by a part of a pixel loses some.
    assert np.all(moved <= 0.1 * (1 + FLOAT32))
    np.testing.assert_allclose(moved, 0.1, rtol=0.05)


@pytest.mark.parametrize("peak", [10.0, 1e4, 1e8])
def test_error_is_never_negative(peak: float) -> None:
    spike = point(peak, background=0.1)
    assert moved_error(spike).min() >= 0
    assert moved_error(spike, errors="fourier").min() < 0  # what upstream does


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -1.0, 0.0])
def test_one_unknown_error_stays_where_it_is(unknown: float) -> None:
    # The neighbours' 0.1 fills the gap exactly.
    np.testing.assert_array_equal(moved_error(point(unknown, background=0.1)), moved_error())


def test_large_errors_of_replaced_pixels_are_kept() -> None:
    error = read_only(point(1e4, background=0.1))
    np.testing.assert_array_equal(fill_error(error), error)


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (1, 5)])
def test_errors_of_small_images_are_filled_too(shape: tuple[int, int]) -> None:
    error = np.full(shape, 0.2)
    error[0, 0] = np.inf
    np.testing.assert_allclose(fill_error(error), 0.2, rtol=1e-15)


@pytest.mark.parametrize("errors", ["variance", "fourier"])
@pytest.mark.parametrize("unknown", [np.nan, -1.0, np.inf, 0.0])
def test_plane_without_any_error_has_none(unknown: float, errors: Errors) -> None:
    psf = plane(error=np.full(SHAPE, unknown))
    image, error = Movable.of(psf, NONE, errors=errors).moved(SHIFT)
    assert np.isnan(error).all()
    assert np.isfinite(image).all()


# Pixels off the science area


def test_sky_does_not_ring_where_the_science_area_ends() -> None:
    """Over a constant sky of 3, nothing but rounding is left of the step to 0."""
    off_science = np.zeros(SHAPE, dtype=bool)
    off_science[:, :7] = off_science[-3:] = True
    sky = np.where(off_science, 0.0, 3.0)
    moved, _ = Movable.of(plane(sky), read_only(off_science)).moved(Shift(2.5, -1.2))
    expected = np.full(SHAPE, 3.0)
    expected[:, 2:9], expected[-4:-1] = 0.0, 0.0  # moved by 2 and -1: halves round to even
    np.testing.assert_allclose(moved[:-1, 2:], expected[:-1, 2:], rtol=0, atol=ROUNDING)
    plain, _ = Movable.of(plane(sky), NONE).moved(Shift(2.5, -1.2))
    assert np.abs(plain[10, 12] - 3) > 0.05  # what it was without


@pytest.mark.parametrize("padding", [0, 4])
def test_pixels_off_science_that_leave_the_image_are_gone(padding: int) -> None:
    off_science = np.zeros(SHAPE, dtype=bool)
    off_science[:, 0] = True
    movable = Movable.of(plane(np.full(SHAPE, 3.0)), off_science, padding=padding)
    for dx in (-1.0, SHAPE[1] + 5.0):
        moved, _ = movable.moved(Shift(dx, 0.0))
        np.testing.assert_allclose(moved, 3.0, rtol=0, atol=ROUNDING)


def test_fourier_errors_are_shifted_as_an_image() -> None:
    error = np.abs(noise(SHAPE, seed=1))
    moved = moved_error(error, errors="fourier")
    np.testing.assert_allclose(moved, shifted(error, SHIFT), rtol=FLOAT32, atol=ROUNDING)


@pytest.mark.parametrize("unit", [1e-30, 1e-6, 1.0, 1e12, 1e30])
def test_variance_errors_are_the_root_of_the_propagated_variance(unit: float) -> None:
    error = np.abs(noise(SHAPE, seed=2))
    squared_kernel = shifted(np.roll(point(1.0), (-16, -20), (0, 1)), SHIFT) ** 2
    convolved = np.fft.ifft2(np.fft.fft2(error**2) * np.fft.fft2(squared_kernel)).real
    moved = moved_error(unit * error).astype(float) / unit
    np.testing.assert_allclose(moved, np.sqrt(convolved), rtol=2 * FLOAT32)


def test_root_in_single_precision_is_off_by_less_than_the_product_rounds() -> None:
    error = np.exp(3 * noise(SHAPE, seed=3))  # over some eight orders of magnitude
    double = np.sqrt(shift_variance(np.fft.rfft2(error**2), SHAPE, SHIFT))
    unit = np.spacing(double.astype(np.float32))
    # Half a unit in the last place is the product's own rounding. That of the variance makes up to
    # 0.5 / √2 more, where the variance is just above an odd power of two.
    assert np.all(np.abs(moved_error(error) - double) <= (0.5 + 0.5**1.5) * unit)


def test_failed_plane_is_nan_and_not_to_be_used() -> None:
    failed = failed_plane(SHAPE)
    assert np.isnan(failed.image).all()
    assert np.isnan(failed.error).all()
    assert failed.image.shape == failed.error.shape == SHAPE
    np.testing.assert_array_equal(failed.dq, np.ones(SHAPE, dtype=np.uint32))


def test_padding_keeps_content_from_coming_in_on_the_other_side() -> None:
    """A ramp ends high and starts low: shifted by a pixel, its step rings through all of it."""
    ramp = np.broadcast_to(np.linspace(0, 100, SHAPE[1]), SHAPE)
    expected = ramp - 100 / (SHAPE[1] - 1) * 0.5
    inside = slice(8, -8)
    errors = []
    for padding in (0, 16):
        movable = Movable.of(plane(ramp.copy()), NONE, padding=padding)
        moved, error = movable.moved(Shift(0.5, 0.0))
        assert moved.shape == error.shape == SHAPE
        errors.append(np.abs(moved - expected)[:, inside].max())
    assert errors[1] < 0.2 * errors[0]


@pytest.mark.parametrize("errors", ["variance", "fourier"])
def test_padding_changes_little_where_the_edges_are_dark(errors: Errors) -> None:
    # What the continuation adds is of the order of the scene's edges, 1e-3 of its peak or less.
    edges = np.abs(
        np.concatenate([scene(SHAPE)[[0, -1]].ravel(), scene(SHAPE)[:, [0, -1]].ravel()])
    )
    plain, padded = (
        Movable.of(plane(), NONE, errors=errors, padding=padding).moved(SHIFT) for padding in (0, 9)
    )
    inside = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(padded[0][inside], plain[0][inside], rtol=0, atol=edges.max())
    # An even axis loses part of Nyquist's term, one in N of the variance: of 32 and 40 rather 3 %.
    np.testing.assert_allclose(padded[1][inside], plain[1][inside], rtol=3e-2)
