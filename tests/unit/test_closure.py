"""Closure: the pairs whose shift contradicts the others stand out."""

import numpy as np
import pytest
from simulate import read_only

from psfalign.fit.closure import Closure, close

# Pixels; positions of a few pixels, solved for by least squares, round by some 1e-16 of them.
ROUNDING = 1e-12


def consistent(n_integrations: int, n_psfs: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Shifts that follow from a position of each image."""
    rng = np.random.default_rng(seed)
    u, t = rng.normal(0, 3, (2, n_integrations)), rng.normal(0, 3, (2, n_psfs))
    dx, dy = t[:, None, :] - u[:, :, None]
    return read_only(dx), read_only(dy)


def solve(dx: np.ndarray, dy: np.ndarray, usable: np.ndarray, sigma: float = 0.01) -> Closure:
    return close(dx, dy, read_only(np.full(dx.shape, sigma)), usable)


def everywhere(shape: tuple[int, ...]) -> np.ndarray:
    return read_only(np.ones(shape, dtype=bool))


@pytest.mark.parametrize("shape", [(2, 2), (2, 7), (5, 3), (20, 9)])
def test_shifts_of_positions_close(shape: tuple[int, int]) -> None:
    dx, dy = consistent(*shape)
    found = solve(dx, dy, everywhere(shape))
    np.testing.assert_allclose(found.residual, 0, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose([found.dx, found.dy], [dx, dy], rtol=0, atol=ROUNDING)
    assert not found.suspicious.any()


def test_one_pair_that_is_off_by_a_little_stands_out() -> None:
    n, k, (i, j) = 5, 4, (3, 1)
    dx, dy = (d.copy() for d in consistent(n, k))
    dx[i, j] += 0.03
    dy[i, j] -= 0.04
    # Of a residual of 0.05, least squares leaves what the means of its row and column do not take.
    row, column = np.eye(n)[i] - 1 / n, np.eye(k)[j] - 1 / k
    expected = 0.05 * np.abs(np.outer(row, column))
    found = solve(dx, dy, everywhere((n, k)), sigma=0.02)
    np.testing.assert_allclose(found.residual, expected, rtol=0, atol=ROUNDING)
    assert np.unravel_index(found.residual.argmax(), (n, k)) == (i, j)
    assert not found.suspicious.any()


def test_pairs_that_are_quite_wrong_are_suspicious_and_spoil_none() -> None:
    true_dx, true_dy = consistent(6, 9)
    dx, dy = true_dx.copy(), true_dy.copy()
    wrong = np.zeros((6, 9), dtype=bool)
    wrong[3, 1] = wrong[0, 8] = wrong[3, 5] = True
    dx[wrong] += [2.0, 0.1, -1.0]
    found = solve(dx, dy, everywhere((6, 9)))
    np.testing.assert_array_equal(found.suspicious, wrong)
    np.testing.assert_allclose([found.dx, found.dy], [true_dx, true_dy], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found.residual[wrong], [2.0, 0.1, 1.0], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found.residual[~wrong], 0, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("sigma", "suspicious"), [(0.018, True), (0.0201, False)])
def test_suspicion_starts_at_five_sigma(sigma: float, suspicious: bool) -> None:
    dx, dy = (d.copy() for d in consistent(6, 9))
    dx[2, 4] += 0.1
    found = solve(dx, dy, everywhere((6, 9)), sigma)
    assert found.suspicious[2, 4] == suspicious
    assert found.suspicious.sum() == suspicious


def test_images_that_do_not_move_rigidly_are_not_all_suspicious() -> None:
    """Where real scatter is far beyond the uncertainties, its own size is the measure."""
    rng = np.random.default_rng(3)
    dx, dy = (d + rng.normal(0, 0.05, d.shape) for d in consistent(20, 30))
    # Of 600 lengths, one in 3e5 is beyond five sigma.
    assert not solve(dx, dy, everywhere((20, 30)), sigma=1e-3).suspicious.any()


@pytest.mark.parametrize(("distance", "suspicious"), [(4.5, False), (5.6, True)])
def test_scatter_beyond_the_uncertainties_is_measured(distance: float, suspicious: bool) -> None:
    """A pair is suspicious from five times the standard deviation of all along an axis."""
    scatter, rng = 0.008, np.random.default_rng(4)
    dx, dy = (d + rng.normal(0, scatter, d.shape) for d in consistent(20, 30))
    true_dx, true_dy = consistent(20, 30)
    dx[7, 11], dy[7, 11] = true_dx[7, 11] + distance * scatter, true_dy[7, 11]
    # Positions are known to a quarter of the scatter, which itself is known to 4 %.
    assert solve(dx, dy, everywhere((20, 30)), sigma=1e-3).suspicious[7, 11] == suspicious


def test_of_two_by_two_pairs_nobody_knows_which_is_wrong() -> None:
    """All residuals are equal, and may not excuse each other."""
    dx, dy = (d.copy() for d in consistent(2, 2))
    dx[0, 1] += 3
    found = solve(dx, dy, everywhere((2, 2)))
    assert found.suspicious.all()
    np.testing.assert_allclose(found.residual, 0.75, rtol=1e-3)
    assert np.isnan([found.dx, found.dy]).all()


def test_what_condemned_both_pairs_of_a_psf_is_told() -> None:
    dx, dy = (d.copy() for d in consistent(2, 5))
    dx[0, 1] += 3
    found = solve(dx, dy, everywhere((2, 5)))
    np.testing.assert_array_equal(np.nonzero(found.suspicious), [[0, 1], [1, 1]])
    np.testing.assert_allclose(found.residual[:, 1], 1.5, rtol=1e-2)
    assert np.isnan(found.dx[:, 1]).all()


def test_parts_that_only_suspicious_pairs_join_imply_nothing_of_each_other() -> None:
    """Two blocks of pairs, and two pairs between them that contradict each other."""
    true_dx, true_dy = consistent(4, 4)
    usable = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    usable[0, 2] = usable[1, 3] = True
    dx = true_dx.copy()
    dx[0, 2] += 3
    found = solve(dx, true_dy, read_only(usable))
    between = np.zeros((4, 4), dtype=bool)
    between[0, 2] = between[1, 3] = True
    np.testing.assert_array_equal(found.suspicious, between)
    assert (found.residual[between] > 1).all()
    assert np.isnan(found.dx[between]).all()
    inside = usable & ~between
    np.testing.assert_allclose(found.dx[inside], true_dx[inside], rtol=0, atol=ROUNDING)


def test_precise_pairs_count_more() -> None:
    rng = np.random.default_rng(5)
    true_dx, true_dy = consistent(12, 15)
    sigma = np.where(rng.random((12, 15)) < 0.5, 0.002, 0.05)
    errors = []
    for weights in (sigma, np.full_like(sigma, 0.05)):
        noise = np.random.default_rng(6)
        dx, dy = (d + sigma * noise.normal(size=d.shape) for d in (true_dx, true_dy))
        errors.append(np.std(close(dx, dy, weights, everywhere((12, 15))).dx - true_dx))
    # 0.09 with these draws; with weights of 1 / sigma it would be 0.125.
    assert errors[0] < 0.1 * errors[1]


def test_imprecise_pairs_make_no_precise_one_suspicious() -> None:
    """Eleven that err alike within their sigma, and one that is fifty times as precise, and right."""
    dx, dy = (d.copy() for d in consistent(12, 6))
    sigma = np.full(dx.shape, 0.002)
    sigma[1:, 0], dx[1:, 0] = 0.1, dx[1:, 0] + 0.08
    # Weighted by 1 / sigma, they would pull the position by eleven times 0.8 of the small sigma.
    assert not close(dx, dy, sigma, everywhere(dx.shape)).suspicious.any()


def test_pairs_that_are_not_usable_have_none_and_spoil_none() -> None:
    dx, dy = (d.copy() for d in consistent(4, 5))
    usable = everywhere((4, 5)).copy()
    usable[1, 2] = usable[3, 0] = False
    dx[1, 2], dy[3, 0] = np.nan, 1e6
    residual = solve(read_only(dx), read_only(dy), read_only(usable)).residual
    np.testing.assert_array_equal(np.isnan(residual), ~usable)
    np.testing.assert_allclose(residual[usable], 0, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (0, 0), (3, 0)])
def test_shifts_that_nothing_can_contradict_have_none(shape: tuple[int, int]) -> None:
    found = solve(*consistent(*shape), everywhere(shape))
    assert found.residual.shape == found.suspicious.shape == shape
    assert np.isnan(found.residual).all()
    assert not found.suspicious.any()


def test_psf_or_integration_without_a_usable_pair_is_harmless() -> None:
    dx, dy = consistent(4, 4)
    usable = everywhere((4, 4)).copy()
    usable[2], usable[:, 1] = False, False
    residual = solve(dx, dy, usable).residual
    np.testing.assert_array_equal(np.isnan(residual), ~usable)
    np.testing.assert_allclose(residual[usable], 0, rtol=0, atol=ROUNDING)
