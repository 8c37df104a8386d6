"""combine_rolls: a companion in several rolls is at one position; content of the files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from files import NOISE, digests, pixels, refused
from rolls import COMPANION, SCALE, STAR, write_roll

from psfalign.errors import InputError
from psfalign.files.sky import Sky
from psfalign.files.subtracted import Subtracted
from psfalign.images.contrast import aperture_share, aperture_sums
from psfalign.images.dq_flags import DO_NOT_USE, FLAGS
from psfalign.images.north_up import Grid, Placement, Turning
from psfalign.steps.combine import combine_rolls
from psfalign.steps.contrast import find_hidden, flux_of_aperture, write_contrast
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf


def roll(folder: Path, angle: float, **options: Any) -> Path:
    """An exposure with a companion, less its star."""
    paths = write_roll(folder, angle, **options)
    output = folder / f"roll{angle:.0f}_psfsub.fits"
    modes = SubtractionOptions(modes=(1, 3, 9))
    subtract_psf(paths["science"], paths["product"], output, options=modes)
    return output


def place(image: Any) -> tuple[float, float]:
    """Separation and position angle of the brightest thing."""
    middle = image.shape[0] // 2
    rows, columns = np.indices(image.shape) - middle
    light = np.nan_to_num(image)
    row, column = np.unravel_index(light.argmax(), light.shape)
    near = np.hypot(rows + middle - row, columns + middle - column) < 4
    weight = np.where(near, np.clip(light, 0, None), 0)
    north, west = (np.sum(weight * axis) / weight.sum() for axis in (rows, columns))
    return float(np.hypot(north, west) * SCALE), float(np.degrees(np.arctan2(-west, north)) % 360)


@pytest.fixture(scope="module")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("rolls")
    return [roll(folder, 20.0), roll(folder, 150.0)]


def test_the_companion_of_each_roll_stands_in_one_place(rolls: list[Path], tmp_path: Path) -> None:
    pictures = []
    for number, chosen in enumerate([rolls[:1], rolls[1:], rolls]):
        output = tmp_path / f"{number}_northup.fits"
        combine_rolls(chosen, output, tmp_path / f"{number}_contrast.ecsv")
        pictures.append(pixels(output)[-1])
    for picture in pictures:
        separation, angle = place(picture)
        # A tenth of a pixel: the star takes some light of the companion with it.
        assert separation == pytest.approx(COMPANION[0], abs=0.1 * SCALE)
        assert angle == pytest.approx(COMPANION[1], abs=0.6)
    assert place(pictures[0])[1] == pytest.approx(place(pictures[1])[1], abs=0.6)


def test_what_the_file_holds(rolls: list[Path], tmp_path: Path) -> None:
    output, curve = tmp_path / "a_northup.fits", tmp_path / "a_contrast.ecsv"
    before = digests(rolls[0].parent)
    combine_rolls(rolls, output, curve, star_flux=2.0)
    assert digests(rolls[0].parent) == before
    with fits.open(output) as hdus:
        size = hdus["SCI"].shape[-1]
        assert size % 2 == 1
        assert hdus["SCI"].shape == hdus["ERR"].shape == hdus["DQ"].shape == (2, size, size)
        assert hdus["STAGES"].shape == hdus["STAGEERR"].shape == (2, size, size)
        header = hdus["SCI"].header
        assert [header[f"KLMODE{n}"] for n in range(2)] == [1, 3]
        assert (header["CTYPE1"], header["CTYPE2"], header["CTYPE3"]) == (
            "RA---TAN", "DEC--TAN", "KLMODES",
        )  # fmt: skip
        assert header["CRPIX1"] == header["CRPIX2"] == size // 2 + 1
        assert (header["CRVAL1"], header["CRVAL2"]) == (200.0, -30.0)
        assert header["CD1_1"] == pytest.approx(-SCALE / 3600)
        assert header["CD2_2"] == pytest.approx(SCALE / 3600)
        assert header["BUNIT"] == "MJy/sr"
        assert header["PIXAR_SR"] == pytest.approx(np.radians(SCALE / 3600) ** 2)
        assert [hdus[0].header[f"EXPO{n}"] for n in (1, 2)] == [path.name for path in rolls]
        count = hdus["NFRAMES"].data
        assert count.max() == hdus[0].header["MAXFRAME"] == 4
        missing = np.isnan(hdus["SCI"].data[0])
        np.testing.assert_array_equal(missing, count == 0)
        np.testing.assert_array_equal((hdus["DQ"].data[0] & DO_NOT_USE) != 0, missing)
        # The mask hides the star, whose middle is a pixel away from that of the mask.
        assert count[size // 2, size // 2] == 0
    assert has_checksums(output)
    table = Table.read(curve)
    assert str(table["separation"].unit) == "arcsec"
    assert list(dict.fromkeys(table["stage"])) == ["science", "mean", "klip 1", "klip 3"]
    np.testing.assert_allclose(table["contrast"], table["limit"] / 2.0)
    np.testing.assert_allclose(table["limit"], table["noise"] / table["throughput"])


def on_grid(column: float, row: float, star: tuple[float, float], shape: tuple[int, ...]) -> Any:
    """Column and row in the picture of a place in the roll at 20°, whose columns are 90° west."""
    angle, (x, y) = np.radians(20.0), (column - star[0], row - star[1])
    west = np.cos(angle) * x - np.sin(angle) * y
    north = np.sin(angle) * x + np.cos(angle) * y
    return shape[1] // 2 + west, shape[0] // 2 + north


def test_world_coordinates_are_those_of_the_star_beside_the_reference_pixel(
    rolls: list[Path], tmp_path: Path
) -> None:
    """With the star elsewhere than CRPIX, what has the coordinates CRVAL is still there."""
    output, star = tmp_path / "n.fits", (STAR[0] + 3, STAR[1] - 2)
    combine_rolls(rolls[:1], output, tmp_path / "c.ecsv", star=star)
    with fits.open(output) as hdus:
        shape, header = hdus["SCI"].shape[1:], hdus["SCI"].header
        found = WCS(header, naxis=2).all_world2pix(200.0, -30.0, 0)
    # 0.4 arcsec of the sky are flat to 1e-6 of themselves.
    np.testing.assert_allclose(found, on_grid(*STAR, star, shape), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("flag", "counts"), [("DO_NOT_USE", False), ("FLUX_ESTIMATED", False), ("JUMP_DET", True)]
)
def test_pixels_whose_value_is_not_observed_are_left_out(
    flag: str, counts: bool, rolls: list[Path], tmp_path: Path
) -> None:
    path, output = tmp_path / rolls[0].name, tmp_path / "n.fits"
    with fits.open(rolls[0], memmap=False) as hdus:
        hdus["DQ"].data[0, 7:10, 7:10] |= FLAGS[flag]
        hdus["DQ"].add_checksum(when="")
        hdus.writeto(path)
    combine_rolls([path], output, tmp_path / "c.ecsv")
    count = pixels(output, "NFRAMES")
    column, row = np.rint(on_grid(8, 8, STAR, count.shape)).astype(int)
    assert count[row, column] == (2 if counts else 1)


@pytest.mark.parametrize(("weight", "counts"), [(0.08, False), (0.12, True)])
def test_pixels_that_the_mask_dims_to_less_than_a_tenth_are_left_out(
    weight: float, counts: bool, rolls: list[Path], tmp_path: Path
) -> None:
    path, output = tmp_path / rolls[0].name, tmp_path / "n.fits"
    with fits.open(rolls[0], memmap=False) as hdus:
        hdus["WEIGHT"].data[7:10, 7:10] = weight
        hdus["WEIGHT"].add_checksum(when="")
        hdus.writeto(path)
    combine_rolls([path], output, tmp_path / "c.ecsv")
    count = pixels(output, "NFRAMES")
    column, row = np.rint(on_grid(8, 8, STAR, count.shape)).astype(int)
    assert count[row, column] == (2 if counts else 0)


def test_errors_of_stages_are_those_of_their_images(rolls: list[Path], tmp_path: Path) -> None:
    """Where nothing is subtracted, the scatter of the median of four numbers; psf images add theirs."""
    output = tmp_path / "n.fits"
    combine_rolls(rolls, output, tmp_path / "c.ecsv")
    science, mean = pixels(output, "STAGEERR")[:, pixels(output, "NFRAMES") == 4]
    np.testing.assert_allclose(science, 0.5461 * NOISE, rtol=0.005)  # tabulated; ours is fitted
    assert np.all(mean > science)


def test_the_picture_says_of_all_rolls_how_they_were_made(
    rolls: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "n.fits"
    combine_rolls(rolls, output, tmp_path / "c.ecsv")
    (records, *before) = (
        {tuple(row) for row in fits.getdata(path, "PROVENANCE").tolist()}
        for path in (output, *rolls)
    )
    assert before[0] != before[1]
    assert before[0] | before[1] < records
    assert {step for step, *_ in records - before[0] - before[1]} == {"combine_rolls"}


def test_the_share_that_is_kept_is_told_where_it_was_measured(rolls: list[Path]) -> None:
    exposure, table = Subtracted(rolls[0]), Table.read(rolls[0], "THROUGHPUT")
    for number, stage in enumerate(exposure.stages):
        own = table[table["stage"] == number]
        farthest = own["separation"][-1]
        places = np.array([*own["separation"], farthest + 0.01, farthest + 1])
        expected = [*own["throughput"], np.nan, np.nan]
        np.testing.assert_array_equal(exposure.read_throughput(stage, places), expected)
    nothing = table[table["stage"] == 0]["throughput"]  # subtracted, so that all is kept
    assert len(nothing) > 2
    np.testing.assert_allclose(nothing, 1.0, rtol=1e-12)


def test_noise_is_the_flux_of_a_point_source(rolls: list[Path], tmp_path: Path) -> None:
    """The scatter of n apertures, in one of which a source of 3 Jy stands, is 3 Jy / √n."""
    flux, grid, width, place = 3.0, Grid(40, 0.05), 4.0, 12  # Jy, pixels from the star
    row, column = np.indices(grid.shape) - grid.reach
    light = np.exp(-4 * np.log(2) * (row**2 + (column - place) ** 2) / width**2)
    in_pixel = 1e6 * np.radians(grid.scale / 3600) ** 2  # Jy of 1 MJy/sr
    picture = flux / in_pixel * light / light.sum()
    output, exposure = tmp_path / "c.ecsv", Subtracted(rolls[0])
    write_contrast(
        output, {"science": picture}, [exposure], grid=grid, fwhm=width * grid.scale,
        flux=in_pixel / aperture_share(width), hidden=np.zeros(grid.shape, bool),
        star_flux=50.0, meta={},
    )  # fmt: skip
    table = Table.read(output)
    assert (table["throughput"] == 1).all()  # of what nothing was subtracted from, wherever it is
    [ring] = [r for r in table if np.isclose(r["separation"], place * grid.scale)]
    # The apertures beside it hold 7 % of its light each.
    expected = 5 * ring["factor"] * flux / np.sqrt(ring["n_samples"])
    assert ring["noise"] == pytest.approx(expected, rel=0.03)
    assert ring["contrast"] == pytest.approx(ring["noise"] / 50.0)


def changed(source: Path, target: Path, **cards: Any) -> Path:
    """Copy an exposure with other cards in SCI; those that are None are removed."""
    with fits.open(source, memmap=False) as hdus:
        hdus["SCI"].header.update({k: v for k, v in cards.items() if v is not None})
        for keyword in [k for k, v in cards.items() if v is None]:
            del hdus["SCI"].header[keyword]
        hdus["SCI"].add_checksum(when="")
        hdus.writeto(target)
    return target


@pytest.mark.parametrize("pixar", [None, 1.004, 4.0])
def test_flux_is_that_of_the_calibration_and_of_turned_apertures(
    pixar: float | None, rolls: list[Path], tmp_path: Path
) -> None:
    """A source of 3 Jy, put into an exposure and turned, has 3 Jy by the sum of its aperture."""
    own = np.radians(SCALE / 3600) ** 2
    cards = {} if pixar is None else {"PIXAR_SR": pixar * own}
    exposure = Subtracted(changed(rolls[0], tmp_path / "a.fits", **cards))
    sky, grid, fwhm = Sky.of(exposure), Grid(20, SCALE), 2.0 * SCALE
    # PIXAR_SR may differ by little from the area of a pixel; fourfold is that of binned pixels.
    in_pixel = 1e6 * (own if pixar == 4.0 else cards.get("PIXAR_SR", own))
    column, row = sky.to_pixel(7 * SCALE, 90.0)
    rows, columns = np.indices(exposure.shape[1:])
    square = (columns - column) ** 2 + (rows - row) ** 2
    light = np.exp(-4 * np.log(2) * square / 2.0**2)
    turning = Turning(Placement(sky.column, sky.row, sky.matrix), grid)
    picture = turning.turn(3.0 / in_pixel * light / light.sum())
    held = aperture_sums(picture, 2.0)[20, 13]
    flux = flux_of_aperture([exposure], [sky], grid, fwhm)
    # One source more or less in the middle of a pixel of the exposure is blurred by 1 to 4 percent.
    assert held * flux == pytest.approx(3.0, rel=0.02)
    assert in_pixel / aperture_share(2.0) < 0.99 * flux  # without the blur


def test_nothing_is_said_in_jansky_of_another_unit(rolls: list[Path], tmp_path: Path) -> None:
    path = changed(rolls[0], tmp_path / "a.fits", BUNIT="DN/s")
    combine_rolls([path], tmp_path / "n.fits", tmp_path / "c.ecsv", star_flux=2.0)
    table = Table.read(tmp_path / "c.ecsv")
    assert np.isnan([table[name] for name in ("noise", "limit", "contrast")]).all()
    assert np.isfinite(table["throughput"]).any()
    assert fits.getval(tmp_path / "n.fits", "BUNIT", "SCI") == "DN/s"


def test_pictures_have_no_coordinates_that_nobody_knows(rolls: list[Path], tmp_path: Path) -> None:
    path = changed(rolls[0], tmp_path / "a.fits", CRVAL1=None)
    combine_rolls([path], tmp_path / "n.fits", tmp_path / "c.ecsv")
    header = fits.getheader(tmp_path / "n.fits", "SCI")
    assert not {"CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2"} & {*header}
    assert header["CD2_2"] == pytest.approx(SCALE / 3600)


def test_right_ascension_goes_on_at_zero(rolls: list[Path], tmp_path: Path) -> None:
    path, star = changed(rolls[0], tmp_path / "a.fits", CRVAL1=0.0), (STAR[0] + 3, STAR[1] - 2)
    combine_rolls([path], tmp_path / "n.fits", tmp_path / "c.ecsv", star=star)
    header = fits.getheader(tmp_path / "n.fits", "SCI")
    assert 359.9 < header["CRVAL1"] < 360 or 0 < header["CRVAL1"] < 0.1
    found = WCS(header, naxis=2).all_world2pix(0.0, -30.0, 0)
    shape = fits.getdata(tmp_path / "n.fits", "SCI").shape[1:]
    np.testing.assert_allclose(found, on_grid(*STAR, star, shape), rtol=0, atol=1e-4)


def test_known_companions_are_no_noise(tmp_path: Path) -> None:
    separation, angle = COMPANION
    circle = {"separation": separation, "position_angle": angle, "radius": 0.4}
    paths, tables = write_roll(tmp_path / "in", 20.0), {}
    for name, exclude in (("told", [circle]), ("untold", [])):
        path, options = tmp_path / f"{name}.fits", SubtractionOptions(exclude=exclude)
        subtract_psf(paths["science"], paths["product"], path, options=options)
        exposure = Subtracted(path)
        sky, grid = Sky.of(exposure), Grid(20, SCALE)
        hidden = find_hidden([exposure], [sky], "auto", grid)
        assert hidden.sum() == pytest.approx(np.pi * 4**2 if exclude else 0, abs=3)
        finer = find_hidden([exposure], [sky], "auto", Grid(40, SCALE / 2))
        assert finer.sum() == pytest.approx(np.pi * 8**2 if exclude else 0, abs=6)
        place = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
        column, row = (20 + round(separation / SCALE * share) for share in place)
        assert hidden[row, column] == bool(exclude)
        combine_rolls([path], tmp_path / f"n_{name}.fits", tmp_path / f"{name}.ecsv")
        table = Table.read(tmp_path / f"{name}.ecsv")
        rings = table[table["stage"] == table["stage"][-1]]
        nearest = np.abs(rings["separation"] - separation).argmin()
        tables[name] = rings[nearest]["noise"], rings[nearest]["n_samples"]
    assert tables["told"][0] < 0.5 * tables["untold"][0]
    assert tables["told"][1] < tables["untold"][1]


def has_checksums(path: Path) -> bool:
    from psfalign.files.fits.checksums import check_checksums
    from psfalign.files.fits.structure import scan

    return check_checksums(path, scan(path)) == []


def test_the_same_inputs_give_the_same_bytes(rolls: list[Path], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        combine_rolls(rolls, tmp_path / folder / "n.fits", tmp_path / folder / "c.ecsv")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_one_frame_is_enough_and_its_noise_is_measured(tmp_path: Path) -> None:
    path = roll(tmp_path, 200.0, n=1)
    combine_rolls([path], tmp_path / "n.fits", tmp_path / "c.ecsv")
    assert place(pixels(tmp_path / "n.fits")[-1])[1] == pytest.approx(COMPANION[1], abs=0.6)
    assert np.isnan(Table.read(tmp_path / "c.ecsv")["contrast"]).all()


def test_fewer_modes_stand_for_more(rolls: list[Path]) -> None:
    exposure = Subtracted(rolls[0])
    assert (exposure.modes, exposure.stages) == ([1, 3], ["science", "mean", "klip 1", "klip 3"])
    assert exposure.stage_like("mean") == "mean"
    assert exposure.stage_like("klip 2") == "klip 1"
    assert exposure.stage_like("klip 50") == "klip 3"


def test_different_stars_are_not_added_up(rolls: list[Path], tmp_path: Path) -> None:
    other = roll(tmp_path, 40.0)
    with fits.open(other, mode="update", memmap=False) as hdus:
        hdus[0].header["TARGPROP"] = "ANOTHER"
        hdus[0].add_checksum()
    message = (
        f"{rolls[0]} TARGPROP: ANOTHER, STAR are different targets; "
        "give the exposures of each target an asn_id of their own"
    )
    with refused(message, InputError):
        combine_rolls([rolls[0], other], tmp_path / "n.fits", tmp_path / "c.ecsv")


@pytest.mark.parametrize(
    ("name", "keyword", "value"),
    [("PRIMARY", "FILTER", "F250M"), ("PRIMARY", "INSTRUME", "MIRI"), ("SCI", "BUNIT", "DN/s")],
)
def test_different_filters_and_units_are_not_added_up(
    name: str, keyword: str, value: str, rolls: list[Path], tmp_path: Path
) -> None:
    other = roll(tmp_path, 40.0)
    with fits.open(other, mode="update", memmap=False) as hdus:
        own = hdus[name].header[keyword]
        hdus[name].header[keyword] = value
        hdus[name].add_checksum()
    own, value = own.upper(), value.upper()
    message = (
        f"{rolls[0]}: {keyword} differ: exposure {rolls[0]} {keyword}={own}; "
        f"exposure {other} {keyword}={value}; use files that belong together"
    )
    with refused(message, InputError):
        combine_rolls([rolls[0], other], tmp_path / "n.fits", tmp_path / "c.ecsv")


def test_exposure_is_added_up_once(rolls: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy_psfsub.fits"
    copy.write_bytes(rolls[0].read_bytes())
    message = f"{copy}: is of the same science exposure as {rolls[0]}; name it once"
    with refused(message, InputError):
        combine_rolls([rolls[0], rolls[1], copy], tmp_path / "n.fits", tmp_path / "c.ecsv")
    assert not (tmp_path / "n.fits").exists()
