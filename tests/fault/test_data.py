"""Data that cannot be aligned give flagged planes or an error; all other pixels are finite."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import (
    NOISE,
    PSF_STEPS,
    SCIENCE_STEPS,
    SHAPE,
    digests,
    exposure_hdus,
    ring,
    scene,
    write,
    write_mask,
)

from psfalign.cli import main
from psfalign.images.dq_flags import DO_NOT_USE, NON_SCIENCE

MAX_SHIFT = 4
MIRI = {
    "INSTRUME": "MIRI",
    "FILTER": "F1065C",
    "CORONMSK": "4QPM_1065",
    "SUBARRAY": "MASK1065",
}


def science_hdus(**cards: Any) -> fits.HDUList:
    return exposure_hdus(scene(SCIENCE_STEPS), **cards)


def psf_hdus(**cards: Any) -> fits.HDUList:
    return exposure_hdus(scene(PSF_STEPS, seed=2), **cards)


def align(
    folder: Path, science: fits.HDUList, psfs: fits.HDUList, *more: str, mask: Any = None
) -> dict[str, Any]:
    """Align by the command line, check general properties, and return the HDUs of the product."""
    inputs = folder / "in"
    write(science, inputs / "s.fits")
    write(psfs, inputs / "p.fits")
    cards = {key: science[0].header[key] for key in ("INSTRUME", "FILTER", "CORONMSK", "SUBARRAY")}
    write_mask(inputs / "m.fits", mask, **cards)
    before = digests(inputs)
    arguments = ["align", "--science", f"{inputs}/s.fits", "--psfs", f"{inputs}/p.fits"]
    arguments += ["--psfmask", f"{inputs}/m.fits", "--output", f"{folder}/o.fits"]
    arguments += ["--max-shift", str(MAX_SHIFT), *more]
    code = main(arguments)
    assert digests(inputs) == before
    if code:
        assert not (folder / "o.fits").exists()
        return {"code": code}
    with fits.open(folder / "o.fits", memmap=False, checksum=True) as hdus:
        product = {hdu.name: None if hdu.data is None else hdu.data.copy() for hdu in hdus}
        product["failed"] = hdus[0].header["NFAILED"]
        product["errors"] = hdus[0].header["ERRMODE"]
        product["without errors"] = hdus["SCI"].header["NNOERR"]
    product["code"] = 0
    check_flags(product)
    return product


def check_flags(product: dict[str, Any]) -> None:
    """Item 44: pixels that are not finite are in planes that are completely NaN and counted."""
    science, error, dq = (product[name] for name in ("SCI", "ERR", "DQ"))
    status = product["SHIFTS"]["status"].reshape(science.shape[:2])
    failed = status != "ok"
    assert product["failed"] == failed.sum()
    assert np.isfinite(science[~failed]).all()
    assert np.isnan(science[failed]).all()
    unknown = failed | np.isnan(error).all(axis=(-2, -1))
    assert np.isnan(error[unknown]).all()
    assert np.isfinite(error[~unknown]).all()
    assert product["errors"] == "fourier" or np.all(error[~unknown] > 0)
    # All planes of a psf have errors, or none.
    of_psf = np.all(unknown | failed, axis=0) & ~failed.all(axis=0)
    assert product["without errors"] >= of_psf.sum()
    assert not (unknown & ~failed & ~of_psf).any()
    assert np.all(dq[failed] == DO_NOT_USE)
    assert np.isfinite(product["WEIGHT"]).all()


SPOILED = {
    "nan": lambda hdus, i: hdus["SCI"].data[i].fill(np.nan),
    "inf": lambda hdus, i: hdus["SCI"].data[i].fill(np.inf),
    "flagged": lambda hdus, i: hdus["DQ"].data[i].fill(DO_NOT_USE),
    "constant": lambda hdus, i: hdus["SCI"].data[i].fill(3.5),
    "zero": lambda hdus, i: hdus["SCI"].data[i].fill(0.0),
}


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
@pytest.mark.parametrize("kind", SPOILED)
def test_item_37_integration_without_content(kind: str, weighting: str, tmp_path: Path) -> None:
    science = science_hdus()
    SPOILED[kind](science, 1)
    product = align(tmp_path, science, psf_hdus(), "--weighting", weighting)
    status = product["SHIFTS"]["status"].tolist()
    assert status == ["ok"] * 3 + ["bad_science"] * 3


@pytest.mark.parametrize("kind", SPOILED)
def test_item_37_psf_without_content(kind: str, tmp_path: Path) -> None:
    psfs = psf_hdus()
    SPOILED[kind](psfs, 1)
    product = align(tmp_path, science_hdus(), psfs)
    assert product["SHIFTS"]["status"].tolist() == ["ok", "bad_psf", "ok"] * 2


@pytest.mark.parametrize("kind", ["science", "psf"])
def test_item_37_plane_of_nan_with_inverse_variance(kind: str, tmp_path: Path) -> None:
    """ERR is NaN, too, as pipelines write it."""
    exposures = {"science": science_hdus(), "psf": psf_hdus()}
    for name in ("SCI", "ERR"):
        exposures[kind][name].data[1] = np.nan
    product = align(tmp_path, *exposures.values(), "--weighting", "inverse_variance")
    expected = {"science": ["ok"] * 3 + ["bad_science"] * 3, "psf": ["ok", "bad_psf", "ok"] * 2}
    assert product["SHIFTS"]["status"].tolist() == expected[kind]


@pytest.mark.parametrize("align_to", ["first", "mean"])
def test_item_37_nothing_to_align_to(align_to: str, tmp_path: Path) -> None:
    science = science_hdus()
    for i in range(2):
        SPOILED["nan"](science, i)
    arguments = ("--align-to", align_to, "--on-failed-fit", "stop")
    assert align(tmp_path, science, psf_hdus(), *arguments) == {"code": 1}


def test_item_37_stop_says_how_many_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    science = science_hdus()
    SPOILED["nan"](science, 0)
    assert align(tmp_path, science, psf_hdus(), "--on-failed-fit", "stop") == {"code": 1}
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("psfalign: error: ")]
    assert len(lines) == 1
    assert lines[0].endswith(
        "align_refs.on_failed_fit=stop: 3 of 6 fits failed: 3 bad_science; "
        "look at the exposure, or set it to flag"
    )


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_item_38_pixels_that_are_not_finite(value: float, tmp_path: Path) -> None:
    science, psfs = science_hdus(), psf_hdus()
    rng = np.random.default_rng(4)
    for hdus in (science, psfs):
        hdus["SCI"].data[rng.random(hdus["SCI"].data.shape) < 0.02] = value
        hdus["ERR"].data[rng.random(hdus["SCI"].data.shape) < 0.02] = value
    product = align(tmp_path, science, psfs)
    assert product["failed"] == 0


def test_item_38_errors_all_unknown(tmp_path: Path) -> None:
    psfs = psf_hdus()
    psfs["ERR"].data[:] = np.nan
    product = align(tmp_path, science_hdus(), psfs)
    assert product["failed"] == 0
    assert np.isnan(product["ERR"]).all()
    assert product["without errors"] == 3


def test_item_38_errors_of_one_psf_unknown(tmp_path: Path) -> None:
    psfs = psf_hdus()
    psfs["ERR"].data[1] = np.nan
    product = align(tmp_path, science_hdus(), psfs)
    assert product["failed"] == 0
    assert product["without errors"] == 1
    unknown = np.isnan(product["ERR"]).all(axis=(-2, -1))
    assert unknown.tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -7.0, 300 * NOISE, 1000 * NOISE, 1e6])
def test_item_38_unknown_and_absurd_errors_stay_where_they_are(
    value: float, tmp_path: Path
) -> None:
    """Shifts, their uncertainties and all errors are those of images with errors everywhere."""
    usual, spoiled = (science_hdus(), psf_hdus()), (science_hdus(), psf_hdus())
    for hdus in spoiled:
        hdus["ERR"].data[:, 3:5, 3:5] = hdus["ERR"].data[:, 13, 20] = value
    one, other = (
        align(tmp_path / name, *hdus) for name, hdus in (("usual", usual), ("spoiled", spoiled))
    )
    for name in one["SHIFTS"].dtype.names:
        np.testing.assert_array_equal(one["SHIFTS"][name], other["SHIFTS"][name])
    np.testing.assert_array_equal(one["ERR"], other["ERR"])


def test_item_39_no_good_neighbour(tmp_path: Path) -> None:
    science, psfs = science_hdus(), psf_hdus()
    for hdus in (science, psfs):
        hdus["DQ"].data[:, 2:9, 2:9] = DO_NOT_USE
        hdus["SCI"].data[:, 2:9, 2:9] = 1e6
    product = align(tmp_path, science, psfs)
    assert product["failed"] == 0
    assert np.abs(product["SCI"]).max() < 1e3


@pytest.mark.parametrize(
    "place", [np.s_[:, 0, :], np.s_[:, :, -1], np.s_[:, -1, -1], np.s_[:, 0, 0]]
)
def test_item_40_edges_and_corners(place: Any, tmp_path: Path) -> None:
    science, psfs = science_hdus(), psf_hdus()
    for hdus in (science, psfs):
        hdus["SCI"].data += 3
        hdus["SCI"].data[place] = np.nan
    product = align(tmp_path, science, psfs, "--background", "fit")
    assert product["failed"] == 0
    # Corners are far from the speckles: nothing but the sky of 3 and noise of 0.05.
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert np.abs(product["SCI"][..., row, column] - 3).max() < 6 * NOISE


def test_item_40_miri_edges_are_zero(tmp_path: Path) -> None:
    science, psfs = science_hdus(**MIRI), psf_hdus(**MIRI)
    for hdus in (science, psfs):
        hdus["SCI"].data[:, :, :3] = np.nan
        hdus["DQ"].data[:, :, :3] = DO_NOT_USE | NON_SCIENCE
    product = align(tmp_path, science, psfs)
    assert product["failed"] == 0
    # Planes move by less than a pixel either way: the middle one of three columns stays among them,
    # but for rows that wrapped.
    assert not product["SCI"][..., 1:-1, 1].any()
    assert np.all(product["DQ"][..., 1:-1, 1] & NON_SCIENCE)
    assert product["SCI"][..., 5].all()


def test_item_40_miri_edges_do_not_ring(tmp_path: Path) -> None:
    """Over a sky of 3, the step to 0 is 60 times the noise."""
    science, psfs = science_hdus(**MIRI), psf_hdus(**MIRI)
    for hdus in (science, psfs):
        hdus["SCI"].data += 3
        hdus["SCI"].data[:, :, :4] = np.nan
        hdus["DQ"].data[:, :, :4] = DO_NOT_USE | NON_SCIENCE
    product = align(tmp_path, science, psfs, "--background", "fit")
    assert product["failed"] == 0
    # Rows far from speckles, where nothing but sky and noise of 0.05 is: five sigma.
    seen = product["DQ"][..., -4:, :] == 0
    assert np.abs(product["SCI"][..., -4:, :][seen] - 3).max() < 5 * NOISE


MASKS = {
    "zero": np.zeros(SHAPE),
    "nan": np.full(SHAPE, np.nan),
    "one nan": np.where(np.arange(SHAPE[1]) == 5, np.nan, ring()),
    "above one": 2 * ring(),
    "negative": -ring(),
    "half": np.indices(SHAPE)[1] % 2,
}


@pytest.mark.parametrize("name", MASKS)
def test_item_41_mask(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.asarray(MASKS[name], dtype=np.float32)
    assert align(tmp_path, science_hdus(), psf_hdus(), mask=mask) == {"code": 1}
    err = capsys.readouterr().err
    assert err.startswith(f"psfalign: error: {tmp_path}/in/m.fits")
    assert err.count("\n") == 1
    assert "; name another mask" in err or "; set psfmask.convention to " in err


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
@pytest.mark.parametrize("n_pixels", [2, 3, 4, 5, 12])
def test_item_41_hardly_any_pixel_left(n_pixels: int, weighting: str, tmp_path: Path) -> None:
    """Too few pixels for four numbers: refused or flagged, never a crash."""
    mask = np.zeros(SHAPE, np.float32)
    mask[11:13, 12 : 12 + n_pixels // 2] = 1
    mask[14, 14 : 14 + n_pixels % 2] = 1
    more = ("--convention", "weight", "--weighting", weighting)
    product = align(tmp_path, science_hdus(), psf_hdus(), *more, mask=mask)
    if n_pixels <= 3:
        assert product["code"] or product["failed"] == 6


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_item_42_what_lies_under_zero_weight_in_psfs_changes_nothing(
    value: float, tmp_path: Path
) -> None:
    psfs, spoiled = psf_hdus(), psf_hdus()
    place = np.argwhere(ring() == 0)[8]
    # bad_bits 0 leaves a finite value alone; what is not finite is replaced by neighbours.
    spoiled["SCI"].data[:, place[0], place[1]] = value
    one = align(tmp_path / "1", science_hdus(), psfs, "--bad-bits", "0")
    other = align(tmp_path / "2", science_hdus(), spoiled, "--bad-bits", "0")
    for name in one["SHIFTS"].dtype.names:
        np.testing.assert_array_equal(one["SHIFTS"][name], other["SHIFTS"][name])


def test_item_42_garbage_under_zero_weight_in_the_science_image_is_to_be_flagged(
    tmp_path: Path,
) -> None:
    """It moves with the rest of the image; a flag is enough to exclude it."""
    science, flagged, unflagged = science_hdus(), science_hdus(), science_hdus()
    place = np.argwhere(ring() == 0)[8]
    for hdus in (flagged, unflagged):
        hdus["SCI"].data[:, place[0], place[1]] = 1e4
    flagged["DQ"].data[:, place[0], place[1]] = DO_NOT_USE
    usual, kept_out, let_in = (
        align(tmp_path / name, hdus, psf_hdus())["SHIFTS"]
        for name, hdus in (("usual", science), ("flagged", flagged), ("unflagged", unflagged))
    )
    sigma = usual["sigma_dx"].max()
    assert np.abs(kept_out["dx"] - usual["dx"]).max() < sigma
    assert np.abs(let_in["dx"] - usual["dx"]).max() > 5 * sigma


def test_item_43_shift_beyond_the_range_is_flagged(tmp_path: Path) -> None:
    psfs = exposure_hdus(scene([(0.0, 0.0), (MAX_SHIFT + 3.0, 0.0)], seed=2))
    product = align(tmp_path, science_hdus(), psfs)
    status = product["SHIFTS"]["status"].reshape(2, 2)
    assert (status[:, 0] == "ok").all()
    assert (status[:, 1] == "out_of_range").all()


@pytest.mark.parametrize("method", ["spectral", "leastsq"])
def test_item_43_negative_flux_is_flagged(method: str, tmp_path: Path) -> None:
    product = align(
        tmp_path, science_hdus(), exposure_hdus(-scene([(0.0, 0.0)])), "--method", method
    )
    assert product["failed"] == 2


@pytest.mark.parametrize("method", ["spectral", "leastsq"])
def test_item_43_noise_alone_never_gives_the_start_value(method: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 1, (4, *SHAPE)).astype(np.float32)
    product = align(tmp_path, science_hdus(), exposure_hdus(noise), "--method", method)
    shifts = product["SHIFTS"]
    assert len(shifts) == product["failed"] == 8
    reached = shifts[np.isfinite(shifts["dx"])]
    assert len(reached) > 0
    assert not np.any((reached["dx"] == 0) & (reached["dy"] == 0))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e18])
def test_item_44_any_unit(scale: float, tmp_path: Path) -> None:
    science, psfs = science_hdus(), psf_hdus()
    for hdus in (science, psfs):
        hdus["SCI"].data = (hdus["SCI"].data * scale).astype(np.float32)
        hdus["ERR"].data = (hdus["ERR"].data * scale).astype(np.float32)
    assert align(tmp_path, science, psfs)["failed"] == 0


def test_item_44_numbers_beyond_single_precision(tmp_path: Path) -> None:
    """They are treated like infinite ones: bad pixels, and unknown errors."""
    products = {}
    for value in (1e300, np.inf):
        psfs = psf_hdus()
        for name in ("SCI", "ERR"):
            psfs[name].data = psfs[name].data.astype(np.float64)
        psfs["SCI"].data[0, 20, 20] = psfs["ERR"].data[1, 20, 20] = value
        products[value] = align(tmp_path / str(value), science_hdus(), psfs)
        assert products[value]["failed"] == 0
    for name in ("SCI", "ERR"):
        np.testing.assert_array_equal(products[1e300][name], products[np.inf][name])


@pytest.mark.parametrize("errors", ["variance", "fourier"])
@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
def test_item_44_random_damage(weighting: str, errors: str, tmp_path: Path) -> None:
    """Everything at once; `align` checks that only flagged planes are not finite."""
    seed = len(weighting) + len(errors)
    rng = np.random.default_rng(seed)
    science, psfs = science_hdus(), psf_hdus()
    for hdus in (science, psfs):
        data = hdus["SCI"].data
        hdus["DQ"].data[:] = np.where(
            rng.random(data.shape) < 0.1, rng.integers(0, 2**32, data.shape), 0
        )
        for value in (np.nan, np.inf, -np.inf, 0, 1e6, -1e6):
            damaged = rng.random(data.shape) < 0.01
            data[damaged] = value
            hdus["DQ"].data[damaged & np.isfinite(data)] |= DO_NOT_USE
        for value in (np.nan, 0, -1, np.inf):
            hdus["ERR"].data[rng.random(data.shape) < 0.02] = value
    product = align(tmp_path, science, psfs, "--weighting", weighting, "--errors", errors)
    assert product["code"] == product["failed"] == 0
    assert product["errors"] == errors
