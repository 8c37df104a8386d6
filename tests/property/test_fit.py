"""Any shift within the range is found, whatever the images' size and brightness."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate import Image, noise, read_only, scene, shifted, transmission

from psfalign.fit.closure import close
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.pair import Pair
from psfalign.fit.result import PairFit, Status
from psfalign.fit.spectral import Psf, Science, Weighted
from psfalign.images.arrays import Background, Weighting
from psfalign.images.fourier import Shift
from psfalign.images.frames import Frame

shapes = st.tuples(st.integers(24, 41), st.integers(24, 41))
# Where both axes are even, noise at Nyquist's frequency of both has no mirror: its factor is
# cos(π (dx + dy)), as SciPy has it. Unit tests mirror images of even axes without that noise.
shapes_with_mirrors = st.tuples(st.integers(12, 20).map(lambda n: 2 * n + 1), st.integers(24, 41))
distances = st.floats(-10, 10)
seeds = st.integers(0, 1000)


backgrounds = st.sampled_from(["none", "fit", "plane"])
weightings = st.sampled_from(["mask", "mask+dq", "inverse_variance"])
# Turned images, and the shift (dx, dy) that they have.
turns = st.sampled_from(
    [
        (np.fliplr, lambda dx, dy: (-dx, dy)),
        (np.flipud, lambda dx, dy: (dx, -dy)),
        (np.transpose, lambda dx, dy: (dy, dx)),
        (np.rot90, lambda dx, dy: (dy, -dx)),
    ]
)


def fit(science: np.ndarray, psf: np.ndarray) -> PairFit:
    frames = [Frame(read_only(psf))]
    weight, options = transmission(science.shape), FitOptions(max_shift=10, background="none")
    return next(fit_shifts([Frame(read_only(science))], frames, weight, options=options))[0]


def fit_frames(
    science: Frame, psfs: list[Frame], weight: Image, weighting: Weighting
) -> list[PairFit]:
    options = FitOptions(weighting=weighting, background="fit", max_shift=10)
    return next(fit_shifts([science], psfs, weight, options=options))


def observed(image: Image, seed: int) -> Frame:
    """An image with noise, its variance, and a few pixels that were replaced."""
    variance = 1 + image.clip(0) / 10
    replaced = np.random.default_rng(seed).random(image.shape) < 0.01
    drawn = image + np.sqrt(variance) * noise(image.shape, seed=seed)
    return Frame(*map(read_only, (drawn, replaced, variance)))


@given(shapes, distances, distances, st.floats(-3, 3), seeds)
def test_known_shift_is_found(
    shape: tuple[int, int], dx: float, dy: float, magnitude: float, seed: int
) -> None:
    science, beta = scene(shape, seed=seed), 10.0**magnitude
    found = fit(science, beta * shifted(science, (dx, dy)))
    assert found.status is Status.OK
    # Without noise; Newton's last step is so short that its square is nothing.
    assert (found.dx, found.dy) == pytest.approx((dx, dy), abs=1e-7)
    assert found.beta == pytest.approx(beta, rel=1e-7)


# From 1e-30 to 1e30 times the usual: any unit of flux, far from where a fourth power overflows.
@given(shapes, st.integers(-100, 100), seeds)
def test_power_of_two_in_the_flux_changes_no_bit_of_the_shift(
    shape: tuple[int, int], power: int, seed: int
) -> None:
    science = scene(shape, seed=seed)
    psf = shifted(science, (1.2, -0.7)) + noise(shape, seed=seed)
    one, other = fit(science, psf), fit(science * 2.0**power, psf * 2.0**power)
    assert (one.dx, one.dy, one.beta) == (other.dx, other.dy, other.beta)


@given(st.integers(2, 6), st.integers(2, 6), seeds, st.data())
def test_closure_of_consistent_shifts_is_zero(
    n: int, k: int, seed: int, data: st.DataObject
) -> None:
    positions = noise((2, n + k), seed=seed, sigma=3.0)
    dx, dy = (p[n:] - p[:n, None] for p in positions)
    usable = np.array(data.draw(st.lists(st.booleans(), min_size=n * k, max_size=n * k)))
    usable = usable.reshape(n, k)
    found = close(np.where(usable, dx, np.nan), dy, np.full((n, k), 0.01), usable)
    residual = found.residual
    # A pair is contradicted by nothing where it is the only one of its row or column.
    alone = (usable.sum(axis=1) == 1)[:, None] | (usable.sum(axis=0) == 1)
    np.testing.assert_array_equal(np.isnan(residual), ~usable | alone)
    # Rounding of positions of a few pixels.
    np.testing.assert_allclose(residual[usable & ~alone], 0, rtol=0, atol=1e-11)
    assert not found.suspicious.any()


@given(shapes, distances, distances, st.floats(-3, 3), seeds)
def test_known_shift_is_found_to_five_sigma_in_noise(
    shape: tuple[int, int], dx: float, dy: float, magnitude: float, seed: int
) -> None:
    star, beta = scene(shape, seed=seed), 10.0**magnitude
    psf = beta * (shifted(star, (dx, dy)) + noise(shape, seed=seed + 1))
    found = fit(star + noise(shape, seed=seed), psf)
    assert found.status is Status.OK
    assert abs(found.dx - dx) < 5 * found.sigma_dx
    assert abs(found.dy - dy) < 5 * found.sigma_dy


@given(shapes_with_mirrors, turns, weightings, seeds)
def test_turned_images_have_turned_shifts(
    shape: tuple[int, int], turn: tuple[Callable, Callable], weighting: Weighting, seed: int
) -> None:
    star, (turned, moved) = scene(shape, seed=seed), turn
    frames = observed(star, seed), observed(shifted(star, (1.2, -0.7)), seed + 1)
    weight = transmission(shape)
    (one,) = fit_frames(frames[0], [frames[1]], weight, weighting)
    science, psf = (
        Frame(*(turned(plane).copy() for plane in (f.image, f.replaced, f.variance)))
        for f in frames
    )
    (other,) = fit_frames(science, [psf], turned(weight).copy(), weighting)
    assert one.status is other.status is Status.OK
    # Sums in another order round differently; propagated noise is summed in single precision.
    assert (other.dx, other.dy) == pytest.approx(moved(one.dx, one.dy), abs=1e-7)
    assert other.beta == pytest.approx(one.beta, rel=1e-7)
    sigmas = np.abs(moved(one.sigma_dx, one.sigma_dy))
    assert (other.sigma_dx, other.sigma_dy) == pytest.approx(sigmas, rel=1e-4)


@given(shapes, weightings, seeds, st.permutations(range(4)))
def test_order_of_psfs_does_not_matter(
    shape: tuple[int, int], weighting: Weighting, seed: int, order: list[int]
) -> None:
    star = scene(shape, seed=seed)
    offsets = [(0.2, 0.3), (-4.0, 2.5), (1.1, -0.9), (0.9, 0.1)]
    psfs = [observed(shifted(star, d), seed + i) for i, d in enumerate(offsets)]
    science, weight = observed(star, seed + 9), transmission(shape)
    listed = fit_frames(science, psfs, weight, weighting)
    shuffled = fit_frames(science, [psfs[i] for i in order], weight, weighting)
    for i, again in zip(order, shuffled, strict=True):
        # The table of C depends on who asks first: by 1e-14 of C, far below 1e-9 pixels.
        assert (again.dx, again.dy) == pytest.approx((listed[i].dx, listed[i].dy), abs=1e-9)
        assert again.sigma_dx == pytest.approx(listed[i].sigma_dx, rel=1e-5)


@given(shapes, weightings, st.sampled_from([np.nan, np.inf, -1e30]), seeds)
def test_garbage_under_zero_weight_changes_no_bit(
    shape: tuple[int, int], weighting: Weighting, garbage: float, seed: int
) -> None:
    star, weight = scene(shape, seed=seed), transmission(shape)
    weight[np.random.default_rng(seed).random(shape) < 0.05] = 0.0
    psf = observed(shifted(star, (0.7, -1.2)), seed)
    spoiled = Frame(np.where(weight == 0, garbage, psf.image), psf.replaced, psf.variance)
    science = observed(star, seed + 1)
    expected, found = (fit_frames(science, [p], weight, weighting) for p in (psf, spoiled))
    assert expected[0].status is Status.OK
    assert found == expected


@given(shapes, st.builds(Shift, distances, distances), backgrounds, seeds)
def test_derivatives_are_differences(
    shape: tuple[int, int], shift: Shift, background: Background, seed: int
) -> None:
    image, step = noise(shape, seed=seed), 1e-4
    weighted = Weighted(transmission(shape), background)
    science = Science.of(image, weighted)
    psf = Psf.of(noise(shape, seed=seed + 1), weighted)
    for term in (Pair(science, psf, weighted).cross, science.energy):
        here, (x, y) = term.at(shift), shift
        east, west, north, south = (
            term.at(Shift(x + i * step, y + j * step))
            for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))
        )
        # Central differences err by step² times the third derivative; of trigonometric
        # polynomials up to twice Nyquist's frequency that is (2π)³ times the size of the term.
        scale = science.energy.at(shift).value
        along_x, along_y = (
            (one - other) / (2 * step)
            for one, other in (
                (np.array([east.value, east.x, east.y]), np.array([west.value, west.x, west.y])),
                (
                    np.array([north.value, north.x, north.y]),
                    np.array([south.value, south.x, south.y]),
                ),
            )
        )
        np.testing.assert_allclose([here.x, here.xx, here.xy], along_x, rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose([here.y, here.xy, here.yy], along_y, rtol=0, atol=1e-5 * scale)


@settings(max_examples=10)
@given(st.integers(2, 8), st.integers(2, 12), st.floats(-2, 1), seeds)
def test_joint_shifts_are_never_worse_than_pairwise_ones(
    n: int, k: int, magnitude: float, seed: int
) -> None:
    """Of many campaigns with noise of all sizes, and the more the pairs the better."""
    sigma, rng = 10.0**magnitude, np.random.default_rng(seed)
    usable, errors = np.ones((n, k), dtype=bool), []
    for _ in range(40):
        u, t = rng.normal(0, 3, (2, n)), rng.normal(0, 3, (2, k))
        truth = t[:, None, :] - u[:, :, None]
        measured = truth + rng.normal(0, sigma, truth.shape)
        found = close(*measured, np.full((n, k), sigma), usable)
        errors.append((np.array([found.dx, found.dy]) - truth, measured - truth))
    joint, pairwise = (np.sqrt(np.mean(np.square(e))) for e in zip(*errors, strict=True))
    assert joint < pairwise
    # Of n k numbers, n + k - 1 are free; 40 campaigns of at least 8 numbers each.
    assert joint / pairwise == pytest.approx(np.sqrt((n + k - 1) / (n * k)), rel=0.2)
