"""Aligned planes: the image, its error and its flags."""

import numpy as np
import pytest
from simulate import SHAPES, noise, read_only, scene, shifted

from psfalign.align import Movable, Plane, failed_plane, fill_error
from psfalign.flags import move_flags
from psfalign.fourier import Shift

SHAPE = (32, 40)
SHIFT = Shift(1.3, -0.6)
HOT = 2048
NONE = read_only(np.zeros(SHAPE, dtype=bool))

# Transforms of numbers of order 100 round to some 1e-14.
ROUNDING = 1e-12


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
    moved = Movable.of(psf, zero != 0).moved(Shift(-SHIFT.dx, -SHIFT.dy))
    np.testing.assert_allclose(moved.image, science, rtol=0, atol=ROUNDING)


def test_one_movable_plane_moves_many_times() -> None:
    movable = Movable.of(plane(), NONE)
    for shift in (SHIFT, Shift(-4.0, 0.5), SHIFT):
        moved = movable.moved(shift)
        np.testing.assert_allclose(moved.image, shifted(scene(SHAPE), shift), atol=ROUNDING)


def test_constant_error_stays() -> None:
    moved = Movable.of(plane(), NONE).moved(SHIFT)
    # Σ K² = 1 for all terms but Nyquist's, of which a shift by a part of a pixel loses some.
    assert np.all(moved.error <= 0.1 + ROUNDING)
    np.testing.assert_allclose(moved.error, 0.1, rtol=0.05)


@pytest.mark.parametrize("peak", [10.0, 1e4, 1e8])
def test_error_is_never_negative(peak: float) -> None:
    spike = point(peak, background=0.1)
    moved = Movable.of(plane(error=spike), NONE).moved(SHIFT)
    assert moved.error.min() >= 0
    shifted_as_an_image = Movable.of(plane(error=spike), NONE, errors="fourier").moved(SHIFT)
    assert shifted_as_an_image.error.min() < 0  # what upstream does


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -1.0])
def test_one_unknown_error_stays_where_it_is(unknown: float) -> None:
    moved = Movable.of(plane(error=point(unknown, background=0.1)), NONE).moved(SHIFT)
    expected = Movable.of(plane(), NONE).moved(SHIFT)
    # The neighbours' 0.1 fills the gap exactly.
    np.testing.assert_array_equal(moved.error, expected.error)


def test_error_of_a_replaced_pixel_comes_from_its_neighbours() -> None:
    replaced = read_only(point(1.0) != 0)
    error = read_only(point(7.0, background=0.1))
    filled = fill_error(error, replaced)
    np.testing.assert_array_equal(filled, np.full(SHAPE, 0.1))
    np.testing.assert_array_equal(fill_error(error, NONE), error)
    moved = Movable.of(plane(error=error), replaced).moved(SHIFT)
    np.testing.assert_array_equal(moved.error, Movable.of(plane(), NONE).moved(SHIFT).error)


@pytest.mark.parametrize("unknown", [np.nan, -1.0])
def test_plane_without_any_error_has_the_error_zero(unknown: float) -> None:
    moved = Movable.of(plane(error=np.full(SHAPE, unknown)), NONE).moved(SHIFT)
    assert np.all(moved.error == 0)
    assert np.isfinite(moved.image).all()


def test_fourier_errors_are_shifted_as_an_image() -> None:
    error = np.abs(noise(SHAPE, seed=1))
    # Replaced pixels keep the error they have, as upstream.
    movable = Movable.of(plane(error=error), read_only(point(1.0) != 0), errors="fourier")
    np.testing.assert_allclose(movable.moved(SHIFT).error, shifted(error, SHIFT), atol=ROUNDING)


def test_variance_errors_are_the_root_of_the_propagated_variance() -> None:
    error = np.abs(noise(SHAPE, seed=2))
    squared_kernel = shifted(np.roll(point(1.0), (-16, -20), (0, 1)), SHIFT) ** 2
    convolved = np.fft.ifft2(np.fft.fft2(error**2) * np.fft.fft2(squared_kernel)).real
    moved = Movable.of(plane(error=error), NONE).moved(SHIFT)
    np.testing.assert_allclose(moved.error**2, convolved, rtol=0, atol=ROUNDING)


def test_flags_go_along() -> None:
    dq = (HOT * point(1.0)).astype(np.uint32)
    moved = Movable.of(plane(dq=dq), NONE).moved(SHIFT)
    np.testing.assert_array_equal(moved.dq, move_flags(dq, SHIFT))
    assert np.any(moved.dq & HOT)


def test_failed_plane_is_nan_and_not_to_be_used() -> None:
    failed = failed_plane(SHAPE)
    assert np.isnan(failed.image).all()
    assert np.isnan(failed.error).all()
    assert failed.image.shape == failed.error.shape == SHAPE
    np.testing.assert_array_equal(failed.dq, np.ones(SHAPE, dtype=np.uint32))
