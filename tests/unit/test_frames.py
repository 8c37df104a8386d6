"""Psf images are aligned to each frame, the first, or the mean."""

import numpy as np
import pytest
from simulate import noise, scene, shifted

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import Status
from psfalign.images.frames import Frame, choose_frames, mean_frame

SHAPE = (3, 4)
LARGE = (32, 40)


def cube() -> list[Frame]:
    """Three frames, of whose pixels one is never good, one is twice, and one is once."""
    replaced = np.zeros((3, *SHAPE), dtype=bool)
    replaced[:, 0, 0] = replaced[2, 1, 1] = replaced[:2, 2, 3] = True
    return [Frame(noise(SHAPE, seed=i), replaced[i], np.full(SHAPE, 1.0 + i)) for i in range(3)]


def test_mean_is_that_of_good_values_pixel_by_pixel() -> None:
    frames, mean = cube(), mean_frame(cube())
    images = np.array([frame.image for frame in frames])
    expected = images.mean(axis=0)
    expected[1, 1], expected[2, 3] = images[:2, 1, 1].mean(), images[2, 2, 3]
    # The sum of three numbers rounds; so does a third of it.
    np.testing.assert_allclose(mean.image, expected, rtol=0, atol=1e-15)
    assert np.argwhere(mean.replaced).tolist() == [[0, 0]]
    variance = np.full(SHAPE, (1 + 2 + 3) / 9)
    variance[1, 1], variance[2, 3] = (1 + 2) / 4, 3
    variance[0, 0] = (1 + 2 + 3) / 3  # a value that was made up is not surer for being so thrice
    np.testing.assert_allclose(mean.variance, variance, rtol=1e-15)


@pytest.mark.parametrize("position", range(3))
def test_mean_leaves_out_integrations_without_a_good_pixel(position: int) -> None:
    good, empty = cube(), Frame(np.full(SHAPE, np.nan), np.ones(SHAPE, bool))
    mean = mean_frame([*good[:position], empty, *good[position:]])
    for name in ("image", "variance", "replaced"):
        np.testing.assert_array_equal(getattr(mean, name), getattr(mean_frame(cube()), name))
    assert np.isnan(mean_frame([empty, empty]).image).all()


def test_mean_of_frames_that_know_nothing_of_their_pixels() -> None:
    mean = mean_frame([Frame(np.ones((2, 2))), Frame(np.zeros((2, 2)))])
    assert np.all(mean.image == 0.5)
    assert mean.replaced is not None
    assert not mean.replaced.any()
    assert mean.variance is None


def test_mean_of_many_integrations_keeps_the_weight_of_pixels_that_are_bad_in_some() -> None:
    """Of 200, each with other 1 % of bad pixels, nearly every pixel is bad in one."""
    star, rng, level = scene(LARGE), np.random.default_rng(1), 0.5
    frames = []
    for i in range(200):
        replaced = rng.random(LARGE) < 0.01
        image = np.where(replaced, 1e3, star + noise(LARGE, seed=i, sigma=level))
        frames.append(Frame(image, replaced, np.full(LARGE, level**2)))
    assert np.mean([frame.replaced for frame in frames], axis=0).astype(bool).mean() > 0.8
    (mean,) = choose_frames(frames, "mean")
    offset, weight = (0.4, -0.3), np.ones(LARGE)
    psf = Frame(shifted(star, offset), np.zeros(LARGE, dtype=bool))
    options = FitOptions(weighting="mask+dq", max_shift=2)
    ((found,),) = fit_shifts([mean], [psf], weight, options=options)
    assert found.status is Status.OK
    assert found.n_pixels > 0.9 * weight.size  # but for the rows and columns that wrapped
    # Noise alone, which is white, is left: five sigma of it.
    assert abs(found.dx - offset[0]) < 5 * found.sigma_dx
    assert abs(found.dy - offset[1]) < 5 * found.sigma_dy
    assert found.sigma_dx < 0.01


def test_frames_to_align_to() -> None:
    frames = cube()
    assert list(choose_frames(frames, "each")) == frames
    assert list(choose_frames(frames, "first")) == frames[:1]
    (mean,) = choose_frames(frames, "mean")
    np.testing.assert_array_equal(mean.image, mean_frame(frames).image)
