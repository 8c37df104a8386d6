"""A mask as a weight: both conventions, and what is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from simulate import read_only, transmission

from psfalign.errors import MaskError
from psfalign.images.mask_weight import weigh

SHAPE = (40, 50)
MIDDLE = 25.0, 20.0  # column, row
REMEDY = r"set psfmask\.convention to weight \(1 = use\) or exclude \(1 = masked out\)"


def share_of(share: float) -> np.ndarray:
    """Return a mask of which that share of the pixels is 1, in whole rows from the last."""
    mask = np.zeros((100, 20))
    mask[100 - round(100 * share) :] = 1.0
    return read_only(mask)


def radius() -> np.ndarray:
    return np.hypot(np.arange(40)[:, None] - 20, np.arange(50) - 25)


def corner() -> np.ndarray:
    """An arc around the first pixel, which leaves an island there."""
    distance = np.hypot(np.arange(40)[:, None], np.arange(50))
    return read_only(((distance > 8) & (distance < 12)).astype(float))


def ring() -> np.ndarray:
    return read_only(((radius() > 8) & (radius() < 12)).astype(float))


@pytest.mark.parametrize("convention", ["weight", "auto"])
def test_weight_is_the_mask(convention: str) -> None:
    mask = read_only(transmission(SHAPE))
    weight = weigh(mask, convention=convention)
    np.testing.assert_array_equal(weight.image, mask)
    assert weight.convention == "weight"
    assert weight.share == np.mean(mask > 0.5)


@pytest.mark.parametrize("convention", ["exclude", "auto"])
def test_exclude_is_one_minus_the_mask(convention: str) -> None:
    mask = read_only(1.0 - transmission(SHAPE))
    weight = weigh(mask, convention=convention, occulter=MIDDLE)
    np.testing.assert_array_equal(weight.image, 1.0 - mask)
    assert weight.convention == "exclude"
    assert weight.image[20, 25] == 0.0


@pytest.mark.parametrize(
    ("share", "convention"), [(1.0, "weight"), (0.6, "weight"), (0.4, "exclude"), (0.05, "exclude")]
)
def test_share_of_high_values_decides(share: float, convention: str) -> None:
    assert weigh(share_of(share)).convention == convention


@pytest.mark.parametrize("share", [0.41, 0.5, 0.59])
def test_share_in_between_is_refused(share: float) -> None:
    problem = f"{share:.0%} of the pixels are above 0.5, which tells neither convention; {REMEDY}"
    with pytest.raises(MaskError, match=rf"^psfmask\.convention=auto: {problem}$"):
        weigh(share_of(share))
    assert weigh(share_of(share), convention="exclude").share == pytest.approx(share)


def test_half_is_not_above_half() -> None:
    mask = share_of(0.7) - 0.5 * share_of(0.3)
    assert weigh(read_only(mask), convention="weight").share == 0.4


def test_weight_of_a_narrow_ring_is_refused() -> None:
    problem = f"read as exclude, the weight is full behind the occulter; {REMEDY}"
    with pytest.raises(MaskError, match=rf"^psfmask\.convention=auto: {problem}$"):
        weigh(ring())
    np.testing.assert_array_equal(weigh(ring(), convention="weight").image, ring())


def test_ring_around_an_occulter_off_the_middle_is_refused() -> None:
    moved = read_only(np.roll(ring(), (-8, 12), axis=(0, 1)))
    assert weigh(moved).convention == "exclude"  # unknown occulter: the middle looks innocent
    with pytest.raises(MaskError, match="full behind the occulter"):
        weigh(moved, occulter=(37.0, 12.0))


@pytest.mark.parametrize("size", [(3, 5), (8, 12)])
def test_small_islands_in_the_middle_are_seen(size: tuple[int, int]) -> None:
    mask = (radius() > size[0]) & (radius() < size[1])
    with pytest.raises(MaskError, match="full behind the occulter"):
        weigh(read_only(mask.astype(float)))


@pytest.mark.parametrize(("turned", "occulter"), [(False, (0.0, 0.0)), (True, (49.9, 39.9))])
def test_occulter_in_a_corner_is_on_the_image(turned: bool, occulter: tuple[float, float]) -> None:
    mask = corner()[::-1, ::-1] if turned else corner()
    with pytest.raises(MaskError, match="full behind the occulter"):
        weigh(mask, occulter=occulter)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "occulter",
    [(-1.0, -1.0), (-1.0, 39.0), (49.0, -1.0), (50.0, 39.0), (49.0, 40.0), (900.0, 0.0)],
)
def test_occulter_beside_the_image_says_nothing(
    turned: bool, occulter: tuple[float, float]
) -> None:
    """Nor does what stands at the other edge, which an index of -1 would mean."""
    mask = corner()[::-1, ::-1] if turned else corner()
    assert weigh(mask, occulter=occulter).convention == "exclude"


@pytest.mark.parametrize("occulter", [None, MIDDLE, (24.6, 19.7), (-5.0, 900.0)])
def test_excluded_occulter_is_accepted(occulter: tuple[float, float] | None) -> None:
    blob = read_only((radius() < 8).astype(float))
    weight = weigh(blob, occulter=occulter)
    assert weight.convention == "exclude"
    np.testing.assert_array_equal(weight.image, 1.0 - blob)


def test_nothing_slow_is_imported_where_the_occulter_is_dark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    assert weigh(read_only(transmission(SHAPE)), occulter=MIDDLE).convention == "weight"


@pytest.mark.parametrize("name", ["psfmask/*.fits", "flight/*/psfmask*.fits"])
def test_real_masks_are_weights(shared_data: Path, name: str) -> None:
    paths = sorted(shared_data.glob(name))
    assert len(paths) >= 2
    for path in paths:
        mask = read_only(fits.getdata(path, "SCI").astype(np.float64))
        exposures = list(path.parent.glob("*calints.fits"))
        headers = [fits.getheader(exposure, "SCI") for exposure in exposures] or [{}]
        for header in headers:
            known = "CRPIX1" in header
            occulter = (header["CRPIX1"] - 1, header["CRPIX2"] - 1) if known else None
            weight = weigh(mask, occulter=occulter)
            assert weight.convention == "weight", path
            assert 0.69 <= weight.share <= 0.98
            assert 0.0 <= weight.image.min() <= weight.image.max() <= 1.0


def test_overshoot_of_real_masks_is_clipped() -> None:
    mask = transmission(SHAPE)
    mask[0, 0], mask[1, 1] = 1.0009, -0.0009
    weight = weigh(read_only(mask))
    assert (weight.image[0, 0], weight.image[1, 1]) == (1.0, 0.0)
    assert (weight.image.min(), weight.image.max()) == (0.0, 1.0)


@pytest.mark.parametrize("value", [1.0011, -0.0011, 2.0, 255.0])
def test_values_beyond_are_refused(value: float) -> None:
    mask = transmission(SHAPE)
    mask[3, 3] = value
    span = f"{mask.min():g} to {mask.max():g}"
    problem = rf"values are {span}, outside \[0, 1\]; name another mask"
    with pytest.raises(MaskError, match=problem):
        weigh(mask)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    mask = transmission(SHAPE)
    mask[3, 3:5] = value
    with pytest.raises(MaskError, match="2 pixels are not finite; name another mask"):
        weigh(mask)


@pytest.mark.parametrize(
    ("value", "convention"), [(0.0, "weight"), (0.0, "auto"), (1.0, "exclude"), (5e-4, "weight")]
)
def test_mask_that_leaves_hardly_any_pixel_is_refused(value: float, convention: str) -> None:
    with pytest.raises(MaskError, match=f"leaves hardly any pixel.*; name another mask.*{REMEDY}"):
        weigh(np.full(SHAPE, value), convention=convention)


def test_mean_weight_of_a_thousandth_is_enough() -> None:
    assert weigh(np.full(SHAPE, 0.0011), convention="weight").image.mean() < 0.002
    with pytest.raises(MaskError, match="leaves hardly any pixel"):
        weigh(np.full(SHAPE, 0.0009), convention="weight")
