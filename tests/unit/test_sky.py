"""Where the star is, and how pixels lie on the sky: by construction, and on flight exposures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from files import digest, refused, write_exposure

from psfalign.errors import InputError
from psfalign.files.exposure import Exposure
from psfalign.files.sky import Sky
from psfalign.images.bad_pixels import clean_image

ANGLES = (0.0, 33.0, 127.0, 201.5, 340.0)  # one in each quadrant, and none
SCALE = 0.0625  # arcsec per pixel
STAR = 21.3, 14.6  # column, row, from 0
AT_STAR = {"CRPIX1": STAR[0] + 1, "CRPIX2": STAR[1] + 1}
SET_STAR = "set psf_subtraction.star to its [column, row], counted from 0"
ASSIGN_WCS = "run assign_wcs of the jwst pipeline, which writes a CD matrix"


def with_cards(path: Path, cards: dict[str, Any], *, primary: dict[str, Any] | None = None) -> Path:
    write_exposure(path)
    with fits.open(path, mode="update", memmap=False) as hdus:
        for hdu, values in ((hdus["SCI"], cards), (hdus[0], primary or {})):
            hdu.header.update(values)
            hdu.add_checksum()
    return path


def aperture(angle: float = 33.0, **cards: Any) -> dict[str, Any]:
    return AT_STAR | {"PA_APER": angle, "PIXAR_A2": SCALE**2} | cards


def cd_cards(angle: float, parity: int) -> dict[str, Any]:
    """Pixels of 0.062 × 0.066 arcsec, with 0.7° of skew, as distorted ones have."""
    rows, columns = np.radians(angle), np.radians(angle + 0.7 + 90 * parity)
    cards = {
        "CD1_1": 0.062 * np.sin(columns),
        "CD1_2": 0.066 * np.sin(rows),
        "CD2_1": 0.062 * np.cos(columns),
        "CD2_2": 0.066 * np.cos(rows),
    }
    return AT_STAR | {key: value / 3600 for key, value in cards.items()}


@pytest.fixture
def sky(tmp_path: Path, request: pytest.FixtureRequest) -> Sky:
    return Sky.of(Exposure(with_cards(tmp_path / "a_calints.fits", request.param)))


@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize("angle", ANGLES)
def test_rows_count_towards_pa_aper_and_columns_at_a_right_angle(
    tmp_path: Path, angle: float, parity: int
) -> None:
    path = with_cards(tmp_path / "a_calints.fits", aperture(angle, VPARITY=parity))
    sky = Sky.of(Exposure(path))
    towards_rows, towards_columns = (
        sky.to_pixel(SCALE, angle),
        sky.to_pixel(SCALE, angle + 90 * parity),
    )
    # Rounding in double precision, of some tens of pixels.
    assert towards_rows == pytest.approx((STAR[0], STAR[1] + 1), abs=1e-12)
    assert towards_columns == pytest.approx((STAR[0] + 1, STAR[1]), abs=1e-12)
    assert sky.scale == pytest.approx(SCALE, rel=1e-12)
    # Where east is left of north, north is clockwise of the rows by PA_APER, otherwise the opposite.
    assert np.exp(1j * np.radians(sky.north_angle)) == pytest.approx(
        np.exp(1j * np.radians(parity * angle))
    )


@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize("angle", ANGLES)
def test_the_cd_matrix_gives_what_world_coordinates_give(
    tmp_path: Path, angle: float, parity: int
) -> None:
    cards = cd_cards(angle, parity)
    sky = Sky.of(Exposure(with_cards(tmp_path / "a_calints.fits", cards)))
    wcs = WCS(
        fits.Header(
            {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 311.3, "CRVAL2": -31.3} | cards
        )
    )
    row, column = np.indices((32, 40))
    places = SkyCoord(*wcs.all_pix2world(column, row, 0), unit="deg")
    star = SkyCoord(311.3, -31.3, unit="deg")
    east, north = sky.to_offset(column, row)
    # The sphere leaves its tangent plane by 1e-11 of a distance at 2 arcsec; RA and Dec in degrees
    # are rounded to 1e-10 arcsec, and differences of a few of them make a separation.
    distance = star.separation(places).arcsec
    np.testing.assert_allclose(np.hypot(east, north), distance, atol=1e-8)
    turned = np.exp(1j * (np.arctan2(east, north) - star.position_angle(places).rad))
    np.testing.assert_allclose(turned, 1, atol=1e-6)
    np.testing.assert_allclose(sky.separations((32, 40)), distance, atol=1e-8)
    assert sky.scale == pytest.approx(np.sqrt(0.062 * 0.066 * np.cos(np.radians(0.7))))


@pytest.mark.parametrize("sky", [cd_cards(127.0, -1), aperture(201.5)], indirect=True)
def test_pixels_come_back_from_the_sky(sky: Sky) -> None:
    row, column = np.indices((32, 40))
    east, north = sky.to_offset(column, row)
    back = sky.to_pixel(np.hypot(east, north), np.degrees(np.arctan2(east, north)))
    np.testing.assert_allclose(back, (column, row), atol=1e-12)  # rounding


def test_the_cd_matrix_goes_before_pa_aper(tmp_path: Path) -> None:
    path = with_cards(tmp_path / "a_calints.fits", aperture(10.0) | cd_cards(201.5, -1))
    before = digest(path)
    column, row = Sky.of(Exposure(path)).to_pixel(0.066, 201.5)
    assert (column, row) == pytest.approx((STAR[0], STAR[1] + 1), abs=1e-12)
    assert digest(path) == before


def test_an_element_of_the_cd_matrix_that_is_not_there_is_zero(tmp_path: Path) -> None:
    cards = AT_STAR | {"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600}
    sky = Sky.of(Exposure(with_cards(tmp_path / "a_calints.fits", cards)))
    np.testing.assert_allclose(sky.matrix, [[-SCALE, 0], [0, SCALE]])


@pytest.mark.parametrize("place", ["science", "primary"])
def test_starcen_goes_before_crpix(tmp_path: Path, place: str) -> None:
    centre = {"STARCENX": 12.5, "STARCENY": 9.25}
    cards = aperture() | (centre if place == "science" else {})
    primary = centre if place == "primary" else {}
    exposure = Exposure(with_cards(tmp_path / "a_calints.fits", cards, primary=primary))
    sky = Sky.of(exposure)
    assert (sky.column, sky.row) == (11.5, 8.25)
    assert sky.to_offset(11.5, 8.25) == (0, 0)
    assert Sky.of(exposure, (3.0, 4.5)).to_offset(3.0, 4.5) == (0, 0)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"PA_APER": 1.0}, f"CRPIX1: missing: nothing says where the star is; {SET_STAR}"),
        (
            aperture(CRPIX2="middle"),
            f"CRPIX2=middle: is not a number: nothing says where the star is; {SET_STAR}",
        ),
        (
            aperture(CRPIX1=41.0, CRPIX2=3.0),
            f"CRPIX1 and CRPIX2=41 and 3: the star is not in the image of 40×32 pixels; {SET_STAR}",
        ),
        (AT_STAR, f"PA_APER: missing: nothing says where north is; {ASSIGN_WCS}"),
        (
            AT_STAR | {"PA_APER": 3.0},
            f"PIXAR_A2: missing: nothing says where north is; {ASSIGN_WCS}",
        ),
        (aperture(PIXAR_A2=0.0), f"PIXAR_A2=0.0: is not the area of a pixel; {ASSIGN_WCS}"),
        (aperture(VPARITY=0), f"VPARITY=0: is neither -1 nor 1; {ASSIGN_WCS}"),
        (
            AT_STAR | {"CD1_1": 1e-5, "CD2_1": 2e-5},
            f"CD1_1=1e-05: the matrix gives pixels no area; {ASSIGN_WCS}",
        ),
        (
            AT_STAR | {"CD1_1": "x"},
            f"CD1_1=x: is not a number: nothing says where north is; {ASSIGN_WCS}",
        ),
    ],
)
def test_headers_that_do_not_tell_are_refused(
    tmp_path: Path, cards: dict[str, Any], message: str
) -> None:
    path = with_cards(tmp_path / "a_calints.fits", cards)
    with refused(f"{path}[SCI] {message}", InputError):
        Sky.of(Exposure(path))


def test_a_star_given_outside_the_image_is_refused(tmp_path: Path) -> None:
    exposure = Exposure(with_cards(tmp_path / "a_calints.fits", aperture()))
    message = f"{exposure.path} psf_subtraction.star=[40, 3]: the star is not in the image of 40×32 pixels"
    with refused(f"{message}; {SET_STAR}", InputError):
        Sky.of(exposure, (40.0, 3.0))


def subtracted(science: Path, psfs: list[Path]) -> Any:
    """A science image less the least-squares combination of psf images and a constant."""
    target, *others = (cleaned(path) for path in (science, *psfs))
    model = np.array([image.ravel() for image in others] + [np.ones(target.size)]).T
    coefficients = np.linalg.lstsq(model, target.ravel(), rcond=None)[0]
    return target - (model @ coefficients).reshape(target.shape)


def cleaned(path: Path) -> Any:
    with Exposure(path) as exposure:
        miri = exposure.primary["INSTRUME"] == "MIRI"
        image, dq = exposure.read_science(0), exposure.read_dq(0)
    return clean_image(image, dq, median_box_length=3, bad_bits=1, zero_non_science=miri).image


def measured(image: Any, sky: Sky, separation: float, angle: float) -> tuple[float, float]:
    """Separation and position angle of the source nearest to a place: a weighted centroid."""
    rows, columns = np.indices(image.shape)
    column, row = sky.to_pixel(separation, angle)
    for width in (4.0, 2.0, *[1.2] * 10):  # pixels; a psf has 1 (sigma)
        weight = np.clip(image, 0, None)
        weight = weight * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))
        row, column = (np.sum(weight * axis) / weight.sum() for axis in (rows, columns))
    east, north = sky.to_offset(column, row)
    return float(np.hypot(east, north)), float(np.degrees(np.arctan2(east, north)) % 360)


def test_hd_106906_b_is_where_the_literature_has_it(shared_data: Path) -> None:
    folder = shared_data / "flight" / "miri_f1140c"
    (science,) = folder.glob("jw01277*.fits")
    image = subtracted(science, sorted(folder.glob("jw01194*.fits")))
    separation, angle = measured(image, Sky.of(Exposure(science)), 7.1, 307.0)
    # 7.1 arcsec at 307°. A centroid in noise and the pointing are good to a tenth of a pixel,
    # 0.01 arcsec; 0.1 arcsec and 0.5° are what the published digits leave.
    assert separation == pytest.approx(7.1, abs=0.05)
    assert angle == pytest.approx(307.0, abs=0.5)


def test_both_rolls_of_au_mic_show_a_source_in_one_place(shared_data: Path) -> None:
    folder = shared_data / "flight" / "nircam_f444w"
    rolls = [next(folder.glob(f"jw0118400{number}*.fits")) for number in (1, 2)]
    psfs = [path for path in sorted(folder.glob("jw01184*.fits")) if path not in rolls]
    skies = [Sky.of(Exposure(roll)) for roll in rolls]
    found = [
        measured(subtracted(roll, psfs), sky, 3.38, 162.0)
        for roll, sky in zip(rolls, skies, strict=True)
    ]
    # The rolls differ by 10°. 0.1° is 0.1 pixels there.
    assert found[0] == pytest.approx(found[1], abs=0.1)
    assert found[0] == pytest.approx((3.38, 161.95), abs=0.1)
    # Pixels are not square: the angle of the aperture alone is up to 0.6° off.
    for roll, sky in zip(rolls, skies, strict=True):
        aperture_angle = Exposure(roll).science.header["PA_APER"]
        assert -sky.north_angle == pytest.approx(aperture_angle, abs=0.6)
        assert sky.scale == pytest.approx(
            np.sqrt(Exposure(roll).science.header["PIXAR_A2"]), rel=0.01
        )
