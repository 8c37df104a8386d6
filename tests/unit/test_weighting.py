"""Weights of a pair of images."""

import numpy as np
import pytest
from simulate import Image, noise, read_only, scene, shifted, transmission

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import PairFit, Status
from psfalign.fit.weighting import pair_weight
from psfalign.images.arrays import Background, Weighting
from psfalign.images.fourier import Shift
from psfalign.images.frames import Frame

SHAPE = (16, 18)
NONE = np.zeros(SHAPE, dtype=bool)


def at(*pixels: tuple[int, int], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    chosen = np.zeros(shape, dtype=bool)
    for pixel in pixels:
        chosen[pixel] = True
    return read_only(chosen)


def frame(replaced: np.ndarray | None = NONE, variance: Image | None = None) -> Frame:
    return Frame(read_only(np.ones(SHAPE)), replaced, variance)


def weigh(science: Frame, psf: Frame, shift: Shift, weighting: Weighting, beta: float = 1.0):
    weight = read_only(transmission(SHAPE))
    return pair_weight(weight, science, psf, shift, beta, weighting=weighting)


def test_mask_alone_is_the_weight() -> None:
    touched = frame(at((5, 5)))
    weight = weigh(touched, touched, Shift(3.0, 2.0), "mask")
    np.testing.assert_array_equal(weight, transmission(SHAPE))


def test_replaced_pixels_are_left_out_where_they_end_up() -> None:
    science, psf = frame(at((5, 6))), frame(at((10, 11)))
    weight = weigh(science, psf, Shift(2.0, 1.5), "mask+dq")
    expected = transmission(SHAPE)
    expected[10, 11] = 0.0  # the psf's stays
    expected[6:8, 7:10] = 0.0  # the science's moves by (2, 1.5), and touches its neighbours
    expected[:2], expected[:, :2] = 0.0, 0.0  # here, another edge of the science comes in
    np.testing.assert_array_equal(weight, expected)


def test_frames_that_know_of_no_replaced_pixels_lose_only_the_edges() -> None:
    weight = weigh(frame(None), frame(None), Shift(0.0, -3.0), "mask+dq")
    expected = transmission(SHAPE)
    expected[-3:] = 0.0
    np.testing.assert_array_equal(weight, expected)


def test_inverse_variance_divides_by_the_error_of_the_residual() -> None:
    shift, beta = Shift(0.6, -0.3), 2.5
    science, psf = (0.5 + noise(SHAPE, seed=i) ** 2 for i in (1, 2))
    frames = frame(at((5, 6)), read_only(science)), frame(at((10, 11)), read_only(psf))
    weight = weigh(*frames, shift, "inverse_variance", beta)
    point = np.zeros(SHAPE)
    point[0, 0] = 1.0
    squared_kernel = shifted(point, shift) ** 2
    moved = sum(
        v * np.roll(squared_kernel, pixel, axis=(0, 1)) for pixel, v in np.ndenumerate(science)
    )
    expected = weigh(*frames, shift, "mask+dq") / np.sqrt(psf + beta**2 * moved)
    # Both sum a few hundred numbers of order 1, in their own order.
    np.testing.assert_allclose(weight, expected, rtol=1e-12)
    assert np.count_nonzero(weight == 0) > np.count_nonzero(transmission(SHAPE) == 0)


@pytest.mark.parametrize("known", ["science", "psf", "neither"])
def test_inverse_variance_gives_no_weight_without_variances(known: str) -> None:
    frames = [frame(NONE, np.ones(SHAPE) if name == known else None) for name in ("science", "psf")]
    assert not weigh(*frames, Shift(0.0, 0.0), "inverse_variance").any()


# In a fit

LARGE = (32, 40)
OFFSET = (1.3, -0.4)


def fit_with_bad_pixels(weighting: Weighting) -> PairFit:
    """Fit images whose filled pixels are wrong by as much as a tenth of the brightest pixel."""
    science = scene(LARGE)
    psf = shifted(science, OFFSET)
    in_science, in_psf = at((12, 14), (20, 22), shape=LARGE), at((15, 24), (13, 18), shape=LARGE)
    variance = np.full(LARGE, 1e-6)  # what the fit takes into account, though there is no noise
    science_frame = Frame(science, in_science, variance)
    psf_frame = Frame(psf + 10.0 * in_psf, in_psf, variance)
    options = FitOptions(weighting=weighting, background="none")
    return next(fit_shifts([science_frame], [psf_frame], transmission(LARGE), options=options))[0]


@pytest.mark.parametrize("weighting", ["mask+dq", "inverse_variance"])
def test_wrong_pixels_of_the_psf_move_only_the_fit_that_sees_them(weighting: Weighting) -> None:
    seeing, blind = fit_with_bad_pixels("mask"), fit_with_bad_pixels(weighting)
    assert seeing.status is blind.status is Status.OK
    assert np.hypot(seeing.dx - OFFSET[0], seeing.dy - OFFSET[1]) > 1e-3
    # What remains is an exact shift: good to the tolerance of the fit without noise.
    assert (blind.dx, blind.dy) == pytest.approx(OFFSET, abs=1e-7)
    assert blind.n_pixels < seeing.n_pixels


@pytest.mark.parametrize("weighting", ["mask+dq", "inverse_variance"])
@pytest.mark.parametrize("background", ["none", "fit"])
def test_psf_of_replaced_pixels_alone_is_not_fitted(
    weighting: Weighting, background: Background
) -> None:
    science, variance = scene(LARGE), np.ones(LARGE)
    filled = Frame(shifted(science, OFFSET), np.ones(LARGE, dtype=bool), variance)
    clean = Frame(science, np.zeros(LARGE, dtype=bool), variance)
    options = FitOptions(weighting=weighting, background=background)
    (result,) = next(fit_shifts([clean], [filled], transmission(LARGE), options=options))
    assert (result.status, result.n_pixels) == (Status.NO_WEIGHT, 0)
    assert np.isnan([result.dx, result.dy, result.beta]).all()
