"""Circles on an image."""

import numpy as np
import pytest
from scipy.special import j1
from simulate import PEAK, noise, scene, shifted, transmission

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import Status
from psfalign.images.circles import Circle, cover, leave_out
from psfalign.images.frames import Frame

HALF_MAXIMUM = 1.6163  # where (2 J1(x) / x)² is a half
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


def test_description_of_a_circle_is_read_to_a_hundredth_of_a_pixel() -> None:
    circle = Circle(10.42, 7.75, 2.6)
    assert Circle.parse(str(circle)) == circle
    assert Circle.parse(str(Circle(10.424, 7.746, 2.6))) == Circle(10.42, 7.75, 2.6)


@pytest.mark.parametrize("text", ["", "column 3, row 4", "column 3, row x, radius 2", "3 4 2"])
def test_what_describes_no_circle_is_refused(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Circle.parse(text)


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


def companion(shape: tuple[int, int], column: float, row: float, *, fwhm: float) -> np.ndarray:
    """Return the diffraction pattern of a round aperture, 1 at its peak (Airy 1835)."""
    rows, columns = np.indices(shape)
    x = 2 * HALF_MAXIMUM / fwhm * np.hypot(columns - column, rows - row)
    x = np.maximum(x, 1e-9)
    return (2 * j1(x) / x) ** 2


# MIRI's pixels are large, and its stars lie 8 of them from companions that NIRCam has at 18.
@pytest.mark.parametrize(("separation", "fwhm"), [(8.0, 3.4), (18.0, 2.3)])
@pytest.mark.parametrize("max_shift", [0, 3])
@pytest.mark.parametrize("weighting", ["mask", "inverse_variance"])
def test_excluded_companion_leaves_the_shift_alone(
    separation: float, fwhm: float, max_shift: int, weighting: str
) -> None:
    """
    From 0.3 to 30 times as bright as the brightest pixel of the star.

    In a circle of 1.5 FWHM, all but the rings of the pattern is left out. The shifts are then right
    to 0.02 pixels, of which noise makes 0.003 (`sigma_dx`).
    """
    shape, true, sigma = (96, 104), (0.6, -0.4), 0.3
    options = FitOptions(max_shift=max_shift, weighting=weighting, background="none")
    weight = transmission(shape)
    worst = 0.0
    for seed, flux in enumerate([0.3, 1.0, 3.0, 10.0, 30.0]):
        angle = np.deg2rad(77.0 * seed)
        column = shape[1] / 2 + separation * np.cos(angle)
        row = shape[0] / 2 + separation * np.sin(angle)
        star = scene(shape, seed=seed)
        science = star + flux * PEAK * companion(shape, column, row, fwhm=fwhm)
        frames = [
            Frame(image + noise(shape, seed=n, sigma=sigma), None, np.full(shape, sigma**2))
            for n, image in enumerate([science, 1.4 * shifted(star, true)])
        ]
        circle = Circle(column, row, 1.5 * fwhm)
        left = leave_out(weight, [circle], reach=options.reach)
        (told,) = next(fit_shifts([frames[0]], [frames[1]], left, options=options))
        (untold,) = next(fit_shifts([frames[0]], [frames[1]], weight, options=options))
        assert (told.status, told.doubtful) == (Status.OK, False), flux
        assert np.hypot(told.dx - true[0], told.dy - true[1]) < 0.02, flux
        worst = max(worst, np.hypot(untold.dx - true[0], untold.dy - true[1]))
    assert not worst < 0.1  # or there was nothing to leave out; NaN where the fit failed
