"""The demo campaign is complete, reproducible, and true to what it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from psfalign import simulate
from psfalign.files.exposure import Exposure as ReadExposure
from psfalign.files.sky import Sky
from psfalign.images.arrays import Image
from psfalign.images.fourier import Shift, shift_image
from psfalign.simulate import CAMPAIGN, FILES, scene, simulate_campaign
from psfalign.simulate.observations import MIRI, NIRCAM, Exposure, Mode, Observation

SEED = 9999
DO_NOT_USE, JUMP_DET, NON_SCIENCE = 1, 4, 512  # written out: the files are read by others, too
Images = dict[str, tuple[Image, Image]]

each_exposure = pytest.mark.parametrize(
    ("observation", "exposure"),
    [pytest.param(o, e, id=e.name) for o in CAMPAIGN for e in (*o.sciences, o.psfs)],
)
each_science = pytest.mark.parametrize(
    ("observation", "science"),
    [pytest.param(o, e, id=e.name) for o in CAMPAIGN for e in o.sciences],
)
each_mode = pytest.mark.parametrize("mode", [NIRCAM, MIRI], ids=["nircam", "miri"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Images]:
    """Make the campaign once, and keep the images of star and point that it is made of."""
    from psfalign.simulate import optics

    images: Images = {}
    propagate = optics.optical_images

    def keep(mode: Mode, rng: np.random.Generator) -> tuple[Image, Image]:
        images[mode.psfmask] = propagate(mode, rng)
        return images[mode.psfmask]

    folder = tmp_path_factory.mktemp("campaign") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optics, "optical_images", keep)
        simulate_campaign(folder)
    return folder, images


@pytest.fixture(scope="module")
def campaign(made: tuple[Path, Images]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def images(made: tuple[Path, Images]) -> Images:
    return made[1]


@pytest.fixture(scope="module")
def truth(campaign: Path) -> dict[str, Any]:
    exposures: dict[str, Any] = json.loads((campaign / "truth.json").read_text())["exposures"]
    return exposures


def read(path: Path) -> fits.HDUList:
    with fits.open(path, memmap=False) as hdus:
        return fits.HDUList([hdu.copy() for hdu in hdus])


def test_all_files_are_written_and_nothing_else(campaign: Path) -> None:
    assert sorted(p.name for p in campaign.iterdir()) == sorted(FILES)
    assert len(FILES) == 8


def test_same_seed_same_bytes_with_or_without_other_observations(
    campaign: Path, truth: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    miri = CAMPAIGN[1]
    monkeypatch.setattr(simulate, "CAMPAIGN", [miri])
    simulate_campaign(tmp_path, seed=SEED)
    names = {e.name for e in (*miri.sciences, miri.psfs)} | {MIRI.psfmask}
    assert {p.name for p in tmp_path.iterdir()} == names | {"truth.json"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (campaign / name).read_bytes(), name
    alone = json.loads((tmp_path / "truth.json").read_text())["exposures"]
    assert alone == {key: truth[key] for key in alone}


@each_exposure
def test_another_seed_another_sky(observation: Observation, exposure: Exposure) -> None:
    first, second = (scene.star_positions(exposure, seed=seed) for seed in (SEED, 1))
    assert np.all(first != second)
    sky = np.zeros((1, *observation.mode.shape))
    frames = [scene.expose(sky, exposure, observation.mode, seed=seed) for seed in (SEED, 1)]
    assert np.any(frames[0].flags != frames[1].flags)
    assert np.nanmax(np.abs(frames[0].images - frames[1].images)) > 0
    assert not sky.any()


def test_every_exposure_has_jitter_of_its_own() -> None:
    first, second = CAMPAIGN[0].sciences
    jitters = [scene.star_positions(e, seed=SEED) - e.centre for e in (first, second)]
    # Rounding apart, equal streams would give equal jitter, of 0.02 pixels.
    assert np.all(np.abs(jitters[0] - jitters[1]) > 1e-9)


def test_importing_the_package_is_quick() -> None:
    """The Snakefile does, on every run."""
    code = (
        "import sys, psfalign.simulate;"
        "sys.exit(' '.join({'poppy', 'astropy', 'scipy'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@each_science
def test_truth_turns_the_science_into_the_psfs(
    truth: dict[str, Any], images: Images, observation: Observation, science: Exposure
) -> None:
    expected = truth[f"{science.name.removesuffix('_calints.fits')}_{observation.asn_id}"]
    assert expected["psfstack"] == observation.psfs.name
    assert expected["psfmask"] == observation.mode.psfmask
    star, _ = images[observation.mode.psfmask]
    sciences = scene.draw_stars(science, star, seed=SEED)
    psfs = scene.draw_stars(observation.psfs, star, seed=SEED)
    dx, dy, beta = (np.array(expected[key]) for key in ("dx", "dy", "beta"))
    assert dx.shape == dy.shape == beta.shape == (len(sciences), len(psfs))
    for i, k in np.ndindex(beta.shape):
        shifted = beta[i, k] * shift_image(sciences[i], Shift(float(dx[i, k]), float(dy[i, k])))
        # Exact but for the rounding of a few FFTs: there are no Nyquist terms to lose.
        np.testing.assert_allclose(shifted, psfs[k], rtol=0, atol=1e-12 * psfs[k].max())


@each_science
def test_planet_and_disk_do_not_bias_the_truth(
    campaign: Path, images: Images, observation: Observation, science: Exposure
) -> None:
    weight = read(campaign / observation.mode.psfmask)["SCI"].data.astype(np.float64)
    star, point = images[observation.mode.psfmask]
    sky = scene.draw_stars(science, star, seed=SEED)[0]
    around = scene.draw_scene(science, observation, star, point, seed=SEED)[0] - sky
    sigma = read(campaign / science.name)["ERR"].data[0]
    steps = [(Shift(1e-3, 0.0), Shift(-1e-3, 0.0)), (Shift(0.0, 1e-3), Shift(0.0, -1e-3))]
    slopes = [(shift_image(sky, up) - shift_image(sky, down)) / 2e-3 for up, down in steps]
    solve = np.linalg.pinv(np.stack([(weight * a).ravel() for a in (*slopes, sky)], axis=1))
    bias = solve @ (weight * around).ravel()
    noise = np.sqrt(solve**2 @ (weight * np.nan_to_num(sigma)).ravel() ** 2)
    assert np.all(np.abs(bias[:2]) < noise[:2])
    assert np.all(noise[:2] < 0.01)


@each_science
def test_planet_appears_at_its_position_angle_when_the_star_is_subtracted(
    campaign: Path, images: Images, observation: Observation, science: Exposure
) -> None:
    star, _ = images[observation.mode.psfmask]
    hdus = read(campaign / science.name)
    known = scene.draw_stars(science, star, seed=SEED)
    good = (hdus["DQ"].data == 0) & np.isfinite(hdus["SCI"].data)
    rest = np.where(good, hdus["SCI"].data - known, 0.0) / hdus["ERR"].data
    row, column = np.unravel_index(np.nanargmax(rest.mean(axis=0)), rest.shape[1:])
    # North through east is from up through left.
    angle = np.deg2rad(observation.angle - science.roll)
    radius = observation.separation / observation.mode.pixel
    rows, columns = observation.mode.shape
    expected = rows // 2 + radius * np.cos(angle), columns // 2 - radius * np.sin(angle)
    # The star is half a pixel off the middle, and noise may lift a neighbour of the peak.
    assert np.hypot(*np.subtract((row, column), expected)) < 2
    # ... and not before: the star's speckles are many times as bright as it.
    assert known[0].max() > 10 * observation.flux


@each_science
def test_headers_say_where_the_planet_is(
    campaign: Path, images: Images, observation: Observation, science: Exposure
) -> None:
    sky = Sky.of(ReadExposure(campaign / science.name))
    _, point = images[observation.mode.psfmask]
    planet = scene.draw_planets(science, observation, point, seed=SEED)[0]
    row, column = np.unravel_index(planet.argmax(), planet.shape)
    expected = sky.to_pixel(observation.separation, observation.angle)
    # Jitter of 0.02 pixels, and half a pixel between the peak and the middle of its pixel.
    np.testing.assert_allclose((column, row), expected, rtol=0, atol=0.6)


def test_disk_is_an_ellipse_along_its_position_angle(images: Images) -> None:
    observation = next(o for o in CAMPAIGN if o.disk is not None)
    disk, science = observation.disk, observation.sciences[0]
    assert disk is not None
    _, point = images[observation.mode.psfmask]
    image = scene.draw_disks(science, observation, disk, point, seed=SEED)[0]
    row, column = np.indices(image.shape)
    middle = np.array(image.shape[::-1]) // 2 + scene.star_positions(science, seed=SEED)[0]
    offset = np.stack([column - middle[0], row - middle[1]])
    bright = np.where(image > image.max() / 3, image, 0)  # diffraction has directions of its own
    moments = np.einsum("iyx,jyx,yx->ij", offset, offset, bright)
    long_axis = np.linalg.eigh(moments)[1][:, 1]
    angle = np.deg2rad(disk.angle - science.roll)
    # Half a pixel at the end of 29.
    assert abs(long_axis @ (-np.sin(angle), np.cos(angle))) > np.cos(np.deg2rad(1))
    # The ends of the ring, seen along it, are its brightest places, a resolution of 3 pixels inside.
    brightest = np.hypot(*offset[:, image == image.max()])
    assert brightest == pytest.approx(disk.radius / observation.mode.pixel, abs=3)
    # The peak is stated for a ring before it is shifted by a part of a pixel.
    assert image.max() == pytest.approx(disk.flux, rel=0.1)


@each_exposure
def test_err_is_the_noise(
    campaign: Path, images: Images, observation: Observation, exposure: Exposure
) -> None:
    star, point = images[observation.mode.psfmask]
    sky = scene.draw_scene(exposure, observation, star, point, seed=SEED)
    hdus = read(campaign / exposure.name)
    good = (hdus["DQ"].data & ~np.uint32(JUMP_DET) == 0) & np.isfinite(hdus["SCI"].data)
    pulls = ((hdus["SCI"].data - sky) / hdus["ERR"].data)[good]
    # Five standard deviations of a mean and of a standard deviation of so many normal numbers.
    assert abs(pulls.mean()) < 5 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * pulls.size)


@each_exposure
def test_every_kind_of_bad_pixel_is_there(
    campaign: Path, observation: Observation, exposure: Exposure
) -> None:
    hdus = read(campaign / exposure.name)
    science, error, flags = (hdus[name].data for name in ("SCI", "ERR", "DQ"))
    rows, columns = observation.mode.shape
    blind_columns = 4 if observation.mode is MIRI else 0
    n_garbage = round(0.003 * rows * columns) + 1
    kinds = [  # what it is, where, how many
        ("garbage", np.isfinite(science) & (flags == DO_NOT_USE), n_garbage),
        ("flagged nan", np.isnan(science) & (flags == DO_NOT_USE), 4),
        ("unflagged nan", np.isnan(science) & (flags == 0), 3),
        ("jump", np.isfinite(science) & (flags == JUMP_DET), 6),
        ("blind", flags == DO_NOT_USE | NON_SCIENCE, rows * blind_columns),
    ]
    for kind, pixels, number in kinds:
        assert np.all(pixels.sum(axis=(1, 2)) == number), kind
    assert np.all(flags[:, 0, 0] == DO_NOT_USE)
    assert np.all(flags[:, :, columns - blind_columns :] == DO_NOT_USE | NON_SCIENCE)
    np.testing.assert_array_equal(np.isnan(error), np.isnan(science))
    assert not np.any(error <= 0)


@each_exposure
def test_exposure_has_the_form_of_a_cube_model(
    campaign: Path, observation: Observation, exposure: Exposure
) -> None:
    mode, hdus = observation.mode, read(campaign / exposure.name)
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
        "IS_PSF": exposure is observation.psfs,
        "CAL_VER": "simulated",
        "XOFFSET": 0.0,  # in PRIMARY, where JWST's files and pyKLIP have them
        "YOFFSET": 0.0,
    }
    assert {key: primary[key] for key in expected} == expected
    assert {"TARGPROP", "TIME-OBS", "NGROUPS", "ORIGIN"} <= set(primary)
    assert not {"XOFFSET", "YOFFSET"} & set(science)
    assert science["BUNIT"] == "MJy/sr"
    # NIRCam's long-wavelength pixels have 9.3e-14 sr, MIRI's 2.8e-13 sr.
    assert science["PIXAR_SR"] == pytest.approx(2.8e-13 if mode is MIRI else 9.3e-14, rel=0.02)


@each_mode
def test_mask_is_a_weight_in_the_form_of_a_psfmask_file(campaign: Path, mode: Mode) -> None:
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
    assert mask.data.min() >= 0
    assert mask.data.max() <= 1
    # Most of the detector is used, but neither the occulter's middle nor where no sky is seen.
    assert 0.85 < np.mean(mask.data > 0.5) < 0.97
    assert mask.data[mode.shape[0] // 2, mode.shape[1] // 2] < 1e-6
    assert not mask.data[mode.blind].any()


def test_phase_boundaries_of_mask_and_image_agree(campaign: Path, images: Images) -> None:
    """The mask's cross leans as the optical element's does: its arms go through dark pixels."""
    mask = read(campaign / MIRI.psfmask)["SCI"].data
    star, _ = images[MIRI.psfmask]
    near = np.hypot(*(np.indices(MIRI.shape) - np.reshape([45, 48], (2, 1, 1)))) < 12
    mirrored = mask[:, (96 - np.arange(96)) % 96]
    assert np.mean(star[near & (mask < 0.2)]) < 0.5 * np.mean(star[near & (mask > 0.8)])
    assert np.mean(star[near & (mask < 0.2)]) < np.mean(star[near & (mirrored < 0.2)])


def test_checksums_hold_and_have_no_date(campaign: Path) -> None:
    for path in campaign.glob("*.fits"):
        with fits.open(path, checksum=True) as hdus:
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1, path.name
                assert hdu.header.comments["CHECKSUM"] == hdu.header.comments["DATASUM"] == ""


def test_no_file_uses_the_obsolete_name_of_the_occulter(campaign: Path) -> None:
    for path in campaign.iterdir():
        assert b"MASK335R" not in path.read_bytes(), path.name
