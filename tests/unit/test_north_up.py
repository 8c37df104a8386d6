"""Images turned north up and combined: sources of known place and flux, in all orientations."""

from typing import Any

import numpy as np
import pytest

from psfalign.images.north_up import Grid, Placement, Turning, combine, enclosing_grid, median

SHAPE = 60, 70
STAR = 33.4, 28.7  # column, row
SCALE = 0.06
ANGLES = (0.0, 37.0, 118.0, 205.0, 301.0)


def place(angle: float, parity: int = -1) -> Placement:
    """Rows towards an angle, columns at a right angle to it and 3 % larger, with 0.5° of skew."""
    rows, columns = np.radians(angle), np.radians(angle + 0.5 + 90 * parity)
    matrix = SCALE * np.array(
        [[1.03 * np.sin(columns), np.sin(rows)], [1.03 * np.cos(columns), np.cos(rows)]]
    )
    return Placement(*STAR, matrix)


def source(where: Placement, separation: float, angle: float, width: float = 1.3) -> Any:
    """A Gaussian at a separation (arcsec) and position angle, 1 high, in pixels of an image."""
    offset = separation * np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    column, row = np.add(np.linalg.solve(where.matrix, offset), (where.column, where.row))
    rows, columns = np.indices(SHAPE)
    return np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / (2 * width**2))


def found(image: Any, grid: Grid) -> tuple[float, float]:
    """Separation and position angle of the light of a turned image."""
    row, column = np.indices(grid.shape) - grid.reach
    light = np.nan_to_num(image)
    light = np.where(light > 1e-3, light, 0)
    north, east = (np.sum(light * axis) / light.sum() * grid.scale for axis in (row, -column))
    return float(np.hypot(east, north)), float(np.degrees(np.arctan2(east, north)) % 360)


@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize("angle", ANGLES)
def test_a_source_stands_where_it_is_on_the_sky(angle: float, parity: int) -> None:
    where = place(angle, parity)
    grid = enclosing_grid([(where, SHAPE)])
    turned = Turning(where, grid).turn(source(where, 0.9, 62.0))
    separation, position = found(turned, grid)
    # A twentieth of a pixel, 0.003 arcsec, is 0.2° there; cubic splines are better.
    assert separation == pytest.approx(0.9, abs=0.003)
    assert position == pytest.approx(62.0, abs=0.1)
    # Surface brightness is kept: the sum counts pixels, which are 3 % smaller in the image.
    area = abs(np.linalg.det(where.matrix))
    assert np.nansum(turned) * grid.scale**2 == pytest.approx(2 * np.pi * 1.3**2 * area, rel=2e-3)


def test_the_star_is_in_the_middle() -> None:
    where = place(37.0)
    grid = enclosing_grid([(where, SHAPE)])
    turned = Turning(where, grid).turn(source(where, 0.0, 0.0))
    assert np.unravel_index(turned.argmax(), turned.shape) == (grid.reach, grid.reach)
    assert turned[grid.reach, grid.reach] == pytest.approx(1, abs=0.03)
    assert grid.separations()[grid.reach, grid.reach] == 0


@pytest.mark.parametrize("angle", ANGLES)
def test_the_grid_holds_all_pixels_and_not_many_more(angle: float) -> None:
    where = place(angle)
    grid = enclosing_grid([(place(0.0), SHAPE), (where, SHAPE)])
    row, column = np.indices(SHAPE)
    offsets = np.tensordot(where.matrix, [column - STAR[0], row - STAR[1]], axes=1)
    assert np.abs(offsets).max() <= grid.reach * grid.scale
    alone = enclosing_grid([(where, SHAPE)])
    assert np.abs(offsets).max() > (alone.reach - 1) * alone.scale


def test_bad_pixels_are_left_out_where_they_are_most_of_one() -> None:
    where = Placement(30.0, 30.0, SCALE * np.array([[-1.0, 0.0], [0.0, 1.0]]))
    grid = Grid(20, SCALE)
    bad = np.zeros(SHAPE, bool)
    bad[30, 33] = True
    turned = Turning(where, grid).turn_bad(bad)
    assert np.argwhere(turned).tolist() == [[20, 23]]
    shifted = Turning(where._replace(column=30.4), grid).turn_bad(bad)
    assert np.argwhere(shifted).tolist() == [[20, 23]]


def test_what_lies_outside_the_image_is_bad() -> None:
    where = place(37.0)
    grid = enclosing_grid([(where, SHAPE)])
    bad = Turning(where, grid).turn_bad(np.zeros(SHAPE, bool))
    row, column = np.indices(grid.shape) - grid.reach
    offset = np.array([-column * grid.scale, row * grid.scale])
    back = np.tensordot(np.linalg.inv(where.matrix), offset, axes=1)
    column, row = back[0] + STAR[0], back[1] + STAR[1]
    inside = (column > 0) & (column < SHAPE[1] - 1) & (row > 0) & (row < SHAPE[0] - 1)
    assert not (bad & inside).any()
    beyond = (column < -1) | (column > SHAPE[1]) | (row < -1) | (row > SHAPE[0])
    assert bad[beyond].all()


def test_two_frames_are_weighted_by_their_variances() -> None:
    images = np.array([[[1.0, 5.0, np.nan, np.nan]], [[4.0, np.nan, 7.0, np.nan]]])
    variances = np.array([[[1.0, 4.0, np.nan, np.nan]], [[2.0, np.nan, 9.0, np.nan]]])
    one = combine(images, variances)
    np.testing.assert_allclose(one.image, [[2.0, 5.0, 7.0, np.nan]])
    np.testing.assert_allclose(one.error, [[np.sqrt(2 / 3), 2.0, 3.0, np.nan]])
    assert one.n_frames.tolist() == [[2, 1, 1, 0]]


def test_frames_of_unknown_variance_count_alike() -> None:
    images = np.array([[[1.0]], [[4.0]]])
    one = combine(images, np.zeros((2, 1, 1)))
    assert one.image.item() == 2.5
    assert np.isnan(one.error.item())


def test_three_frames_give_their_median() -> None:
    images = np.array([1.0, 100.0, 2.0, 4.0])[:, None, None]
    assert combine(images[:3], np.ones((3, 1, 1))).image.item() == 2
    assert combine(images, np.ones((4, 1, 1))).image.item() == 3


def test_where_one_or_two_of_three_frames_are_the_median_is_their_mean() -> None:
    images = np.array([[[1.0, 1.0, 1.0]], [[2.0, 2.0, np.nan]], [[6.0, np.nan, np.nan]]])
    variances = np.where(np.isnan(images), np.nan, np.array([9.0, 7.0, 11.0])[:, None, None])
    one = combine(images, variances)
    np.testing.assert_allclose(one.image, [[2.0, 1.5, 1.0]])
    np.testing.assert_allclose(one.error, [[1.160 * np.sqrt(27) / 3, 2.0, 3.0]], rtol=1e-3)


def test_the_median_of_what_is_finite() -> None:
    rng = np.random.default_rng(3)
    images = rng.normal(size=(7, 5, 6))
    images[rng.random(images.shape) < 0.4] = np.nan
    images[0] = np.where(np.isnan(images).all(axis=0), 1.0, images[0])
    np.testing.assert_allclose(median(images), np.nanmedian(images, axis=0))


@pytest.mark.parametrize("n", [2, 3, 4, 9, 20])
def test_the_error_is_that_of_a_monte_carlo(n: int) -> None:
    sigma = np.linspace(1, 2, n)[:, None, None] if n == 2 else np.full((n, 1, 1), 1.5)
    images = np.random.default_rng(2).normal(size=(n, 100, 100)) * sigma
    one = combine(images, np.broadcast_to(sigma**2, images.shape))
    # 10,000 draws know a scatter to 0.7 %, and the factor of the median is good to half a percent.
    assert one.image.std() == pytest.approx(one.error[0, 0], rel=0.025)
