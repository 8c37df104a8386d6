"""Circles on an image."""

import numpy as np
import pytest

from psfalign.images.circles import Circle, cover, leave_out

SHAPE = (19, 23)


def by_hand(circle: Circle, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """Return the pixels in a circle that was shifted."""
    row, column = np.indices(SHAPE)
    across, along = column - circle.column - dx, row - circle.row - dy
    return across**2 + along**2 <= circle.radius**2


@pytest.mark.parametrize(
    "circle",
    [Circle(10.0, 8.0, 3.0), Circle(10.4, 7.7, 2.6), Circle(0.0, 18.0, 4.0), Circle(5.0, 5.0, 0.4)],
)
def test_circle_covers_the_middles_of_pixels(circle: Circle) -> None:
    np.testing.assert_array_equal(circle.covers(SHAPE), by_hand(circle))


def test_circle_between_pixels_may_cover_none() -> None:
    assert not Circle(5.5, 5.5, 0.5).covers(SHAPE).any()
    assert not Circle(40.0, 5.0, 3.0).covers(SHAPE).any()


@pytest.mark.parametrize("reach", [0.5, 2.0, 3.5])
def test_reach_covers_every_place_that_a_shift_moves_the_circle_to(reach: float) -> None:
    circle = Circle(11.0, 9.0, 2.5)
    moved = np.zeros(SHAPE, dtype=bool)
    for dx in np.linspace(-reach, reach, 113):
        for dy in np.linspace(-reach, reach, 113):
            moved |= by_hand(circle, dx, dy)
    # Steps of a sixteenth of a pixel or less, and those to whole pixels, miss none here.
    np.testing.assert_array_equal(circle.covers(SHAPE, reach=reach), moved)


def test_weight_is_left_out_in_all_circles_and_nowhere_else() -> None:
    weight = np.random.default_rng(1).uniform(0.1, 1.0, SHAPE)
    weight.setflags(write=False)
    circles = [Circle(4.0, 4.0, 2.0), Circle(15.0, 12.0, 3.0)]
    found = leave_out(weight, circles, reach=1.0)
    covered = circles[0].covers(SHAPE, reach=1.0) | circles[1].covers(SHAPE, reach=1.0)
    np.testing.assert_array_equal(cover(circles, SHAPE, reach=1.0), covered)
    assert not found[covered].any()
    np.testing.assert_array_equal(found[~covered], weight[~covered])
    np.testing.assert_array_equal(leave_out(weight, []), weight)
