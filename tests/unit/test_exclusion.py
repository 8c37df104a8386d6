"""Circles without weight, from the configuration to the files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from chain import OPTIONS, run
from files import (
    SCIENCE_STEPS,
    SHAPE,
    WIDTH,
    completed,
    pixels,
    refused,
    ring,
    scene,
    write_association,
    write_campaign,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.campaign.checks import check_campaign, check_exposure
from psfalign.campaign.exclusion import exclusion_of
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.cli import main
from psfalign.errors import ConfigError, InputError
from psfalign.files.circles import circle_on, find_circles
from psfalign.files.exposure import Exposure
from psfalign.files.fits.structure import scan
from psfalign.files.provenance.records import find_parameter
from psfalign.files.provenance.table import read_records
from psfalign.files.shifts import ShiftTable
from psfalign.files.sky import Sky
from psfalign.images.circles import Circle
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf

# Rows count towards position angle 30°, columns towards 300°; a pixel is 0.0625 arcsec wide.
HEADER = {"CRPIX1": 20.0, "CRPIX2": 15.0, "PA_APER": 30.0, "PIXAR_A2": 0.0625**2}
STAR = (19.0, 14.0)  # counted from 0
PIXELS = {"column": 28.0, "row": 22.0, "radius": 2.5}
# 8 pixels from the star along the columns, 2 wide.
SKY = {"separation": 0.5, "position_angle": 300.0, "radius": 0.125}
ON_SKY = Circle(27.0, 14.0, 2.0)


def with_companion() -> Any:
    """Return science integrations with a source at `PIXELS`, three times as bright as the star."""
    rows, columns = np.indices(SHAPE)
    square = (columns - PIXELS["column"]) ** 2 + (rows - PIXELS["row"]) ** 2
    light = 300 * np.exp(-square / (2 * WIDTH**2))
    return scene(SCIENCE_STEPS) + light.astype(np.float32)


def write_science(path: Path, science: Any = None, **cards: Any) -> Path:
    write_exposure(path, science)
    with fits.open(path, mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update({**HEADER, **cards})
        for keyword in [k for k, v in cards.items() if v is None]:
            del hdus["SCI"].header[keyword]
        hdus["SCI"].add_checksum(when="")
    return path


def inputs(folder: Path) -> Path:
    write_science(folder / "sci_calints.fits", with_companion())
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    return folder


def test_circles_on_the_sky_are_found_in_pixels(tmp_path: Path) -> None:
    exposure = Exposure(write_science(tmp_path / "a_calints.fits"))
    found = find_circles(exposure, [PIXELS, SKY])
    assert found[0] == Circle(28.0, 22.0, 2.5)
    expected = (ON_SKY.column, ON_SKY.row, ON_SKY.radius)
    assert (found[1].column, found[1].row, found[1].radius) == pytest.approx(expected)
    (moved,) = find_circles(exposure, [SKY], star=(5.0, 6.0))
    assert (moved.column, moved.row) == pytest.approx((13.0, 6.0))
    sky = Sky.of(exposure)
    assert circle_on(sky, **SKY) == found[1]


def test_only_circles_on_the_sky_need_a_star(tmp_path: Path) -> None:
    path = write_science(tmp_path / "a_calints.fits", CRPIX1=None)
    assert find_circles(Exposure(path), [PIXELS]) == [Circle(**PIXELS)]
    message = (
        f"{path}[SCI] CRPIX1: missing: nothing says where the star is, which circles on the sky "
        "need; set psf_subtraction.star to its [column, row], counted from 0"
    )
    with refused(message, InputError):
        find_circles(Exposure(path), [PIXELS, SKY])


def test_product_says_what_was_left_out(tmp_path: Path) -> None:
    paths = run(inputs(tmp_path / "in"), tmp_path / "out", exclude=[PIXELS, SKY])
    table = ShiftTable.read(paths["shifts"])
    assert table.meta["exclude"] == [PIXELS, SKY]
    assert table.meta["star"] == "auto"
    assert [circle.radius for circle in table.circles] == pytest.approx([2.5, 2.0])
    covered = np.zeros(SHAPE, bool)
    for circle in (Circle(**PIXELS), ON_SKY):
        covered |= circle.covers(SHAPE, reach=4.5)  # max_shift is 4
    product = paths["product"]
    np.testing.assert_array_equal(pixels(product, "WEIGHT"), np.where(covered, 0, ring()))
    np.testing.assert_array_equal(pixels(product, "PSFMASK"), ring())
    header = fits.getheader(product)
    assert header["NEXCLUDE"] == 2
    assert header["EXCL1"] == "column 28.00, row 22.00, radius 2.50"
    assert header["EXCL2"] == "column 27.00, row 14.00, radius 2.00"
    records = read_records(product, scan(product))
    assert find_parameter(records, "fit_shifts", "exclude") == [PIXELS, SKY]
    assert find_parameter(records, "fit_shifts", "star") == "auto"
    used = table.columns["n_pixels"]
    np.testing.assert_array_equal(used, np.count_nonzero(ring() * ~covered))


def test_without_circles_nothing_of_them_is_in_the_product(tmp_path: Path) -> None:
    paths = run(inputs(tmp_path / "in"), tmp_path / "out")
    with fits.open(paths["product"]) as hdus:
        assert hdus[0].header["NEXCLUDE"] == 0
        assert "EXCL1" not in hdus[0].header
        assert "PSFMASK" not in hdus
        np.testing.assert_array_equal(hdus["WEIGHT"].data, ring())
    table = ShiftTable.read(paths["shifts"])
    assert (table.meta["exclude"], table.circles) == ([], [])
    # So a star that is moved in the configuration fits nothing again.
    assert "star" not in table.meta


def test_excluded_companion_leaves_the_shifts_of_files_alone(tmp_path: Path) -> None:
    truth = [
        (px - sx, py - sy)
        for sx, sy in SCIENCE_STEPS
        for px, py in ((0.0, 0.0), (0.4, -0.3), (-0.7, 0.6))
    ]
    folder = inputs(tmp_path / "in")
    errors = {}
    for name, exclude in (("told", [{**PIXELS, "radius": 5.0}]), ("untold", [])):
        table = ShiftTable.read(run(folder, tmp_path / name, exclude=exclude)["shifts"])
        found = np.array([table.columns["dx"], table.columns["dy"]]).T
        errors[name] = np.hypot(*(found - truth).T)
    assert errors["told"].max() < 0.02
    assert not errors["untold"].max() < 0.1


@pytest.mark.parametrize("region", ["mask", "image"])
def test_subtraction_leaves_out_the_circles_as_they_are(tmp_path: Path, region: Any) -> None:
    paths = run(inputs(tmp_path / "in"), tmp_path / "out", exclude=[PIXELS])
    output = tmp_path / "psfsub.fits"
    options = SubtractionOptions(region=region, exclude=[PIXELS])
    subtract_psf(paths["science"], paths["product"], output, options=options)
    aligned = pixels(paths["product"])[0].astype(float).reshape(3, -1)
    science = pixels(paths["science"])[0].astype(float)
    whole = ring() > 0.5 if region == "mask" else np.ones(SHAPE, bool)
    counted = (whole & ~Circle(**PIXELS).covers(SHAPE)).ravel()
    model = np.array([*aligned, np.ones(aligned[0].size)]).T
    found = np.linalg.lstsq(model[counted], science.ravel()[counted], rcond=None)[0]
    wanted = science - (model @ found).reshape(SHAPE)
    np.testing.assert_allclose(pixels(output)[0], wanted, atol=1e-4)  # float32 of some 300
    header = fits.getheader(output)
    assert (header["NEXCLUDE"], header["EXCL1"]) == (1, "column 28.00, row 22.00, radius 2.50")
    # What is combined later hides what the mask hides, and not the companion.
    np.testing.assert_array_equal(pixels(output, "WEIGHT"), ring())
    records = read_records(output, Exposure(output).hdus)
    assert find_parameter(records, "subtract_psf", "exclude") == [PIXELS]


def test_circles_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    folder, everything = inputs(tmp_path / "in"), {"column": 20, "row": 16, "radius": 60}
    message = (
        f"{tmp_path}/out/sci_clean.fits exclude: circles that may move by 4.5 pixels leave no "
        "pixel with weight; make them, or align_refs.max_shift, smaller"
    )
    with refused(message, InputError):
        run(folder, tmp_path / "out", exclude=[everything])
    paths = run(folder, tmp_path / "out")
    message = (
        f"{tmp_path}/out/sci_clean.fits exclude: the circles leave no pixel to fit; "
        "make them smaller"
    )
    with refused(message, InputError):
        subtract_psf(
            paths["science"],
            paths["product"],
            tmp_path / "psfsub.fits",
            options=SubtractionOptions(exclude=[everything]),
        )
    assert not (tmp_path / "psfsub.fits").exists()


def test_each_exposure_has_the_circles_for_all_and_its_own(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_exposure(tmp_path / "jw2_calints.fits")
    config["exposures"].append(
        {**config["exposures"][0], "science": str(tmp_path / "jw2_calints.fits")}
    )
    write_exposure(tmp_path / "jw3_calints.fits")
    members = [("jw3_calints.fits", "science"), ("star_psfstack.fits", "psf")]
    association = write_association(tmp_path / "jw3_asn.json", members)
    config["associations"] = [str(association)]
    config["align_refs"] = {"exclude": [PIXELS]}
    config["exposures"][1]["exclude"] = [SKY]
    config["psf_subtraction"] = {"star": [20, 15.5]}
    settings = completed(config)
    told = {e.science.name: exclusion_of(settings, e) for e in plan_exposures(settings)}
    assert told == {
        "jw3_calints.fits": {"exclude": [PIXELS]},
        "jw1_calints.fits": {"exclude": [PIXELS]},
        "jw2_calints.fits": {"exclude": [PIXELS, SKY], "star": [20, 15.5]},
    }
    json.dumps(told)  # as provenance records it


@pytest.mark.bad_input(63)
@pytest.mark.parametrize(
    ("own", "general", "star", "cards", "problem"),
    [
        ([{**PIXELS, "row": 36}], [], "auto", {}, "beside"),
        ([{**PIXELS, "row": 33}], [{**PIXELS, "row": 300}], "auto", {}, ""),
        ([SKY], [], "auto", {"CRPIX2": None}, "star"),
        ([], [SKY], "auto", {"PA_APER": None}, "north"),
        ([], [SKY], [3, 4], {"CRPIX2": None}, ""),
        ([PIXELS], [], "auto", {"CRPIX2": None, "PA_APER": None}, ""),
        ([{**SKY, "separation": 500.0}], [], "auto", {}, "beside"),  # in mas
        ([], [SKY], [40, 4], {}, "no star"),
    ],
)
def test_circles_without_a_place_are_refused_before_any_job(
    own: Any, general: Any, star: Any, cards: Any, problem: str, tmp_path: Path
) -> None:
    config = write_campaign(tmp_path)
    path = write_science(tmp_path / "jw1_calints.fits", **cards)
    config["exposures"][0]["exclude"] = own
    config["align_refs"] = {"exclude": general}
    config["psf_subtraction"] = {"star": star}
    settings = completed(config)
    (exposure,) = plan_exposures(settings)

    def check() -> None:
        facts = FactsStore(tmp_path / "facts.json")
        check_exposure(settings, exposure, [tmp_path / "mask.fits"], facts)

    messages = {
        "beside": f"exposures[0].exclude[0]: covers no pixel of {path}, which has 40 columns, "
        "32 rows; correct its place, or remove it",
        "no star": f"{path} psf_subtraction.star=[40, 4]: the star is not in the image of 40×32 "
        "pixels; set psf_subtraction.star to its [column, row], counted from 0",
        "star": f"exposures[0] exclude: a circle on the sky has no place: {path}[SCI] CRPIX2: "
        "missing: nothing says where the star is; "
        "set psf_subtraction.star to its [column, row], counted from 0",
        "north": f"exposures[0] exclude: a circle on the sky has no place: {path}[SCI] PA_APER: "
        "missing: nothing says where north is; "
        "run assign_wcs of the jwst pipeline, which writes a CD matrix",
    }
    if problem:
        with refused(messages[problem], ConfigError):
            check()
    else:
        check()


@pytest.mark.bad_input(63)
@pytest.mark.parametrize(
    ("circle", "covers"),
    [
        (PIXELS, True),
        ({**PIXELS, "row": 35}, False),
        ({**PIXELS, "row": 35, "radius": 5}, True),
        (SKY, True),
        ({**SKY, "separation": 500.0}, False),  # in mas
    ],
)
def test_circle_beside_all_exposures_is_refused(
    circle: dict[str, float], covers: bool, tmp_path: Path
) -> None:
    config = write_campaign(tmp_path)
    write_science(tmp_path / "jw1_calints.fits")
    config["align_refs"] = {"exclude": [SKY, circle]}
    settings = completed(config)
    exposures = plan_exposures(settings)
    facts = FactsStore(tmp_path / "facts.json")
    masks = {exposure.name: [tmp_path / "mask.fits"] for exposure in exposures}
    message = (
        f"align_refs.exclude[1]={circle}: covers no pixel of any exposure; "
        "correct its place, or remove it"
    )
    errors = check_campaign(settings, exposures, masks, facts)
    assert [*map(str, errors)] == ([] if covers else [message])


def test_command_line_takes_circles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = inputs(tmp_path / "in")
    product = tmp_path / "p_psfalign.fits"
    arguments = [
        "align", "--science", folder / "sci_calints.fits", "--psfs", folder / "star_psfstack.fits",
        "--psfmask", folder / "mask.fits", "--output", product, "--max-shift", "4",
        "--exclude", "28,22,2.5", "--exclude-sky", "0.5,300,0.125",
    ]  # fmt: skip
    assert main([*map(str, arguments)]) == 0
    header = fits.getheader(product)
    assert header["EXCL1"] == "column 28.00, row 22.00, radius 2.50"
    assert header["EXCL2"] == "column 27.00, row 14.00, radius 2.00"
    same = run(folder, tmp_path / "out", exclude=[PIXELS, SKY], options=OPTIONS)["product"]
    np.testing.assert_array_equal(pixels(product, "WEIGHT"), pixels(same, "WEIGHT"))
    assert main([*map(str, arguments), "--star", "5,6"]) == 0
    assert fits.getheader(product)["EXCL2"] == "column 13.00, row 6.00, radius 2.00"
    with pytest.raises(SystemExit):
        main([*map(str, arguments), "--exclude", "1,2,0"])
    assert "the radius of '1,2,0' is not more than 0" in capsys.readouterr().err
