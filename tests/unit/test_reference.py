"""PSFMASK files that psfalign makes: keywords, place of the occulter, the way back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import digest, exposure_hdus, pixels, refused, write, write_exposure

from psfalign.cli import main
from psfalign.errors import InputError
from psfalign.images.circles import Circle
from psfalign.psfmask.file import REQUIRED
from psfalign.psfmask.maker import CORONAGRAPHS, make_weight
from psfalign.psfmask.reference import make_psfmask
from psfalign.psfmask.resolved import ResolvedMask
from psfalign.steps.resolve import resolve_psfmask

PIXEL = 0.0625
STAR = 21.0, 15.0  # column, row
SCI = {"CRPIX1": 22.0, "CRPIX2": 16.0, "PIXAR_A2": PIXEL**2, "PA_APER": 0.0}
LARGE = 200, 220


def science(path: Path, shape: tuple[int, int] = (32, 40), sci: Any = None, **cards: Any) -> Path:
    hdus = exposure_hdus(np.ones((2, *shape), np.float32), **cards)
    hdus["SCI"].header.update(SCI | (sci or {}))
    return write(hdus, path)


def test_made_file_has_all_keywords_and_checksums(tmp_path: Path) -> None:
    path = science(tmp_path / "a_calints.fits", SUBSTRT1=492)
    before = digest(path)
    weight = make_psfmask(path, tmp_path / "m.fits", edge=0)
    assert digest(path) == before
    with fits.open(tmp_path / "m.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI"]
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)
        header = hdus[0].header
        assert not set(REQUIRED) - set(header)
        expected = {
            "CORONMSK": "MASKA335R",
            "REFTYPE": "PSFMASK",
            "DATAMODL": "PsfMaskModel",
            "USEAFTER": "2021-12-25T00:00:00",
            "MASKCONV": "weight",
            "DETECTOR": "NRCALONG",
            "SUBSTRT1": 492,
            "FILENAME": "m.fits",
        }
        assert {keyword: header[keyword] for keyword in expected} == expected
        assert "occulter at column 21.00, row 15.00, counted from 0" in list(header["HISTORY"])
        assert (hdus["SCI"].header["CRPIX1"], hdus["SCI"].header["CRPIX2"]) == (22, 16)
    np.testing.assert_array_equal(pixels(tmp_path / "m.fits"), weight.astype(np.float32))
    expected_weight = make_weight((32, 40), CORONAGRAPHS["MASKA335R"], STAR, pixel=PIXEL)
    np.testing.assert_array_equal(weight, expected_weight)


@pytest.mark.parametrize("coronagraph", CORONAGRAPHS)
@pytest.mark.parametrize("subarray", ["SUB320", "FULL"])
def test_made_file_is_chosen_and_read_the_right_way(
    coronagraph: str, subarray: str, tmp_path: Path
) -> None:
    """Also where it leaves so little that its pixels alone would look like its opposite."""
    path = science(
        tmp_path / "a_calints.fits", (400, 400), CORONMSK=coronagraph, SUBARRAY=subarray,
        sci={"CRPIX1": 200.0, "CRPIX2": 200.0},
    )  # fmt: skip
    weight = make_psfmask(path, tmp_path / "m.fits")
    resolved = resolve_psfmask(path, tmp_path / "m.json", candidates=[tmp_path / "m.fits"])
    assert (resolved.source, resolved.convention) == ("catalogue", "weight")
    assert resolved.decided_by == "header"
    assert resolved.notes == ["the mask says MASKCONV = weight: 1 = use"]
    read = ResolvedMask.read(tmp_path / "m.json").read_weight()
    np.testing.assert_array_equal(read, weight.astype(np.float32))


def test_same_exposure_same_bytes(tmp_path: Path) -> None:
    path = science(tmp_path / "a_calints.fits")
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        make_psfmask(path, tmp_path / folder / "m.fits")
    assert digest(tmp_path / "1/m.fits") == digest(tmp_path / "2/m.fits")


def test_made_file_serves_exposures_before_the_launch(tmp_path: Path) -> None:
    path = science(tmp_path / "a_calints.fits", DATE_OBS="2019-03-01")
    make_psfmask(path, tmp_path / "m.fits")
    assert fits.getheader(tmp_path / "m.fits")["USEAFTER"] == "2019-03-01T00:00:00"
    make_psfmask(path, tmp_path / "m.fits", useafter="2023-01-01")
    assert fits.getheader(tmp_path / "m.fits")["USEAFTER"] == "2023-01-01T00:00:00"


@pytest.mark.parametrize(
    ("keyword", "aperture", "offset"),
    [
        ("PPS_APER", "NRCA5_MASKLWB_F335M", 3.875),
        ("APERNAME", "NRCA5_MASKLWB_F444W", -0.723),
        ("PPS_APER", "NRCA5_MASKLWB_NARROW", 8.302),
        ("APERNAME", "NRCA5_MASKLWB", 0.0),
    ],
)
def test_star_on_a_bar_stands_beside_its_middle(
    keyword: str, aperture: str, offset: float, tmp_path: Path
) -> None:
    path = science(tmp_path / "a_calints.fits", LARGE, CORONMSK="MASKALWB", **{keyword: aperture})
    weight = make_psfmask(path, tmp_path / "m.fits", edge=0)
    middle = STAR[0] - offset / PIXEL, STAR[1]
    expected = make_weight(LARGE, CORONAGRAPHS["MASKALWB"], middle, pixel=PIXEL)
    np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("cards", "pixel"),
    [
        ({"DETECTOR": "NRCALONG"}, 0.063),
        ({"DETECTOR": "NRCA2", "CORONMSK": "MASKA210R"}, 0.031),
        ({"INSTRUME": "MIRI", "DETECTOR": "MIRIMAGE", "CORONMSK": "4QPM_1065"}, 0.110),
    ],
)
def test_pixel_without_its_area_is_that_of_the_instrument(
    cards: dict[str, str], pixel: float, tmp_path: Path
) -> None:
    path = science(tmp_path / "a_calints.fits", sci={"PIXAR_A2": None}, **cards)
    weight = make_psfmask(path, tmp_path / "m.fits", edge=0)
    name = cards.get("CORONMSK", "MASKA335R")
    expected = make_weight((32, 40), CORONAGRAPHS[name], STAR, pixel=pixel)
    np.testing.assert_array_equal(weight, expected)


def test_circles_on_the_sky_and_pixels_outside_the_science_area(tmp_path: Path) -> None:
    """At PA_APER 0 rows count to the north, and columns to the west."""
    hdus = exposure_hdus(np.ones((2, *LARGE), np.float32))
    hdus["SCI"].header.update(SCI)
    hdus["DQ"].data[:, 50:60] = 512
    hdus["DQ"].data[0, 70:80] = 512  # in one integration only
    path = write(hdus, tmp_path / "a_calints.fits")
    weight = make_psfmask(path, tmp_path / "m.fits", edge=0, exclude_sky=[(6.25, 270.0, 0.5)])
    circle = Circle(STAR[0] + 100, STAR[1], 8.0)
    expected = make_weight(
        LARGE, CORONAGRAPHS["MASKA335R"], STAR, pixel=PIXEL, exclude=[circle]
    )  # fmt: skip
    expected[50:60] = 0
    # A pixel on the circle's rim may fall on either side of it.
    assert np.count_nonzero(weight != expected) <= 4
    assert weight[15, 121] == 0


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = science(tmp_path / "a_calints.fits", LARGE)
    output = tmp_path / "m.fits"
    command = ["make-psfmask", "--science", str(path), "--output", str(output)]
    circles = ["--exclude", "60,80,4", "--exclude", "100.5,90,6", "--exclude-sky", "6.25,270,0.5"]
    assert main([*command, "--star", "30,40", "--edge", "0", *circles]) == 0
    out = capsys.readouterr().out
    assert out == f"{output}: written, 96% of the image has weight\n"
    circles_ = [Circle(60, 80, 4), Circle(100.5, 90, 6)]
    weight = make_weight(
        LARGE, CORONAGRAPHS["MASKA335R"], (30.0, 40.0), pixel=PIXEL, exclude=circles_
    )
    assert np.mean(pixels(output) != weight.astype(np.float32)) < 0.01  # the third circle
    assert pixels(output)[40, 130] == 0


REFUSED = {
    "unknown coronagraph": (
        {"cards": {"CORONMSK": "MASKB335R"}},
        "CORONMSK=MASKB335R: is not a coronagraph whose geometry is known; name a mask for the "
        f"exposure, or uniform; known are {', '.join(CORONAGRAPHS)}",
    ),
    "no coronagraph": (
        {"cards": {"CORONMSK": None}},
        "CORONMSK: missing or blank; calibrate the exposure again, or name a psfmask for it",
    ),
    "star unknown": (
        {"sci": {"CRPIX1": None}},
        "[SCI] CRPIX1: missing: nothing says where the star is; "
        "name its place with --star COLUMN,ROW",
    ),
    "star outside": (
        {"options": {"star": (400.0, 3.0)}},
        " --star=[400, 3]: the star is not in the image of 40×32 pixels; "
        "name its place with --star COLUMN,ROW",
    ),
    "nothing left": (
        {"options": {"edge": 16}},
        ": the mask would leave 0.00% of the pixels; check --star, --edge and --exclude",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made(name: str, tmp_path: Path) -> None:
    settings, message = REFUSED[name]
    path = tmp_path / "a_calints.fits"
    science(path, sci=settings.get("sci"), **settings.get("cards", {}))
    message = message if message.startswith(("[", ":", " ")) else f" {message}"
    with refused(f"{path}{message}", InputError):
        make_psfmask(path, tmp_path / "m.fits", **settings.get("options", {}))
    assert not (tmp_path / "m.fits").exists()


def test_useafter_that_is_no_date(tmp_path: Path) -> None:
    path = science(tmp_path / "a_calints.fits")
    message = f"{tmp_path}/m.fits USEAFTER=soon: is not a date; write YYYY-MM-DDTHH:MM:SS"
    with refused(message, InputError):
        make_psfmask(path, tmp_path / "m.fits", useafter="soon")


@pytest.mark.parametrize("numbers", ["1", "1,2,3", "a,b", "1,nan"])
def test_numbers_that_are_none(
    numbers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_exposure(tmp_path / "a_calints.fits")
    with pytest.raises(SystemExit):
        main(["make-psfmask", "--science", str(path), "--output", "m.fits", "--star", numbers])
    assert "argument --star: " in capsys.readouterr().err


def test_flight_exposures_are_aligned_as_with_the_delivered_mask(
    shared_data: Path, tmp_path: Path
) -> None:
    """See benchmarks/results/made_masks.md: 0.002 pixels here."""
    folder = shared_data / "flight/nircam_f444w"
    star = folder / "jw01184001001_03106_00001_nrcalong_calints.fits"
    psf = folder / "jw01184003001_03106_00001_nrcalong_calints.fits"
    made = tmp_path / "made.fits"
    make_psfmask(star, made)
    shifts = []
    for mask in (folder / "psfmask_nircam_f444w_maska335r.fits", made):
        product = tmp_path / "product.fits"
        command = ["align", "--science", str(star), "--psfs", str(psf), "--psfmask", str(mask)]
        assert main([*command, "--output", str(product), "--max-shift", "3"]) == 0
        shifts.append([fits.getdata(product, "SHIFTS")[name][0] for name in ("dx", "dy")])
    np.testing.assert_allclose(*shifts, atol=0.005)
