"""Closure: the pairs whose shift contradicts the others stand out."""

import numpy as np
import pytest
from simulate import read_only

from psfalign.closure import closure

# Pixels; positions of a few pixels, solved for by least squares, round by some 1e-16 of them.
ROUNDING = 1e-12


def consistent(n_integrations: int, n_psfs: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Shifts that follow from a position of each image."""
    rng = np.random.default_rng(seed)
    u, t = rng.normal(0, 3, (2, n_integrations)), rng.normal(0, 3, (2, n_psfs))
    dx, dy = t[:, None, :] - u[:, :, None]
    return read_only(dx), read_only(dy)


def everywhere(shape: tuple[int, ...]) -> np.ndarray:
    return read_only(np.ones(shape, dtype=bool))


@pytest.mark.parametrize("shape", [(2, 2), (2, 7), (5, 3), (20, 9)])
def test_shifts_of_positions_close(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(
        closure(*consistent(*shape), everywhere(shape)), 0, rtol=0, atol=ROUNDING
    )


def test_one_wrong_pair_stands_out() -> None:
    n, k, (i, j) = 5, 4, (3, 1)
    dx, dy = (d.copy() for d in consistent(n, k))
    dx[i, j] += 0.3
    dy[i, j] -= 0.4
    # Of a residual of 0.5, least squares leaves what the means of its row and column do not take.
    row, column = np.eye(n)[i] - 1 / n, np.eye(k)[j] - 1 / k
    expected = 0.5 * np.abs(np.outer(row, column))
    residual = closure(dx, dy, everywhere((n, k)))
    np.testing.assert_allclose(residual, expected, rtol=0, atol=ROUNDING)
    assert np.unravel_index(residual.argmax(), residual.shape) == (i, j)


def test_pairs_that_are_not_usable_have_none_and_spoil_none() -> None:
    dx, dy = (d.copy() for d in consistent(4, 5))
    usable = everywhere((4, 5)).copy()
    usable[1, 2] = usable[3, 0] = False
    dx[1, 2], dy[3, 0] = np.nan, 1e6
    residual = closure(read_only(dx), read_only(dy), read_only(usable))
    np.testing.assert_array_equal(np.isnan(residual), ~usable)
    np.testing.assert_allclose(residual[usable], 0, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (0, 0), (3, 0)])
def test_shifts_that_nothing_can_contradict_have_none(shape: tuple[int, int]) -> None:
    residual = closure(*consistent(*shape), everywhere(shape))
    assert residual.shape == shape
    assert np.isnan(residual).all()


def test_psf_or_integration_without_a_usable_pair_is_harmless() -> None:
    dx, dy = consistent(4, 4)
    usable = everywhere((4, 4)).copy()
    usable[2], usable[:, 1] = False, False
    residual = closure(dx, dy, usable)
    np.testing.assert_array_equal(np.isnan(residual), ~usable)
    np.testing.assert_allclose(residual[usable], 0, rtol=0, atol=ROUNDING)
