"""Masks from the geometry of coronagraphs: lengths in arcsec, and masks that CRDS delivers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from psfalign.images.circles import Circle
from psfalign.psfmask.maker import CORONAGRAPHS, LINE_DEPTH, STAR_ON_BAR, make_weight

PIXEL = 0.05  # arcsec
MIDDLE = 250.0, 240.0  # column and row of the occulter
SHAPE = 481, 501
# The nearest pixel is off by half a one, and half transmission is as steep as 0.08 a pixel.
NEAREST = 0.05


def made(name: str, **options: Any) -> Any:
    settings = {"shape": SHAPE, "occulter": MIDDLE, "pixel": PIXEL} | options
    return make_weight(
        settings.pop("shape"), CORONAGRAPHS[name], settings.pop("occulter"), **settings
    )


def at(weight: Any, x: float, y: float) -> float:
    """The weight so many arcsec from the occulter."""
    return float(weight[round(MIDDLE[1] + y / PIXEL), round(MIDDLE[0] + x / PIXEL)])


@pytest.mark.parametrize("name", CORONAGRAPHS)
def test_every_mask_is_a_weight_that_hides_the_star(name: str) -> None:
    weight = made(name)
    assert weight.shape == SHAPE
    assert weight.dtype == np.float64
    assert 0.0 <= weight.min() < 1e-6
    assert 0.99 < weight.max() <= 1.0
    assert at(weight, 0, 0) == pytest.approx(0, abs=1e-6)
    assert np.mean(weight > 0.5) > 0.6  # what `convention: auto` asks of a weight


@pytest.mark.parametrize(
    ("name", "radius"), [("MASKA210R", 0.40), ("MASKA335R", 0.65), ("MASKA430R", 0.80)]
)
def test_round_mask_is_half_at_its_radius(name: str, radius: float) -> None:
    weight = made(name)
    for x, y in ((radius, 0), (-radius, 0), (0, radius), (0, -radius)):
        assert at(weight, x, y) == pytest.approx(0.5, abs=NEAREST)
    assert at(weight, 0.5 * radius, 0) < 0.1
    # The first lobe of the sombrero takes 1 - (1 - 0.1323²)² = 3.5 % away.
    assert weight[200:280, 330:].min() == pytest.approx(0.965, abs=0.035)


@pytest.mark.parametrize(
    ("name", "left", "right"), [("MASKASWB", 0.13, 0.39), ("MASKALWB", 0.87, 0.29)]
)
def test_bar_is_half_at_its_half_width_which_tapers(name: str, left: float, right: float) -> None:
    options = {"pixel": 0.01, "shape": (401, 2001), "occulter": (1000.0, 200.0)}
    rows = np.abs(np.arange(401) - 200) * 0.01
    weight = made(name, **options)
    for x, half_width in ((-9, left), (-7.5, left), (0, (left + right) / 2), (9, right)):
        hidden = rows[weight[:, 1000 + round(x / 0.01)] < 0.5]
        assert hidden.max() == pytest.approx(half_width, abs=0.011)  # a pixel


def test_narrow_ends_are_where_the_fiducial_points_say() -> None:
    """The point `narrow` is on the same side of a bar as its narrow end."""
    for name, places in STAR_ON_BAR.items():
        weight = made(name)
        hidden = {sign: np.sum(weight[:, round(250 + sign * 180)] < 0.5) for sign in (-1, 1)}
        assert min(hidden, key=hidden.__getitem__) == np.sign(places["NARROW"])


@pytest.mark.parametrize("name", ["4QPM_1065", "4QPM_1140", "4QPM_1550"])
def test_cross_of_quadrants_is_tilted_clockwise(name: str) -> None:
    weight = made(name)
    for distance in (-5.0, 3.0, 8.0):
        sideways = distance * np.tan(np.deg2rad(4.8))
        for x, y in ((sideways, distance), (distance, -sideways)):
            assert at(weight, x, y) == pytest.approx(1 - LINE_DEPTH, abs=0.01)
    assert at(weight, 5, 5) == pytest.approx(1)
    assert at(weight, 0.3, 0.1) == 0  # the disk


def test_lyot_spot_and_field() -> None:
    weight = made("LYOT_2300", pixel=0.1)
    row, column = (np.arange(size) - middle for size, middle in zip(SHAPE, (240, 250), strict=True))
    np.testing.assert_array_equal(weight[240], (np.abs(column) > 21) & (np.abs(column) < 150))
    np.testing.assert_array_equal(weight[:, 250], (np.abs(row) > 21) & (np.abs(row) < 150))


SQUARES = {
    "MASKA335R": [(-8, -7), (8, -7), (-9.5, 9), (9.5, 9)],
    "MASKALWB": [(-8, -7), (6, -7), (9.5, -7), (-9.5, 9), (8.5, 9)],
    "MASKA210R": [(8, -7), (-6, -7), (-9.5, -7), (9.5, 9), (-8.5, 9)],
}


@pytest.mark.parametrize("name", SQUARES)
def test_neutral_density_squares_have_no_weight(name: str) -> None:
    weight = made(name)
    for place in SQUARES[name]:
        assert at(weight, *place) == 0
    for place in ((0, -7), (0, 9), (7, 7), (-4, -7)):
        assert at(weight, *place) > 0.9


@pytest.mark.parametrize("full_frame", [False, True])
def test_full_frame_keeps_the_field_of_one_occulter(full_frame: bool) -> None:
    weight = made("MASKA335R", is_full_frame=full_frame, pixel=0.1)
    assert (weight[240, 50] > 0.9) is not full_frame  # 20 arcsec away: another occulter
    assert weight[240, 160] > 0.9


def test_edges_and_circles_have_no_weight() -> None:
    weight = made("MASKA335R", edge=3, exclude=[Circle(400.0, 100.0, 5.0)])
    expected = made("MASKA335R")
    expected[:3] = expected[-3:] = 0
    expected[:, :3] = expected[:, -3:] = 0
    row, column = np.indices(SHAPE)
    expected[(column - 400) ** 2 + (row - 100) ** 2 <= 25] = 0
    np.testing.assert_array_equal(weight, expected)


# Near the occulter; the cross of a delivered mask is less deep along one of its lines.
@pytest.mark.parametrize(
    ("pattern", "name", "occulter", "pixel", "equal"),
    [
        ("psfmask/*_0019.fits", "MASKA335R", (159.5, 159.5), 0.063, 0.99),
        ("psfmask/*_0003.fits", "MASKALWB", (159.5, 159.5), 0.063, 0.99),
        ("psfmask/*_0009.fits", "LYOT_2300", (144.0, 164.0), 0.110, 0.98),
        ("flight/*/psfmask_nircam_*.fits", "MASKA335R", (150.0, 174.0), 0.0626, 0.99),
        ("flight/*/psfmask_miri_*.fits", "4QPM_1140", (106.75, 105.24), 0.1103, 0.90),
    ],
)
def test_delivered_masks_are_like_made_ones(
    pattern: str,
    name: str,
    occulter: tuple[float, float],
    pixel: float,
    equal: float,
    shared_data: Path,
) -> None:
    [path] = shared_data.glob(pattern)
    delivered = fits.getdata(path, "SCI")
    weight = make_weight(delivered.shape, CORONAGRAPHS[name], occulter, pixel=pixel)
    row, column = np.indices(delivered.shape)
    near = np.hypot(column - occulter[0], row - occulter[1]) * pixel < 3
    same = (delivered > 0.5) == (weight > 0.5)
    assert same[near].mean() >= equal
    assert same.mean() >= 0.97
