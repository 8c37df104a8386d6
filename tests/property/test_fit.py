"""Any shift within the range is found, whatever the images' size and brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulate import noise, read_only, scene, shifted, transmission

from psfalign.closure import close
from psfalign.fit import PairFit, Status, fit_shifts
from psfalign.frames import Frame

shapes = st.tuples(st.integers(24, 41), st.integers(24, 41))
distances = st.floats(-10, 10)
seeds = st.integers(0, 1000)


def fit(science: np.ndarray, psf: np.ndarray) -> PairFit:
    frames = [Frame(read_only(psf))]
    return next(fit_shifts([Frame(read_only(science))], frames, transmission(science.shape)))[0]


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
