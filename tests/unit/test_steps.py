"""Each step: files in, one file out."""

import json
import os
import re
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from chain import failing, run
from files import (
    NOISE,
    PSF_STEPS,
    SCIENCE_STEPS,
    SELECTORS,
    SHAPE,
    digest,
    digests,
    exposure_hdus,
    pixels,
    refused,
    ring,
    scene,
    write,
    write_association,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.errors import FitError, InputError, MaskError, WorkerError
from psfalign.files.exposure import Exposure
from psfalign.files.fits.structure import scan
from psfalign.files.frames import CleanFrames, find_off_science, read_plane
from psfalign.files.origins import read_origins, stem
from psfalign.files.shifts import ShiftTable
from psfalign.fit.integration import FitOptions
from psfalign.images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED, NON_SCIENCE
from psfalign.images.shifted_psf import Movable
from psfalign.psfmask.file import REQUIRED
from psfalign.psfmask.resolved import ResolvedMask
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask
from psfalign.steps.stack import stack_psfs

BY_VARIANCE = FitOptions(max_shift=4, weighting="inverse_variance")
TRUTH = np.array(PSF_STEPS)[None] - np.array(SCIENCE_STEPS)[:, None]  # (integration, psf, xy)


@pytest.fixture
def inputs(tmp_path: Path) -> Iterator[Path]:
    """A folder of input files, which no test may change."""
    folder = tmp_path / "in"
    write_exposure(folder / "sci_calints.fits")
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    before = digests(folder)
    yield folder
    assert {name: value for name, value in digests(folder).items() if name in before} == before


def opened(path: Path) -> dict[str, Any]:
    """All HDUs by name, with checksums that hold."""
    with warnings.catch_warnings(), fits.open(path, checksum=True, memmap=False) as hdus:
        warnings.simplefilter("error")
        for hdu in hdus:
            assert hdu.verify_checksum() == hdu.verify_datasum() == 1
            hdu.verify("exception")
        return {
            hdu.name: (hdu.header, None if hdu.data is None else hdu.data.copy()) for hdu in hdus
        }


def test_clean_copies_all_other_hdus_byte_for_byte(inputs: Path, tmp_path: Path) -> None:
    source, output = inputs / "sci_calints.fits", tmp_path / "clean.fits"
    clean_exposure(source, output)
    before, after = source.read_bytes(), output.read_bytes()
    originals, copies = scan(source), scan(output)
    assert [hdu.name for hdu in copies] == ["PRIMARY", "SCI", "ERR", "DQ", "ASDF", "PROVENANCE"]
    for original, copy in zip(originals, copies[:-1], strict=True):
        if original.name == "ASDF":
            assert after[copy.start : copy.end] == before[original.start : original.end]
    np.testing.assert_array_equal(pixels(output, "ERR"), pixels(source, "ERR"))
    header, _ = opened(output)["PRIMARY"]
    assert header["RAWFILE"] == "sci_calints.fits"
    assert header["RAWSHA"] == digest(source)
    kept, given = opened(output)["SCI"][0], opened(source)["SCI"][0]
    assert list(kept["HISTORY"]) == ["one", "two"]
    assert set(given) <= set(kept)


def test_clean_replaces_bad_pixels_and_flags_them(tmp_path: Path) -> None:
    hdus = exposure_hdus()
    hdus["SCI"].data[0, 5, 6] = np.nan
    hdus["SCI"].data[1, 7, 8] = 1e9
    hdus["DQ"].data[1, 7, 8] = DO_NOT_USE | 2
    hdus["DQ"].data[0, 9, 9] = 4
    source = write(hdus, tmp_path / "a.fits")
    original = pixels(source)
    counts = clean_exposure(source, tmp_path / "clean.fits")
    clean = opened(tmp_path / "clean.fits")
    science, dq = clean["SCI"][1], clean["DQ"][1]
    expected = original.copy()
    for i, row, column in ((0, 5, 6), (1, 7, 8)):
        box = original[i, row - 1 : row + 2, column - 1 : column + 2].astype(float).ravel()
        expected[i, row, column] = np.median(np.delete(box, 4))
    np.testing.assert_array_equal(science, expected)
    assert science.dtype == np.dtype(">f4")
    flags = np.zeros_like(dq)
    flags[0, 5, 6] = FLUX_ESTIMATED
    flags[1, 7, 8] = DO_NOT_USE | 2 | FLUX_ESTIMATED
    flags[0, 9, 9] = 4
    np.testing.assert_array_equal(dq, flags)
    assert (counts.n_replaced, clean["SCI"][0]["NREPLACE"]) == (2, 2)


def test_clean_keeps_double_precision(tmp_path: Path) -> None:
    science = scene(SCIENCE_STEPS).astype(np.float64) + 1e-12
    clean_exposure(write_exposure(tmp_path / "a.fits", science), tmp_path / "c.fits")
    np.testing.assert_array_equal(pixels(tmp_path / "c.fits"), science)


def test_item_23_cleaned_file_says_which_extensions_had_no_checksums(tmp_path: Path) -> None:
    hdus = exposure_hdus()
    for name in ("PRIMARY", "SCI", "DQ"):
        hdus[name].add_checksum(when="")
    hdus.writeto(tmp_path / "some.fits")
    write(hdus, tmp_path / "all.fits")
    said = {}
    for name in ("some", "all"):
        clean_exposure(tmp_path / f"{name}.fits", tmp_path / f"{name}_clean.fits")
        said[name] = fits.getheader(tmp_path / f"{name}_clean.fits")["RAWCHECK"]
    assert said == {"some": "none in ERR, ASDF", "all": "verified"}


@pytest.mark.parametrize("stored", [False, True])
def test_item_25_clean_adds_dq_where_it_is_missing(stored: bool, tmp_path: Path) -> None:
    hdus = exposure_hdus()
    if not stored:
        del hdus["DQ"]
        del hdus["ERR"]
    hdus["SCI"].data[0, 0, 0] = np.inf
    clean_exposure(write(hdus, tmp_path / "a.fits"), tmp_path / "c.fits")
    names = [hdu.name for hdu in scan(tmp_path / "c.fits")]
    assert names == (
        ["PRIMARY", "SCI", "ERR", "DQ", "ASDF", "PROVENANCE"]
        if stored
        else ["PRIMARY", "SCI", "ASDF", "DQ", "PROVENANCE"]
    )
    dq = pixels(tmp_path / "c.fits", "DQ")
    assert dq[0, 0, 0] == FLUX_ESTIMATED
    assert np.count_nonzero(dq) == 1


def test_item_28_clean_of_scaled_integers(tmp_path: Path) -> None:
    stored = (scene(SCIENCE_STEPS) * 100).round().astype(np.int16)
    stored[1, 4, 4] = -32768
    source = write_exposure(tmp_path / "a.fits", stored)
    with fits.open(source, mode="update", do_not_scale_image_data=True) as hdus:
        hdus["SCI"].header["BSCALE"], hdus["SCI"].header["BLANK"] = 0.01, -32768
    clean_exposure(source, tmp_path / "c.fits")
    header, science = opened(tmp_path / "c.fits")["SCI"]
    assert {"BSCALE", "BZERO", "BLANK"}.isdisjoint(header)
    assert np.isfinite(science).all()
    good = stored != -32768
    np.testing.assert_allclose(science[good], stored[good] * 0.01, rtol=1e-6)
    assert pixels(tmp_path / "c.fits", "DQ")[1, 4, 4] == FLUX_ESTIMATED


def test_item_29_clean_of_signed_dq(tmp_path: Path) -> None:
    stored = np.zeros((2, *SHAPE), np.int32)
    stored[0, 3, 3] = -(2**31)
    clean_exposure(
        write_exposure(tmp_path / "a.fits", dq=stored), tmp_path / "c.fits", bad_bits=2**31
    )
    dq = pixels(tmp_path / "c.fits", "DQ")
    assert dq.dtype == np.uint32
    assert dq[0, 3, 3] == 2**31 | FLUX_ESTIMATED
    assert np.count_nonzero(dq) == 1


@pytest.mark.parametrize("instrument", ["MIRI", "NIRCAM"])
def test_pixels_off_the_science_area_are_what_cleaning_set_to_zero(
    instrument: str, tmp_path: Path
) -> None:
    dq = np.zeros((2, *SHAPE), np.uint32)
    dq[:, :, :5] = DO_NOT_USE | NON_SCIENCE
    dq[:, 10, 20] = DO_NOT_USE
    source = write_exposure(
        tmp_path / "a.fits", scene(SCIENCE_STEPS) + 3, dq=dq, INSTRUME=instrument
    )
    clean_exposure(source, tmp_path / "c.fits")
    with Exposure(tmp_path / "c.fits") as exposure:
        plane, replaced = read_plane(exposure, 1)
    off = find_off_science(plane)
    np.testing.assert_array_equal(replaced, dq[1] != 0)
    np.testing.assert_array_equal(plane.image == 0, off)
    np.testing.assert_array_equal(off, (dq[1] == dq[1, 0, 0]) & (instrument == "MIRI"))


def test_stack_concatenates_in_order_and_says_where_planes_come_from(tmp_path: Path) -> None:
    paths = [
        write_exposure(tmp_path / f"{name}_calints.fits", scene(steps, seed=seed))
        for name, steps, seed in (("b", PSF_STEPS, 1), ("a", SCIENCE_STEPS, 2))
    ]
    before = [digest(path) for path in paths]
    stack_psfs(paths, tmp_path / "s_psfstack.fits")
    stack = opened(tmp_path / "s_psfstack.fits")
    for name, dtype in (("SCI", ">f4"), ("ERR", ">f4"), ("DQ", "u4")):
        expected = np.concatenate([pixels(path, name) for path in paths])
        np.testing.assert_array_equal(stack[name][1], expected)
        assert stack[name][1].dtype == np.dtype(dtype)
    header, origins = stack["PRIMARY"][0], stack["PSFORIG"][1]
    assert (header["NINTS"], header["FILENAME"], header["S_PSFSTK"]) == (
        5,
        "s_psfstack.fits",
        "COMPLETE",
    )
    assert origins["file"].tolist() == ["b_calints.fits"] * 3 + ["a_calints.fits"] * 2
    assert origins["integration"].tolist() == [0, 1, 2, 0, 1]
    assert set(origins["sha256"]) == set(before) == {digest(path) for path in paths}


def test_long_names_of_psf_exposures_stay_apart(tmp_path: Path) -> None:
    names = [f"{'long' * 25}_{number}_calints.fits" for number in (1, 2)]
    members = [
        write_psfs(tmp_path / name, scene(PSF_STEPS, seed=n)) for n, name in enumerate(names)
    ]
    stack_psfs(members, tmp_path / "stack.fits")
    expected = [name.removesuffix("_calints.fits") for name in names for _ in PSF_STEPS]
    assert read_origins(Exposure(tmp_path / "stack.fits")) == expected


def test_item_27_stack_of_two_sizes(tmp_path: Path) -> None:
    one = write_exposure(tmp_path / "a.fits")
    other = write_exposure(tmp_path / "b.fits", np.zeros((1, 8, 9), np.float32))
    message = (
        f"{one}: image sizes differ (columns×rows): psf {one} 40×32, psf {other} 9×8; "
        "use files of the same subarray"
    )
    with refused(message, InputError):
        stack_psfs([one, other], tmp_path / "s.fits")
    assert not (tmp_path / "s.fits").exists()


@pytest.mark.parametrize("step", ["stack", "align"])
def test_item_24_pixels_in_the_primary_are_left_behind(step: str, tmp_path: Path) -> None:
    """A header of pixels without the pixels would make the product unreadable."""
    folder = tmp_path / "in"
    hdus = exposure_hdus(scene(PSF_STEPS))
    hdus[0].data = np.ones((30, 30), np.float32)
    write(hdus, folder / "star_psfstack.fits")
    write_exposure(folder / "sci_calints.fits")
    write_mask(folder / "mask.fits")
    if step == "stack":
        stack_psfs([folder / "star_psfstack.fits"], tmp_path / "out.fits")
        product = tmp_path / "out.fits"
    else:
        product = run(folder, tmp_path)["product"]
    header, data = opened(product)["PRIMARY"]
    assert data is None
    assert header["FILTER"] == "F335M"
    assert len(scan(product)) >= 5


def test_resolve_says_which_mask_and_why(inputs: Path, tmp_path: Path) -> None:
    resolve_psfmask(
        inputs / "sci_calints.fits", tmp_path / "m.json", candidates=[inputs / "mask.fits"]
    )
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["psfmask"] == str(inputs / "mask.fits")
    assert content["sha256"] == digest(inputs / "mask.fits")
    assert (content["convention"], content["decided_by"]) == ("weight", "auto")
    assert content["reason"].startswith("INSTRUME=NIRCAM FILTER=F335M")
    assert content["notes"] == ["98% of the mask is above 0.5, so it is read as 1 = use"]
    np.testing.assert_array_equal(ResolvedMask.read(tmp_path / "m.json").read_weight(), ring())


def test_resolve_notes_what_a_named_mask_lacks_and_older_spellings(tmp_path: Path) -> None:
    science = write_exposure(tmp_path / "a.fits")
    mask = write_mask(tmp_path / "m.fits", CORONMSK="MASK335R", USEAFTER=None, REFTYPE="  ")
    resolved = resolve_psfmask(science, tmp_path / "m.json", psfmask=str(mask), convention="weight")
    assert resolved.notes == [
        "the mask's header lacks REFTYPE, USEAFTER",
        "CORONMSK MASK335R of the mask is an older spelling of MASKA335R",
    ]
    assert resolved.decided_by == "configuration"


def test_item_53_names_with_blanks_quotes_and_letters_of_any_script(tmp_path: Path) -> None:
    inputs = tmp_path / "o'brien é 星"
    write_exposure(inputs / "sci_calints.fits")
    write_psfs(inputs / "star_psfstack.fits")
    write_mask(inputs / "mask é.fits")
    paths = run(inputs, tmp_path / "out put", psfmask=str(inputs / "mask é.fits"))
    assert opened(paths["product"])["PRIMARY"][0]["R_PSFMAS"] == r"mask \xe9.fits"


def test_product_has_the_documented_axes_types_and_keywords(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    product = opened(paths["product"])
    assert list(product) == ["PRIMARY", "SCI", "ERR", "DQ", "SHIFTS", "WEIGHT", "PROVENANCE"]
    for name, bitpix in (("SCI", -32), ("ERR", -32), ("DQ", 32)):
        header, data = product[name]
        assert data.shape == (2, 3, *SHAPE)
        assert [header[f"NAXIS{axis}"] for axis in (1, 2, 3, 4)] == [40, 32, 3, 2]
        assert fits.getheader(paths["product"], name)["BITPIX"] == bitpix
    assert product["DQ"][1].dtype == np.uint32
    np.testing.assert_array_equal(product["WEIGHT"][1], ring())
    header = product["PRIMARY"][0]
    expected = {
        "DATAMODL": "QuadModel",
        "FILENAME": "psfalign.fits",
        "S_PSFALI": "COMPLETE",
        "R_PSFMAS": "mask.fits",
        "CANDIDAT": "a3001",
        "ERRMODE": "variance",
        "MASKCONV": "weight",
        "MASKSHA": digest(inputs / "mask.fits"),
        "SCIFILE": "sci_calints.fits",
        "SCISHA": digest(inputs / "sci_calints.fits"),
        "PSFFILE": "star_psfstack.fits",
        "PSFSHA": digest(inputs / "star_psfstack.fits"),
        "ALIGNTO": "each",
        "FITMETH": "spectral",
        "WEIGHTNG": "mask",
        "MAXSHIFT": 4,
        "NPAIRS": 6,
        "NFAILED": 0,
        "INSTRUME": "NIRCAM",
        "BOXLEN": 3,
        "BADBITS": 1,
    }
    assert {key: header[key] for key in expected} == expected


def test_product_keeps_the_name_that_its_association_gives_it(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    association = write_association(tmp_path / "l3asn.json", [])
    align_exposure(
        *(paths[name] for name in ("psfs", "shifts", "mask")),
        tmp_path / "named.fits",
        association=association,
        product_name="*βPic-F335M",
    )
    header = fits.getheader(tmp_path / "named.fits")
    assert (header["ASNTABLE"], header["ASNPROD"]) == ("l3asn.json", r"*\u03b2Pic-F335M")


def test_shifts_are_the_true_ones_within_their_uncertainty(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    table = ShiftTable.read(paths["shifts"]).columns
    for axis, name in enumerate(("dx", "dy")):
        error = table[name] - TRUTH[..., axis].ravel()
        # Five standard deviations; the residual has also the science image's noise.
        assert np.all(np.abs(error) < 5 * table[f"sigma_{name}"])
        assert np.all(np.abs(error) < 0.01)
    assert np.allclose(table["beta"], 1, atol=0.01)


def test_aligned_planes_look_like_the_science(inputs: Path, tmp_path: Path) -> None:
    aligned = opened(run(inputs, tmp_path)["product"])["SCI"][1]
    for i, truth in enumerate(scene(SCIENCE_STEPS, noise=0.0)):
        # The noise of one image, which a shift leaves as it is; speckles are 100 high.
        assert np.all(np.abs(aligned[i] - truth) < 6 * NOISE)


def test_ecsv_and_shifts_table_are_equal(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    ecsv = Table.read(paths["shifts"], format="ascii.ecsv")
    shifts = opened(paths["product"])["SHIFTS"][1]
    assert ecsv.colnames == list(shifts.dtype.names)
    for name in ecsv.colnames:
        assert np.array_equal(
            np.asarray(ecsv[name]).astype(str), np.asarray(shifts[name]).astype(str)
        )


@pytest.mark.parametrize("options", [{"threads": 2}, {}])
def test_same_inputs_same_bytes(options: dict[str, Any], inputs: Path, tmp_path: Path) -> None:
    one, other = run(inputs, tmp_path / "1"), run(inputs, tmp_path / "2", **options)
    for name in one:
        assert one[name].read_bytes() == other[name].read_bytes(), name


def test_a_killed_worker_leaves_no_product(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Movable, "moved", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(WorkerError, match="was killed by signal 9"):
        run(inputs, tmp_path, threads=2)
    assert not [path for path in tmp_path.iterdir() if "psfalign" in path.name]


@pytest.mark.parametrize("step", ["clean", "stack", "align"])
def test_an_input_that_changes_while_it_is_read_leaves_what_was_there(
    step: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = run(inputs, tmp_path / "made")
    read_dq = Exposure.read_dq
    output, source = tmp_path / "output.fits", tmp_path / "source.fits"
    output.write_text("an earlier one")
    shutil.copy(paths["psfs"] if step == "align" else inputs / "star_psfstack.fits", source)

    def disturb(exposure: Exposure, integration: int) -> Any:
        os.utime(source, (integration, integration))
        return read_dq(exposure, integration)

    monkeypatch.setattr(Exposure, "read_dq", disturb)
    with refused(f"{source}: changed while it was read; run again", InputError):
        if step == "clean":
            clean_exposure(source, output)
        elif step == "stack":
            stack_psfs([source], output)
        else:
            align_exposure(source, paths["shifts"], paths["mask"], output)
    assert output.read_text() == "an earlier one"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "in",
        "made",
        "output.fits",
        "source.fits",
    ]


@pytest.mark.parametrize("align_to", ["first", "mean"])
def test_align_to_one_image_makes_a_cube(align_to: str, inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path, align_to=align_to)
    product = opened(paths["product"])
    assert product["SCI"][1].shape == product["DQ"][1].shape == (3, *SHAPE)
    assert product["PRIMARY"][0]["DATAMODL"] == "CubeModel"
    assert product["PRIMARY"][0]["ALIGNTO"] == align_to
    table = ShiftTable.read(paths["shifts"]).columns
    assert table["integration"].tolist() == [0, 0, 0]
    expected = TRUTH[0] if align_to == "first" else TRUTH.mean(axis=0)
    # The mean of two images 0.6 pixels apart is not quite one image in between.
    np.testing.assert_allclose(np.stack([table["dx"], table["dy"]], axis=1), expected, atol=0.02)


def test_without_a_mask_the_psfs_are_passed_on(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path, psfmask="N/A")
    product = opened(paths["product"])
    assert list(product) == ["PRIMARY", "SCI", "ERR", "DQ", "PROVENANCE"]
    header = product["PRIMARY"][0]
    assert (header["S_PSFALI"], header["R_PSFMAS"], header["DATAMODL"]) == (
        "SKIPPED",
        "N/A",
        "CubeModel",
    )
    assert (header["NPAIRS"], header["NFAILED"]) == (0, 0)
    for name in ("SCI", "ERR", "DQ"):
        np.testing.assert_array_equal(product[name][1], pixels(inputs / "star_psfstack.fits", name))
    assert len(Table.read(paths["shifts"], format="ascii.ecsv")) == 0


def test_item_37_failed_integration_is_flagged_and_counted(tmp_path: Path) -> None:
    product = opened(run(failing(tmp_path), tmp_path)["product"])
    assert product["PRIMARY"][0]["NFAILED"] == 3
    assert np.isnan(product["SCI"][1][1]).all()
    assert np.isnan(product["ERR"][1][1]).all()
    assert np.all(product["DQ"][1][1] == DO_NOT_USE)
    assert np.isfinite(product["SCI"][1][0]).all()
    assert np.isfinite(product["ERR"][1][0]).all()
    statuses = product["SHIFTS"][1]["status"].tolist()
    assert statuses == ["ok"] * 3 + ["bad_science"] * 3


def test_item_37_clean_flags_what_it_could_not_replace(tmp_path: Path) -> None:
    clean_exposure(failing(tmp_path) / "sci_calints.fits", tmp_path / "c.fits")
    science, dq = pixels(tmp_path / "c.fits"), pixels(tmp_path / "c.fits", "DQ")
    assert np.isnan(science[1]).all()
    assert np.all(dq[1] == DO_NOT_USE)
    assert not dq[0].any()


def test_item_37_mean_leaves_out_what_holds_nothing(tmp_path: Path) -> None:
    paths = run(failing(tmp_path), tmp_path, align_to="mean")
    table = ShiftTable.read(paths["shifts"])
    assert table.n_failed == 0
    np.testing.assert_allclose(table.columns["dx"], TRUTH[0, :, 0], atol=0.01)


def test_failed_fit_stops_where_that_is_asked_for(tmp_path: Path) -> None:
    message = (
        f"{tmp_path}/sci_clean.fits align_refs.on_failed_fit=stop: 3 of 6 fits failed: "
        "3 bad_science; look at the exposure, or set it to flag"
    )
    with refused(message, FitError):
        run(failing(tmp_path), tmp_path, on_failed_fit="stop")
    assert not (tmp_path / "shifts.ecsv").exists()


@pytest.mark.parametrize("unknown", [0.0, np.inf])
def test_item_37_integration_without_errors_has_no_inverse_variance(
    unknown: float, inputs: Path, tmp_path: Path
) -> None:
    error = np.full((2, *SHAPE), NOISE, np.float32)
    error[1] = unknown
    paths = run(with_errors(error, inputs, tmp_path), tmp_path, options=BY_VARIANCE)
    table = ShiftTable.read(paths["shifts"])
    assert table.columns["status"].tolist() == ["ok"] * 3 + ["no_weight"] * 3
    header = opened(paths["science"])["SCI"][0]
    assert (header["NERRFILL"], header["NNOERR"]) == (0, 1)


def with_errors(error: np.ndarray, inputs: Path, folder: Path) -> Path:
    """Return inputs whose science exposure has these errors."""
    write_exposure(folder / "second/sci_calints.fits", error=error)
    for name in ("star_psfstack.fits", "mask.fits"):
        (folder / "second" / name).symlink_to(inputs / name)
    return folder / "second"


def test_exposure_without_errors_is_said_by_the_process_that_reads_it(
    inputs: Path, tmp_path: Path
) -> None:
    error = np.zeros((2, *SHAPE), np.float32)
    paths = run(with_errors(error, inputs, tmp_path), tmp_path)
    message = (
        f"{paths['science']}[ERR]: has no positive errors; "
        "set align_refs.weighting to mask or mask+dq"
    )
    arguments = (paths["science"], paths["psfs"], paths["mask"], tmp_path / "x.ecsv")
    with refused(message, InputError):
        fit_exposure(*arguments, options=BY_VARIANCE, threads=2)


def test_frames_are_those_that_there_are(inputs: Path) -> None:
    with CleanFrames(Exposure(inputs / "sci_calints.fits")) as frames:
        assert len(list(frames)) == len(frames) == 2
        for index in (-1, 2):
            with pytest.raises(IndexError, match=f"has no integration {index}$"):
                frames[index]


def test_item_27_fit_of_files_that_were_never_compared(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    other = write_exposure(tmp_path / "small.fits", np.ones((1, 8, 9), np.float32))
    message = (
        f"{paths['science']}: image sizes differ (columns×rows): science {paths['science']} 40×32, "
        f"psf {other} 9×8, psfmask {inputs / 'mask.fits'} 40×32; use files of the same subarray"
    )
    with refused(message, InputError):
        fit_exposure(paths["science"], other, paths["mask"], tmp_path / "x.ecsv")


@pytest.mark.parametrize("kind", ["science", "psfs"])
def test_exposure_that_was_not_cleaned_is_refused(kind: str, inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    paths[kind] = inputs / {"science": "sci_calints.fits", "psfs": "star_psfstack.fits"}[kind]
    message = f"{paths[kind]}: its bad pixels were not replaced; run psfalign clean first"
    with refused(message, InputError):
        fit_exposure(paths["science"], paths["psfs"], paths["mask"], tmp_path / "x.ecsv")
    assert not (tmp_path / "x.ecsv").exists()


def test_table_of_other_psfs_is_refused(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    clean_exposure(
        write_psfs(tmp_path / "o.fits", scene(PSF_STEPS, seed=9)), tmp_path / "other.fits"
    )
    message = f"{paths['shifts']}: was not fitted to {tmp_path}/other.fits; run fit_shifts again"
    before = digest(paths["product"])
    with refused(message, InputError):
        align_exposure(tmp_path / "other.fits", paths["shifts"], paths["mask"], paths["product"])
    assert digest(paths["product"]) == before


def test_table_with_a_row_too_few_is_refused(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    lines = paths["shifts"].read_text().splitlines(keepends=True)
    paths["shifts"].write_text("".join(lines[:-1]))
    message = f"{paths['shifts']}: its rows are not those of 3 psf images; run fit_shifts again"
    with refused(message, InputError):
        align_exposure(paths["psfs"], paths["shifts"], paths["mask"], tmp_path / "x.fits")
    assert not (tmp_path / "x.fits").exists()


def test_mask_that_changed_after_it_was_chosen_is_refused(inputs: Path, tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "m.fits")
    paths = run(inputs, tmp_path, psfmask=str(mask))
    write_mask(mask, ring() * 0.9)
    message = f"{mask}: has changed since it was chosen; run resolve_psfmask again"
    with refused(message, InputError):
        fit_exposure(paths["science"], paths["psfs"], paths["mask"], tmp_path / "x.ecsv")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"SIMPLE  =", b"\xff"])
def test_item_19_resolved_mask_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content)
    message = f"{path}: is not a resolved mask, psfmask.json; run resolve_psfmask first"
    with refused(message, InputError):
        ResolvedMask.read(path)


BAD_MASKS = {
    "zero": (np.zeros(SHAPE), "read as exclude, the mask leaves", None),
    "nan": (np.where(ring() > 0, 1, np.nan), "pixels are not finite; name another mask", None),
    "above": (ring() * 1.01, "values are 0 to 1.01, outside [0, 1]; name another mask", None),
    "below": (ring() - 0.01, "values are -0.01 to 0.99, outside [0, 1]; name another mask", None),
    "inf": (np.where(ring() > 0, 1, np.inf), "pixels are not finite; name another mask", None),
    "hardly": (np.eye(1, SHAPE[0] * SHAPE[1]).reshape(SHAPE), "leaves hardly any pixel", "weight"),
    "undecided": (np.indices(SHAPE)[1] % 2, "50% of the pixels are above 0.5", None),
}


@pytest.mark.parametrize("name", BAD_MASKS)
def test_item_41_mask_that_cannot_weight(name: str, tmp_path: Path) -> None:
    values, problem, convention = BAD_MASKS[name]
    science = write_exposure(tmp_path / "a.fits")
    mask = write_mask(tmp_path / "m.fits", np.asarray(values, dtype=np.float32))
    with pytest.raises(MaskError) as caught:
        resolve_psfmask(
            science, tmp_path / "m.json", psfmask=str(mask), convention=convention or "auto"
        )
    assert str(caught.value).startswith(f"{mask}")
    assert problem in str(caught.value)
    assert not (tmp_path / "m.json").exists()


def test_stack_refuses_the_same_psf_twice(tmp_path: Path) -> None:
    psf = write_exposure(tmp_path / "a_calints.fits")
    copy = tmp_path / "b_calints.fits"
    copy.write_bytes(psf.read_bytes())
    line = f"{copy}: has the same content as {psf}; list each psf exposure once"
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        stack_psfs([psf, copy], tmp_path / "psfstack.fits")
    assert not (tmp_path / "psfstack.fits").exists()


def test_product_tells_where_each_psf_came_from(tmp_path: Path) -> None:
    write_exposure(tmp_path / "sci_calints.fits")
    write_mask(tmp_path / "mask.fits")
    members = [tmp_path / "p1_calints.fits", tmp_path / "p2_calints.fits"]
    for seed, member in enumerate(members, start=3):
        write_exposure(member, scene(PSF_STEPS[:2], seed=seed))
    stack_psfs(members, tmp_path / "star_psfstack.fits")
    origins = opened(run(tmp_path, tmp_path / "out")["product"])["PSFORIG"][1]
    assert origins["file"].tolist() == ["p1_calints.fits"] * 2 + ["p2_calints.fits"] * 2
    assert origins["integration"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("keyword", ["FILTER", "CORONMSK", "SUBARRAY"])
def test_mask_for_something_else_is_forced_by_name_with_a_remark(
    keyword: str, inputs: Path, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "other.fits", **{keyword: "OTHER"})
    product = run(inputs, tmp_path, psfmask=str(mask))["product"]
    [own] = [value for key, value in SELECTORS.items() if key == keyword]
    remark = f"forced: the mask is for {keyword}=OTHER, the exposure has {own}"
    resolved = ResolvedMask.read(tmp_path / "psfmask.json")
    assert (resolved.remark, resolved.notes[0]) == (remark, remark)
    header = fits.getheader(product)
    assert (header["MASKNOTE"], header["NFAILED"]) == (remark, 0)
    assert header[keyword] == own


@pytest.mark.parametrize(
    ("cards", "shape"),
    [
        ({"INSTRUME": "MIRI"}, SHAPE),
        ({"SUBARRAY": "FULL", "DETECTOR": "NRCA4"}, SHAPE),
        ({}, (SHAPE[0], SHAPE[1] + 1)),
    ],
)
def test_mask_of_another_instrument_detector_or_size_cannot_be_forced(
    cards: dict[str, str], shape: tuple[int, int], inputs: Path, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "other.fits", np.ones(shape, np.float32), **cards)
    with pytest.raises(InputError, match=r"(INSTRUME|DETECTOR|sizes) differ"):
        resolve_psfmask(inputs / "sci_calints.fits", tmp_path / "m.json", psfmask=str(mask))


def test_mask_of_another_maker_without_keywords_and_extensions(
    inputs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.fits"
    fits.PrimaryHDU(ring()).writeto(path)
    product = run(inputs, tmp_path, psfmask=str(path))["product"]
    np.testing.assert_array_equal(pixels(product, "WEIGHT"), ring())
    notes = ResolvedMask.read(tmp_path / "psfmask.json").notes
    assert notes[0] == f"the mask's header lacks {', '.join(REQUIRED)}"


def test_psfstack_without_a_header_takes_it_from_the_science(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    write_exposure(inputs / "sci_calints.fits")
    write_mask(inputs / "mask.fits")
    write_psfs(inputs / "star_psfstack.fits", INSTRUME=None, FILTER="  ", EXP_TYPE=None)
    header = fits.getheader(run(inputs, tmp_path)["product"])
    found = {key: header[key] for key in ("INSTRUME", "FILTER", "EXP_TYPE", "SUBARRAY")}
    assert found == {key: {**SELECTORS, "EXP_TYPE": "NRC_CORON"}[key] for key in found}
    assert header.comments["FILTER"] == "from the science exposure"
    assert header.comments["SUBARRAY"] == ""


@pytest.mark.parametrize("is_segment", [True, False])
def test_stack_of_segments_is_no_segment(is_segment: bool, tmp_path: Path) -> None:
    numbers = {"EXSEGNUM": 2, "EXSEGTOT": 3, "INTSTART": 11, "INTEND": 13} if is_segment else {}
    members = [
        write_psfs(tmp_path / f"jw{i}-seg00{i}_calints.fits", scene(PSF_STEPS, seed=i), **numbers)
        for i in (1, 2)
    ]
    stack_psfs(members, tmp_path / "x_psfstack.fits")
    header = fits.getheader(tmp_path / "x_psfstack.fits")
    expected = {"EXSEGNUM": 1, "EXSEGTOT": 1, "INTSTART": 1, "INTEND": 6}
    found = {key: header[key] for key in expected if key in header}
    assert found == (expected if is_segment else {})


def test_crfints_are_called_like_calints() -> None:
    names = (
        "jw1_nrcalong_a3001_crfints.fits",
        "jw1_nrcalong_calints.fits",
        "jw1_nrcalong_crfints.fits",
    )
    assert {stem(name) for name in names} == {"jw1_nrcalong"}
    assert stem("Level3_psfstack.fits") == "Level3"
