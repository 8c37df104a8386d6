"""Other rolls as psf images: where they are moved to, and what they leave of a companion."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import SHAPE, pixels, refused
from rolls import COMPANION, companion_at, spot, write_roll

from psfalign.errors import InputError
from psfalign.files.aligned import AlignedPsfs
from psfalign.files.exposure import Exposure
from psfalign.files.provenance.table import read_records
from psfalign.steps.rolls import Roll, StarsAndRolls, find_moves
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf

ROLLS = SubtractionOptions(references="stars+rolls")
# Light beside the star that no psf image has, and that stays with the telescope.
PLACE = 33, 25  # column, row
QUASI_STATIC = spot(*PLACE, 5.0)
STEPS = (0.3, -0.4), (-0.2, 0.1)  # of the second roll: it drifts, too


def table(science: Any, psfs: Any, **changes: Any) -> dict[str, Any]:
    """Shifts of psfs at some places against a science exposure at others, (images, 2)."""
    shift = psfs[None] - science[:, None]
    n = shift.shape[0] * shift.shape[1]
    columns = {"dx": shift[..., 0].ravel(), "dy": shift[..., 1].ravel()}
    columns |= {name: np.full(n, 0.01) for name in ("sigma_dx", "sigma_dy")}
    columns |= {"status": np.full(n, "ok", dtype="<U20"), "suspicious": np.zeros(n, bool)}
    return columns | changes


def test_moves_are_those_of_the_science_images() -> None:
    rng = np.random.default_rng(1)
    own, other, psfs = (rng.normal(size=(n, 2)) for n in (2, 3, 4))
    moves = find_moves(table(own, psfs), table(other, psfs), 4)
    expected = own[:, None] - other[None]
    np.testing.assert_allclose(moves, np.moveaxis(expected, -1, 0), atol=1e-12)


def test_fits_that_failed_or_contradict_the_others_do_not_count() -> None:
    rng = np.random.default_rng(2)
    own, other, psfs = (rng.normal(size=(n, 2)) for n in (2, 1, 3))
    wrong = table(own, psfs)
    wrong["dx"][[0, 4]] += 5
    wrong["status"][0], wrong["suspicious"][4] = "no_convergence", True
    moves = find_moves(wrong, table(other, psfs), 3)
    np.testing.assert_allclose(moves[:, :, 0].T, own - other, atol=1e-12)
    wrong["status"][:3] = "bad_science"
    assert np.isnan(find_moves(wrong, table(other, psfs), 3)[:, 0]).all()


def test_shifts_count_by_their_uncertainty() -> None:
    places = np.zeros((1, 2)), np.zeros((2, 2))
    own, sigma = table(*places), np.array([0.01, 0.03])
    own["dx"][:] = [1.0, 2.0]
    moves = find_moves(own | {"sigma_dx": sigma, "sigma_dy": sigma}, table(*places), 2)
    weights = 1 / (sigma**2 + 0.01**2)
    assert moves[0, 0, 0] == pytest.approx(-np.average([1.0, 2.0], weights=weights))
    unknown = {"sigma_dx": np.full(2, np.nan)}
    assert find_moves(own | unknown, table(*places), 2)[0, 0, 0] == pytest.approx(-1.5, rel=1e-3)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("rolls")
    return [
        write_roll(folder, 20.0, companion=2.0, more=QUASI_STATIC),
        write_roll(folder, 110.0, companion=2.0, more=QUASI_STATIC, steps=STEPS),
    ]


def roll(paths: dict[str, Path]) -> Roll:
    return Roll(paths["science"], paths["shifts"])


def test_images_lie_on_the_science_image(pair: list[dict[str, Path]]) -> None:
    one, other = pair
    exposure, psfs = Exposure(one["science"]), AlignedPsfs(one["product"])
    library = StarsAndRolls(exposure, psfs, [roll(other)])
    assert len(library) == 3 + 2
    assert not library.shared
    with exposure, library:
        for n in range(2):
            images = library.read_images(n)
            np.testing.assert_array_equal(images[:3], psfs.read_images(n))
            # The companion and what no psf has move along; elsewhere the star is one and the same.
            away = (spot(*companion_at(110.0), 1) < 1e-3) & (spot(*companion_at(20.0), 1) < 1e-3)
            away &= spot(*PLACE, 1) < 1e-3
            for moved in images[3:]:
                difference = (moved - exposure.read_science(n))[away]
                # Noise of two images, 0.07, and a hundredth of a pixel, by which companions of two
                # percent move the fits, of a gradient of 40.
                assert np.abs(difference).max() < 0.6
            chosen = np.array([1, 2, 4])
            assert library.read_errors(n, chosen).shape == (3, *SHAPE)
            np.testing.assert_array_equal(
                library.read_errors(n, chosen)[:2], psfs.read_errors(n, chosen[:2])
            )
            assert library.read_flags(n, np.array([3])).shape == (1, *SHAPE)


def test_what_stays_with_the_telescope_goes_and_the_companion_stays(
    pair: list[dict[str, Path]], tmp_path: Path
) -> None:
    one, other = pair
    left = {}
    for name, options in (("stars", SubtractionOptions()), ("stars+rolls", ROLLS)):
        path = tmp_path / f"{name}.fits"
        subtract_psf(one["science"], one["product"], path, rolls=[roll(other)], options=options)
        header = fits.getheader(path)
        assert (header["KLIPREF"], header["NREFS"]) == (name, 5 if "rolls" in name else 3)
        assert header.get("ROLL1") == ("sci_clean.fits" if "rolls" in name else None)
        left[name] = pixels(path)[0]
        column, row = map(round, companion_at(20.0))
        assert left[name][row, column] > 1.2  # of 2
    assert left["stars"][PLACE[::-1]] > 4
    # The companion of the other roll comes along, which costs a share of (2 / 5)² of what is won.
    assert abs(left["stars+rolls"][PLACE[::-1]]) < 1.2
    table = fits.getdata(tmp_path / "stars+rolls.fits", "THROUGHPUT")
    assert np.isfinite(table["throughput"]).all()


def test_companion_that_is_excluded_is_left_out_at_the_angle_of_each_roll(tmp_path: Path) -> None:
    circle = {"separation": COMPANION[0], "position_angle": COMPANION[1], "radius": 0.45}
    # As a fit has it that left out the companion, and a bad place in the pixels of its own roll.
    hole = {"column": 8.0, "row": 24.0, "radius": 2.0}
    fitted = {20.0: [circle], 110.0: [circle, hole]}
    bright, faint = (
        [
            write_roll(
                tmp_path / name, angle, companion=flux, steps=STEPS, chain={"exclude": exclude}
            )
            for angle, exclude in fitted.items()
        ]
        for name, flux in (("with", 15.0), ("without", 0.0))
    )
    left = {}
    for name, (one, other), exclude in (
        ("told", bright, [circle]), ("untold", bright, []), ("alone", faint, [circle]),
    ):  # fmt: skip
        path, options = tmp_path / f"{name}.fits", replace(ROLLS, exclude=exclude)
        subtract_psf(one["science"], one["product"], path, rolls=[roll(other)], options=options)
        left[name] = pixels(path)[0].astype(float)
    header = fits.getheader(tmp_path / "told.fits")
    assert header["NEXCLUDE"] == 3
    for number, angle in ((1, 20.0), (2, 110.0)):
        column, row = companion_at(angle)
        assert header[f"EXCL{number}"] == f"column {column:.2f}, row {row:.2f}, radius 4.50"
    assert header["EXCL3"] == "column 8.00, row 24.00, radius 2.00"
    assert header.comments["EXCL3"] == "[pix] from 0, of ROLL1"
    near, far = (
        np.hypot(*(np.indices(SHAPE)[::-1] - np.reshape(companion_at(angle), (2, 1, 1)))) < 4.5
        for angle in fitted
    )
    flux = spot(*companion_at(20.0), 15.0)[near].sum()
    kept = {name: (left[name] - left["alone"])[near].sum() / flux for name in left}
    assert kept["told"] == pytest.approx(1.0, abs=0.001)  # the noise is the same with and without
    assert kept["untold"] < 0.95
    # What is subtracted elsewhere is that of the same star without a companion.
    elsewhere = ~near & ~far
    changed = {name: np.abs(left[name] - left["alone"])[elsewhere].max() for name in kept}
    # The fits of shifts leave out more, and move by thousandths of a pixel, of a gradient of 40.
    assert changed["told"] < 0.1 < changed["untold"]


def test_all_inputs_are_in_the_records(pair: list[dict[str, Path]], tmp_path: Path) -> None:
    one, other = pair
    before = one["science"].read_bytes(), other["science"].read_bytes()
    names = tmp_path / "a/psfsub.fits", tmp_path / "b/psfsub.fits"
    for path in names:
        subtract_psf(one["science"], one["product"], path, rolls=[roll(other)], options=ROLLS)
    assert names[0].read_bytes() == names[1].read_bytes()
    assert before == (one["science"].read_bytes(), other["science"].read_bytes())
    records = read_records(names[0], Exposure(names[0]).hdus)
    digests = {fits.getval(paths["science"], "RAWSHA") for paths in pair}
    inputs = [record for record in records if record[:2] == ("clean_science", "input")]
    assert {record.value for record in inputs} == digests
    assert ("subtract_psf", "parameter", "references", '"stars+rolls"') in records


def test_psf_images_that_all_integrations_share(tmp_path: Path) -> None:
    chain = {"align_to": "first"}
    one, other = (
        write_roll(tmp_path, angle, companion=2.0, more=QUASI_STATIC, chain=chain)
        for angle in (20.0, 110.0)
    )
    path = tmp_path / "psfsub.fits"
    subtract_psf(one["science"], one["product"], path, rolls=[roll(other)], options=ROLLS)
    assert fits.getval(path, "NREFS") == 5
    assert abs(pixels(path)[0][PLACE[::-1]]) < 1.2


def test_without_alignment_nothing_is_moved(tmp_path: Path) -> None:
    chain = {"psfmask": "N/A"}
    one, other = (write_roll(tmp_path, angle, chain=chain) for angle in (20.0, 110.0))
    exposure, psfs = Exposure(one["science"]), AlignedPsfs(one["product"])
    with exposure, StarsAndRolls(exposure, psfs, [roll(other)]) as library:
        moved = library.read_images(1)[3:]
    np.testing.assert_allclose(moved, pixels(other["science"]), atol=1e-5)


def test_an_integration_that_holds_nothing_is_left_out(tmp_path: Path) -> None:
    one = write_roll(tmp_path, 20.0)
    nothing = np.zeros((2, *SHAPE), np.float32)
    nothing[1] = np.nan
    other = write_roll(tmp_path, 110.0, more=nothing)
    path = tmp_path / "psfsub.fits"
    subtract_psf(one["science"], one["product"], path, rolls=[roll(other)], options=ROLLS)
    header = fits.getheader(path, "SCI")
    assert (header["NREFUSED"], header["NREFFAIL"]) == (8, 2)


def test_what_is_no_other_roll_is_refused(pair: list[dict[str, Path]], tmp_path: Path) -> None:
    one, other = pair
    again = write_roll(tmp_path, 20.4, steps=STEPS)
    output = tmp_path / "psfsub.fits"
    cases = {
        roll(again): f"{again['science']}: has the same roll as {one['science']}, "
        "within 0.4 degrees; leave it out of the rolls",
        Roll(other["science"], one["shifts"]): f"{one['shifts']}: are not the shifts of "
        f"{other['science']} against the psf images of {one['product']}; run fit_shifts again",
    }
    for wrong, message in cases.items():
        with refused(message, InputError):
            subtract_psf(one["science"], one["product"], output, rolls=[wrong], options=ROLLS)
    assert not output.exists()
