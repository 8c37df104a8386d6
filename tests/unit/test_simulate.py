"""The demo campaign is complete, reproducible, and true to what it says."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from psfalign import simulate
from psfalign.simulate import CAMPAIGN, FILES, MIRI, NIRCAM, Exposure, Mode, Observation

SEED = 9999
EXPOSURES = [(o.mode, e) for o in CAMPAIGN for e in (*o.sciences, o.psfs)]
PAIRS = [(o, science) for o in CAMPAIGN for science in o.sciences]
each_exposure = pytest.mark.parametrize(("mode", "exposure"), EXPOSURES)
each_pair = pytest.mark.parametrize(("observation", "science"), PAIRS)
each_mode = pytest.mark.parametrize("mode", [NIRCAM, MIRI])

Optics = dict[str, tuple[simulate.Image, simulate.Image]]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign") / "new"
    simulate.simulate_campaign(folder)
    return folder


@pytest.fixture(scope="module")
def truth(campaign: Path) -> dict[str, Any]:
    exposures: dict[str, Any] = json.loads((campaign / "truth.json").read_text())["exposures"]
    return exposures


@pytest.fixture(scope="module")
def optics() -> Optics:
    return {o.asn_id: simulate._optical_images(o.mode, SEED) for o in CAMPAIGN}


def read(path: Path) -> fits.HDUList:
    with fits.open(path, memmap=False) as hdus:
        return fits.HDUList([hdu.copy() for hdu in hdus])


def truth_of(truth: dict[str, Any], observation: Observation, science: Exposure) -> Any:
    return truth[f"{science.name.removesuffix('_calints.fits')}_{observation.asn_id}"]


def test_all_files_are_written_and_nothing_else(campaign: Path) -> None:
    assert sorted(p.name for p in campaign.iterdir()) == sorted(FILES)
    assert len(FILES) == 8


def test_same_seed_same_bytes(campaign: Path, tmp_path: Path) -> None:
    simulate.simulate_campaign(tmp_path, seed=SEED)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (campaign / name).read_bytes(), name


def test_another_seed_another_sky_but_the_same_masks(campaign: Path, tmp_path: Path) -> None:
    simulate.simulate_campaign(tmp_path, seed=1)
    same = {n for n in FILES if (tmp_path / n).read_bytes() == (campaign / n).read_bytes()}
    assert same == {NIRCAM.psfmask, MIRI.psfmask}


def test_importing_the_module_does_not_import_poppy() -> None:
    code = "import sys, psfalign.simulate; sys.exit('poppy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@each_pair
def test_truth_turns_the_science_into_the_psfs(
    truth: dict[str, Any], optics: Optics, observation: Observation, science: Exposure
) -> None:
    expected = truth_of(truth, observation, science)
    star, _ = optics[observation.asn_id]
    sciences = simulate._stars(science, star, SEED)
    psfs = simulate._stars(observation.psfs, star, SEED)
    dx, dy, beta = (np.array(expected[key]) for key in ("dx", "dy", "beta"))
    assert dx.shape == dy.shape == beta.shape == (len(sciences), len(psfs))
    for i, k in np.ndindex(beta.shape):
        shifted = beta[i, k] * simulate._shift(sciences[i], np.array([dx[i, k], dy[i, k]]))
        # Exact but for the rounding of a few FFTs: there are no Nyquist terms to lose.
        np.testing.assert_allclose(shifted, psfs[k], rtol=0, atol=1e-12 * psfs[k].max())


@each_pair
def test_truth_names_files_of_the_campaign(
    truth: dict[str, Any], observation: Observation, science: Exposure
) -> None:
    expected = truth_of(truth, observation, science)
    assert expected["psfstack"] == observation.psfs.name in FILES
    assert expected["psfmask"] == observation.mode.psfmask in FILES


def test_shift_moves_to_higher_column_and_row() -> None:
    image = np.zeros((8, 10))
    image[2, 3] = 1.0
    moved = simulate._shift(image, np.array([4.0, 1.0]))
    assert moved[3, 7] == pytest.approx(1.0, abs=1e-12)


def test_science_rolls_point_differently() -> None:
    first, second = (simulate._positions(e, SEED) for e in CAMPAIGN[0].sciences)
    # A tenth of a pixel is five times the jitter.
    assert np.all(np.abs(first.mean(axis=0) - second.mean(axis=0)) > 0.1)


@each_pair
def test_planet_has_the_same_position_angle_at_every_roll(
    optics: Optics, observation: Observation, science: Exposure
) -> None:
    _, point = optics[observation.asn_id]
    planet = simulate._planets(science, observation, point, SEED)[0]
    row, column = np.unravel_index(planet.argmax(), planet.shape)
    up, left = row - planet.shape[0] // 2, planet.shape[1] // 2 - column
    # North through east is from up through left; a pixel at 20 pixels is 3 degrees.
    angle = science.roll + np.rad2deg(np.arctan2(left, up))
    assert angle == pytest.approx(observation.angle, abs=3)


@each_pair
def test_planet_does_not_bias_the_truth(
    campaign: Path, optics: Optics, observation: Observation, science: Exposure
) -> None:
    weight = simulate._transmission(observation.mode)
    star, point = optics[observation.asn_id]
    sky = simulate._stars(science, star, SEED)[0]
    planet = simulate._planets(science, observation, point, SEED)[0]
    sigma = read(campaign / science.name)["ERR"].data[0]
    steps = [np.array(s) for s in ([1e-3, 0.0], [0.0, 1e-3])]
    slopes = [(simulate._shift(sky, s) - simulate._shift(sky, -s)) / 2e-3 for s in steps]
    solve = np.linalg.pinv(np.stack([(weight * a).ravel() for a in (*slopes, sky)], axis=1))
    bias = solve @ (weight * planet).ravel()
    noise = np.sqrt(solve**2 @ (weight * np.nan_to_num(sigma)).ravel() ** 2)
    assert np.all(np.abs(bias[:2]) < noise[:2])
    assert np.all(noise[:2] < 0.01)


@each_pair
def test_planet_appears_where_it_is_when_the_star_is_subtracted(
    campaign: Path, optics: Optics, observation: Observation, science: Exposure
) -> None:
    star, point = optics[observation.asn_id]
    hdus = read(campaign / science.name)
    known = simulate._stars(science, star, SEED)
    good = (hdus["DQ"].data == 0) & np.isfinite(hdus["SCI"].data)
    planet = simulate._planets(science, observation, point, SEED)
    rest = np.where(good, hdus["SCI"].data - known, 0.0) / hdus["ERR"].data
    brightest = np.unravel_index(np.nanargmax(rest.mean(axis=0)), rest.shape[1:])
    expected = np.unravel_index(planet[0].argmax(), planet[0].shape)
    assert np.hypot(*np.subtract(brightest, expected)) < 2
    # ... and not before: the star's speckles are several times as bright as it.
    assert known[0].max() > 10 * planet[0].max()


@each_exposure
def test_err_is_the_noise(campaign: Path, optics: Optics, mode: Mode, exposure: Exposure) -> None:
    observation = next(o for o in CAMPAIGN if o.mode is mode)
    star, point = optics[observation.asn_id]
    scene = simulate._stars(exposure, star, SEED)
    if exposure is not observation.psfs:
        scene += simulate._planets(exposure, observation, point, SEED)
    hdus = read(campaign / exposure.name)
    good = (hdus["DQ"].data & ~np.uint32(simulate.JUMP_DET) == 0) & np.isfinite(hdus["SCI"].data)
    pulls = ((hdus["SCI"].data - scene) / hdus["ERR"].data)[good]
    # Five standard deviations of a mean and of a standard deviation of so many normal numbers.
    assert abs(pulls.mean()) < 5 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * pulls.size)


@each_exposure
def test_every_kind_of_bad_pixel_is_there(campaign: Path, mode: Mode, exposure: Exposure) -> None:
    hdus = read(campaign / exposure.name)
    science, error, flags = (hdus[name].data for name in ("SCI", "ERR", "DQ"))
    size, seeing = science[0].size, ~np.broadcast_to(mode.blind, science.shape)
    counts = {
        "garbage": np.isfinite(science) & (flags == simulate.DO_NOT_USE),
        "flagged nan": np.isnan(science) & (flags == simulate.DO_NOT_USE),
        "unflagged nan": np.isnan(science) & (flags == 0),
        "jump": np.isfinite(science) & (flags == simulate.JUMP_DET),
        "blind": flags == simulate.DO_NOT_USE | simulate.NON_SCIENCE,
    }
    expected = {
        "garbage": round(0.003 * size) + 1,
        "flagged nan": 4,
        "unflagged nan": 3,
        "jump": 6,
        "blind": mode.blind.sum(),
    }
    for kind, pixels in counts.items():
        assert np.all(pixels.sum(axis=(1, 2)) == expected[kind]), kind
    assert np.all(flags[:, 0, 0] == simulate.DO_NOT_USE)
    assert np.all(flags[~seeing] == simulate.DO_NOT_USE | simulate.NON_SCIENCE)
    np.testing.assert_array_equal(np.isnan(error), np.isnan(science))
    assert not np.any(error <= 0)


def test_only_miri_has_a_blind_edge() -> None:
    assert not NIRCAM.blind.any()
    assert MIRI.blind.any(axis=0).sum() == MIRI.blind.all(axis=0).sum() == 4


@each_exposure
def test_exposure_has_the_form_of_a_cube_model(
    campaign: Path, mode: Mode, exposure: Exposure
) -> None:
    hdus = read(campaign / exposure.name)
    shape = (len(exposure.steps), *mode.shape)
    assert [h.name for h in hdus] == ["PRIMARY", "SCI", "ERR", "DQ"]
    assert [h.data.dtype.newbyteorder("=") for h in hdus[1:]] == ["f4", "f4", "u4"]
    assert all(h.data.shape == shape for h in hdus[1:])
    primary, science = hdus[0].header, hdus["SCI"].header
    expected = {
        **mode.selectors,
        **mode.keywords,
        "TELESCOP": "JWST",
        "DATAMODL": "CubeModel",
        "FILENAME": exposure.name,
        "PROGRAM": "09999",
        "DATE-OBS": "2023-06-01",
        "NINTS": shape[0],
        "IS_PSF": "psfstack" in exposure.name,
        "CAL_VER": "simulated",
    }
    assert {key: primary[key] for key in expected} == expected
    assert {"TARGPROP", "TIME-OBS", "NGROUPS", "ORIGIN"} <= set(primary)
    assert (science["BUNIT"], science["CRPIX1"]) == ("MJy/sr", mode.shape[1] / 2 + 1)
    # NIRCam's long-wavelength pixels have 9.3e-14 sr, MIRI's 2.8e-13 sr.
    assert science["PIXAR_SR"] == pytest.approx({96: 9.3e-14, 90: 2.8e-13}[shape[1]], rel=0.02)


def test_exposures_start_at_different_times(campaign: Path) -> None:
    times = [read(campaign / e.name)[0].header["TIME-OBS"] for _, e in EXPOSURES]
    assert sorted(set(times)) == sorted(times)


@each_mode
def test_mask_has_the_form_of_a_psfmask_file(campaign: Path, mode: Mode) -> None:
    primary, mask = read(campaign / mode.psfmask)
    expected = {
        **mode.selectors,
        "TELESCOP": "JWST",
        "REFTYPE": "PSFMASK",
        "USEAFTER": "2022-07-01T00:00:00",
        "PEDIGREE": "DUMMY",
        "DATAMODL": "PsfMaskModel",
        "FILENAME": mode.psfmask,
    }
    assert {key: primary.header[key] for key in expected} == expected
    assert {"AUTHOR", "DESCRIP"} <= set(primary.header)
    assert (mask.name, mask.data.shape) == ("SCI", mode.shape)
    assert mask.data.dtype.newbyteorder("=") == "f4"


@each_mode
def test_mask_is_a_weight(campaign: Path, mode: Mode) -> None:
    mask = read(campaign / mode.psfmask)["SCI"].data
    rows, columns = mode.shape
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert 0.85 < np.mean(mask > 0.5) < 0.97
    assert mask[rows // 2, columns // 2] < 1e-6
    assert not mask[mode.blind].any()


def test_phase_boundaries_of_mask_and_image_agree(campaign: Path, optics: Optics) -> None:
    """The mask's cross leans as the optical element's does: its arms go through dark pixels."""
    mask = read(campaign / MIRI.psfmask)["SCI"].data
    star, _ = optics["a3002"]
    near = np.hypot(*(np.indices(MIRI.shape) - np.reshape([45, 48], (2, 1, 1)))) < 12
    mirrored = mask[:, (96 - np.arange(96)) % 96]
    assert np.mean(star[near & (mask < 0.2)]) < 0.5 * np.mean(star[near & (mask > 0.8)])
    assert np.mean(star[near & (mask < 0.2)]) < np.mean(star[near & (mirrored < 0.2)])


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".fits")])
def test_checksums_hold_and_have_no_date(campaign: Path, name: str) -> None:
    with warnings.catch_warnings(), fits.open(campaign / name, checksum=True) as hdus:
        warnings.simplefilter("error")
        for hdu in hdus:
            assert hdu.verify_checksum() == hdu.verify_datasum() == 1
            assert hdu.header.comments["CHECKSUM"] == hdu.header.comments["DATASUM"] == ""


@pytest.mark.parametrize("name", FILES)
def test_no_file_uses_the_obsolete_name_of_the_occulter(campaign: Path, name: str) -> None:
    assert b"MASK335R" not in (campaign / name).read_bytes()
