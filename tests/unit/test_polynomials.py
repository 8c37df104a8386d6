"""B(d) and C(d) and their derivatives, against sums over pixels."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.fft import next_fast_len, rfft2
from simulate import SHAPES, noise, scene, shifted, transmission

from psfalign.fit.energy import (
    NARROW,
    WIDE,
    EnergyTerm,
    Expansion,
    energy_harmonics,
    fast_length,
    weight_harmonics,
)
from psfalign.fit.polynomials import CrossTerm, Jet
from psfalign.fit.spectral import Psf, Science, Weighted
from psfalign.images.fourier import Shift

STEP = 1e-3  # pixels
STENCIL = np.array(
    [[0, 0, 1, 0, 0], np.divide([1, -8, 0, 8, -1], 12), np.divide([-1, 16, -30, 16, -1], 12)]
) / STEP ** np.arange(3).reshape(-1, 1)
"""Central differences of fourth order for the value and two derivatives."""

SHIFTS = [(0.0, 0.0), (0.3, -0.7), (-1.4, 1.49), (2.5, -3.5), (-11.2, 9.9)]
each_shape = pytest.mark.parametrize("shape", [*SHAPES, (3, 4), (2, 2), (1, 6), (5, 1)])
each_shift = pytest.mark.parametrize("offset", SHIFTS)


def images(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """White science and psf images, the hardest for the Nyquist terms, and a weight."""
    return noise(shape, seed=1), noise(shape, seed=2), np.abs(noise(shape, seed=3))


def cross_of(shape: tuple[int, int]) -> tuple[CrossTerm, Callable[[float, float], float]]:
    s, p, w = images(shape)
    term = CrossTerm(rfft2(w**2 * p) * rfft2(s).conj(), shape)
    return term, lambda dx, dy: float(np.sum(w**2 * p * shifted(s, (dx, dy))))


def energy_term(s: np.ndarray, w: np.ndarray, expansion: Expansion) -> EnergyTerm:
    """Return C of a science image and a weight."""
    of_weight = weight_harmonics(rfft2(w**2), s.shape)
    return EnergyTerm(energy_harmonics(rfft2(s), s.shape) * of_weight, s.shape, expansion=expansion)


def energy_of(
    shape: tuple[int, int], expansion: Expansion = WIDE
) -> tuple[EnergyTerm, Callable[[float, float], float]]:
    s, _, w = images(shape)
    term = energy_term(s, w, expansion)
    return term, lambda dx, dy: float(np.sum(w**2 * shifted(s, (dx, dy)) ** 2))


def differences(function: Callable[[float, float], float], offset: tuple[float, float]) -> Jet:
    """Value and derivatives of a function of (dx, dy), from its values alone."""
    steps = STEP * np.arange(-2, 3)
    dx, dy = offset
    values = np.array([[function(dx + x, dy + y) for x in steps] for y in steps])
    return Jet.of(STENCIL @ values @ STENCIL.T)


def assert_jets_agree(
    ours: Jet,
    function: Callable[[float, float], float],
    offset: tuple[float, float],
    *,
    value: float,
    derivatives: float,
) -> None:
    """Compare with differences; tolerances are relative to the largest number of the jet."""
    numerical = differences(function, offset)
    scale = max(map(abs, numerical))
    assert ours.value == pytest.approx(function(*offset), abs=value * scale)
    np.testing.assert_allclose(ours, numerical, rtol=0, atol=derivatives * scale)


# The stencil is wrong by STEP⁴ (2π)⁶ / 90 = 7e-10 of the amplitude of the fastest term of C, and
# by rounding, 1e-16 / STEP² = 1e-10 times the square root of the number of pixels, a few dozens.
STENCIL_ERROR = 2e-8
# Over ±1.5 pixels, 28 Chebyshev terms leave J₂₈(3π) = 2e-11 of a term at the very limit of C's
# band, which white images have and real ones do not, and up to 28⁴ / (3 · 1.5²) = 1e5 times as
# much in a second derivative at the rim. Over ±0.15 pixels, 12 terms leave 2e-13. Newton's method ends at the centre or well inside.
TABLE_ERROR, TABLE_SLOPE_ERROR = 2e-11, 2e-6


@each_shape
@pytest.mark.parametrize("reach", [0, 1, 3])
def test_window_of_whole_pixels_is_a_part_of_the_grid(shape: tuple[int, int], reach: int) -> None:
    term, _ = cross_of(shape)
    near = np.arange(-reach, reach + 1)
    expected = term.on_grid()[np.ix_(near % shape[0], near % shape[1])]
    # Sums of about 5000 products of numbers of the order of 1, in another order.
    assert term.on_window(reach) == pytest.approx(expected, abs=1e-11)


@each_shape
@each_shift
def test_cross_term_is_the_sum_over_pixels(
    shape: tuple[int, int], offset: tuple[float, float]
) -> None:
    term, by_sum = cross_of(shape)
    ours = term.at(Shift(*offset))
    assert_jets_agree(ours, by_sum, offset, value=1e-13, derivatives=STENCIL_ERROR)


@each_shape
@each_shift
@pytest.mark.parametrize("expansion", [WIDE, NARROW])
def test_energy_term_is_the_sum_over_pixels(
    expansion: Expansion, shape: tuple[int, int], offset: tuple[float, float]
) -> None:
    term, by_sum = energy_of(shape, expansion)
    ours = term.at(Shift(*offset))
    assert_jets_agree(ours, by_sum, offset, value=TABLE_ERROR, derivatives=TABLE_SLOPE_ERROR)


@pytest.mark.parametrize("expansion", [WIDE, NARROW])
@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("y", [-1.0, 0.5, 1.0])
def test_one_table_serves_all_shifts_around(expansion: Expansion, x: float, y: float) -> None:
    term, by_sum = energy_of((12, 15), expansion)
    term.at(Shift(0.0, 0.0))
    offset = x * expansion.cell, y * expansion.cell
    ours = term.at(Shift(*offset))
    assert_jets_agree(ours, by_sum, offset, value=TABLE_ERROR, derivatives=TABLE_SLOPE_ERROR)
    assert len(term._cells) == 1


@pytest.mark.parametrize("offset", [(1.0, -2.0 + 1.05 * WIDE.cell), (1.0 - 1.05 * WIDE.cell, -2.0)])
def test_beyond_a_table_there_is_another(offset: tuple[float, float]) -> None:
    term, by_sum = energy_of((12, 15))
    term.at(Shift(1.0, -2.0))
    ours = term.at(Shift(*offset))
    assert_jets_agree(ours, by_sum, offset, value=TABLE_ERROR, derivatives=TABLE_SLOPE_ERROR)


@pytest.mark.parametrize("x", [-WIDE.cell, 0.0, WIDE.cell])
def test_energy_of_a_real_scene_is_exact_in_all_of_its_table(x: float) -> None:
    s, w = scene((12, 15)), transmission((12, 15))
    term = energy_term(s, w, WIDE)
    centre, offset = term.at(Shift(0.0, 0.0)), (x, -x)
    expected = np.sum((w * shifted(s, offset)) ** 2)
    # What there is beyond `simulate.BAND` is cut off: J₂₈(0.8 · 3π) = 2e-14.
    assert term.at(Shift(*offset)).value == pytest.approx(expected, abs=1e-13 * centre.value)


@pytest.mark.parametrize("rim", [-1.0, 1.0])
def test_rounding_beyond_the_rim_of_a_table_does_no_harm(rim: float) -> None:
    at_rim = rim * WIDE.cell
    np.testing.assert_array_equal(WIDE.at(at_rim * (1 + 2**-52)), WIDE.at(at_rim))


@each_shape
def test_cross_term_on_the_grid_is_its_value_there(shape: tuple[int, int]) -> None:
    term, by_sum = cross_of(shape)
    grid = term.on_grid()
    by_pixel = [[by_sum(dx, dy) for dx in range(shape[1])] for dy in range(shape[0])]
    np.testing.assert_allclose(grid, by_pixel, rtol=0, atol=1e-13 * np.prod(shape))


@each_shape
def test_cross_term_on_nodes_is_its_value_there(shape: tuple[int, int]) -> None:
    term, by_sum = cross_of(shape)
    dx, dy = np.array([0.3, -1.5, 2.0]), np.array([0.7, 1.0])
    by_pixel = [[by_sum(x, y) for x in dx] for y in dy]
    nodes = term.on_nodes(dx, dy)
    np.testing.assert_allclose(nodes, by_pixel, rtol=0, atol=1e-13 * np.prod(shape))


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (6, 7)])
def test_prepared_images_hold_the_sums(shape: tuple[int, int]) -> None:
    s, p, w = images(shape)
    _, energy_by_sum = energy_of(shape)
    weighted = Weighted(w)
    science, psf = Science.of(s, weighted), Psf.of(p, weighted)
    by_pixel = [[energy_by_sum(dx, dy) for dx in range(shape[1])] for dy in range(shape[0])]
    # Rounding of sums of some dozens of numbers of order 1.
    np.testing.assert_allclose(science.grid_energy, by_pixel, rtol=0, atol=1e-11)
    assert psf.energy == pytest.approx(np.sum((w * p) ** 2), rel=1e-13)
    assert weighted.n_pixels == w.size


def test_fast_length_is_that_of_scipy() -> None:
    lengths = [*range(1, 3000), 2**14 + 1]
    assert [fast_length(n) for n in lengths] == [next_fast_len(n, real=True) for n in lengths]
