"""subtract_psf: the file that it writes, from all that align_psfs can hand to it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from chain import failing, run
from files import (
    NOISE,
    SCIENCE_STEPS,
    SHAPE,
    SKY,
    digests,
    pixels,
    refused,
    scene,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.errors import InputError
from psfalign.files.aligned import AlignedPsfs
from psfalign.files.exposure import Exposure
from psfalign.files.provenance.table import read_records
from psfalign.images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf


def inputs(folder: Path, science: Any = None, psfs: Any = None, **cards: Any) -> Path:
    write_exposure(folder / "sci_calints.fits", science)
    with fits.open(folder / "sci_calints.fits", mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update(cards)
        hdus["SCI"].add_checksum()
    write_psfs(folder / "star_psfstack.fits", psfs)
    write_mask(folder / "mask.fits")
    return folder


def subtracted(folder: Path, out: Path, *, options: Any = None, **chain: Any) -> Path:
    paths = run(folder, out, **chain)
    path = out / "sci_psfsub.fits"
    subtract_psf(paths["science"], paths["product"], path, options=options)
    return path


def expected(science: Any, psfs: Any, region: Any) -> Any:
    """Science image less the least-squares combination of all psf images and a constant."""
    model = np.array([*psfs.reshape(len(psfs), -1), np.ones(psfs[0].size)]).T
    inside = region.ravel()
    found = np.linalg.lstsq(model[inside], science.ravel()[inside], rcond=None)[0]
    return science - (model @ found).reshape(science.shape)


@pytest.mark.parametrize("region", ["mask", "image"])
def test_the_file_is_a_cube_of_what_is_left(tmp_path: Path, region: Any) -> None:
    out = tmp_path / "out"
    path = subtracted(inputs(tmp_path / "in"), out, options=SubtractionOptions(region=region))
    aligned, weight = (pixels(out / "psfalign.fits", name) for name in ("SCI", "WEIGHT"))
    science = pixels(out / "sci_clean.fits")
    with fits.open(path) as hdus:
        assert hdus[0].header["DATAMODL"] == "CubeModel"
        assert hdus[0].header["S_KLIP"] == hdus[0].header["S_PSFALI"] == "COMPLETE"
        assert (hdus[0].header["KLMODES"], hdus[0].header["NREFS"]) == (3, 3)
        assert hdus["SCI"].data.dtype == hdus["ERR"].data.dtype == np.dtype(">f4")
        assert hdus["SCI"].header["NREFUSED"] == 6
        assert [hdus["STAGES"].header[f"STAGE{n}"] for n in range(5)] == [
            "science", "mean", "klip 1", "klip 2", "klip 3",
        ]  # fmt: skip
        assert hdus["STAGES"].shape == hdus["STAGEERR"].shape == (2, 5, *SHAPE)
        np.testing.assert_array_equal(hdus["STAGES"].data[:, -1], hdus["SCI"].data)
        np.testing.assert_array_equal(hdus["STAGEERR"].data[:, -1], hdus["ERR"].data)
        np.testing.assert_array_equal(hdus["STAGES"].data[:, 0], science)
        assert hdus["ASDF"].data["ASDF_METADATA"].tobytes() == b"#ASDF 1.0.0\n"
        left = hdus["SCI"].data.astype(float)
    counted = weight > 0.5 if region == "mask" else np.ones(SHAPE, bool)
    for n in range(2):
        wanted = expected(science[n].astype(float), aligned[n].astype(float), counted)
        np.testing.assert_allclose(left[n], wanted, atol=1e-5)  # float32 of some 10
    # What is left is noise: of the science image, and of psf images that add up to its flux.
    assert left[:, weight > 0.5].std() < 2 * NOISE


def test_errors_are_those_of_science_and_psf_images(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = subtracted(inputs(tmp_path / "in"), out)
    aligned, errors = (pixels(out / "psfalign.fits", name).astype(float) for name in ("SCI", "ERR"))
    science = pixels(out / "sci_clean.fits").astype(float)
    left = pixels(path).astype(float)
    for n in range(2):
        model = np.array([*aligned[n].reshape(3, -1), np.ones(aligned[n, 0].size)]).T
        found = np.linalg.lstsq(model, (science[n] - left[n]).ravel(), rcond=None)[0]
        variance = NOISE**2 + np.tensordot(found[:3] ** 2, errors[n] ** 2, axes=1)
        np.testing.assert_allclose(pixels(path, "ERR")[n], np.sqrt(variance), rtol=1e-4)


@pytest.mark.parametrize("align_to", ["first", "mean"])
def test_psf_images_that_all_integrations_share(tmp_path: Path, align_to: Any) -> None:
    path = subtracted(inputs(tmp_path / "in"), tmp_path / "out", align_to=align_to)
    aligned = pixels(tmp_path / "out/psfalign.fits")
    assert aligned.shape == (3, *SHAPE)
    weight = pixels(tmp_path / "out/psfalign.fits", "WEIGHT") > 0.5
    for n, image in enumerate(pixels(tmp_path / "out/sci_clean.fits").astype(float)):
        wanted = expected(image, aligned.astype(float), weight)
        np.testing.assert_allclose(pixels(path)[n], wanted, atol=1e-5)


def test_what_was_not_aligned_is_subtracted_as_it_is(tmp_path: Path) -> None:
    path = subtracted(inputs(tmp_path / "in"), tmp_path / "out", psfmask="N/A")
    assert fits.getval(path, "S_PSFALI") == "SKIPPED"
    assert fits.getval(path, "S_KLIP") == "COMPLETE"
    psfs = pixels(tmp_path / "out/star_clean.fits").astype(float)
    image = pixels(tmp_path / "out/sci_clean.fits")[1].astype(float)
    wanted = expected(image, psfs, np.ones(SHAPE, bool))
    np.testing.assert_allclose(pixels(path)[1], wanted, atol=1e-5)


def test_an_integration_that_holds_nothing_is_counted_and_not_to_be_used(tmp_path: Path) -> None:
    path = subtracted(failing(tmp_path), tmp_path / "out")
    header = fits.getheader(path, "SCI")
    assert (header["NINTFAIL"], header["NREFUSED"], header["NREFFAIL"]) == (1, 3, 3)
    assert np.isnan(pixels(path)[1]).all()
    assert np.isfinite(pixels(path)[0]).all()
    assert ((pixels(path, "DQ")[1] & DO_NOT_USE) != 0).all()


def test_psf_images_that_are_no_use_are_counted(tmp_path: Path) -> None:
    psfs = scene(((0.0, 0.0), (0.4, -0.3), (0.0, 0.0), (-0.2, 0.1), (0.1, 0.1)), noise=0)
    psfs[1] = np.nan
    psfs[3] = 0
    psfs[4] = np.float32(3)
    path = subtracted(inputs(tmp_path / "in", psfs=psfs), tmp_path / "out")
    header = fits.getheader(path, "SCI")
    names = ("NREFUSED", "NREFFAIL", "NREFCONS", "NREFEQUA", "NINTFAIL")
    # Of constant images, no shift can be fitted: their planes have failed already.
    assert [header[name] for name in names] == [2, 6, 0, 2, 0]
    assert np.isfinite(pixels(path)).all()


def test_one_psf_image_is_enough(tmp_path: Path) -> None:
    path = subtracted(inputs(tmp_path / "in", psfs=scene(((0.4, -0.3),))), tmp_path / "out")
    assert pixels(path).std() < 2 * NOISE
    assert fits.getval(path, "KLMODES") == 1


def test_flags_of_the_science_image_stay_and_those_of_psf_images_count(tmp_path: Path) -> None:
    flags = np.zeros((2, *SHAPE), np.uint32)
    flags[:, 3, 4] = DO_NOT_USE
    folder = tmp_path / "in"
    write_exposure(folder / "sci_calints.fits", dq=flags)
    psf_flags = np.zeros((1, *SHAPE), np.uint32)
    psf_flags[0, 20, 10] = DO_NOT_USE
    write_psfs(folder / "star_psfstack.fits", scene(((0.0, 0.0),)), dq=psf_flags)
    write_mask(folder / "mask.fits")
    path = subtracted(folder, tmp_path / "out")
    dq = pixels(path, "DQ")
    aligned = pixels(tmp_path / "out/psfalign.fits", "DQ")[:, 0]
    bits = np.uint32(DO_NOT_USE | FLUX_ESTIMATED)
    assert (dq[:, 3, 4] == bits).all()
    assert (dq[:, 20, 10] == bits).all()
    # One psf image is all that is subtracted, so that its flags are those of what is left.
    dq[:, 3, 4] = aligned[:, 3, 4]
    np.testing.assert_array_equal(dq, aligned & bits)


def test_flags_of_few_psf_images_are_outweighed(tmp_path: Path) -> None:
    flags = np.zeros((3, *SHAPE), np.uint32)
    flags[1, 20, 10] = DO_NOT_USE
    folder = inputs(tmp_path / "in")
    write_psfs(folder / "star_psfstack.fits", dq=flags)
    path = subtracted(folder, tmp_path / "out")
    assert (pixels(path, "DQ")[:, 20, 10] == 0).all()


def test_rings_and_throughput_are_about_the_star(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "in", **SKY)
    path = subtracted(folder, tmp_path / "out", options=SubtractionOptions(annuli=[0.5]))
    assert fits.getval(path, "KLIPRING") == "0.5"
    rows, columns = np.indices(SHAPE)
    ring = np.hypot(rows - 14, columns - 19) * np.sqrt(0.0039) < 0.5
    aligned = pixels(tmp_path / "out/psfalign.fits")[0].astype(float)
    weight = pixels(tmp_path / "out/psfalign.fits", "WEIGHT") > 0.5
    image = pixels(tmp_path / "out/sci_clean.fits")[0].astype(float)
    wanted = expected(image, aligned, weight & ring)
    np.testing.assert_allclose(pixels(path)[0][ring], wanted[ring], atol=1e-5)
    table = fits.getdata(path, "THROUGHPUT")
    # One λ/D of F335M at 6.5 m is 0.106 arcsec.
    assert table["separation"][0] == pytest.approx(3.35e-6 / 6.5 * 206264.8, rel=1e-6)
    first = table[table["stage"] == 0]
    np.testing.assert_allclose(first["throughput"], 1, rtol=1e-12)
    assert np.all(table["throughput"] < 1.01)


def test_rings_around_nobody_knows_what_are_refused(tmp_path: Path) -> None:
    paths = run(inputs(tmp_path / "in"), tmp_path / "out")
    message = (
        f"{paths['science']}[SCI] CRPIX1: missing: nothing says where the star is; "
        "set psf_subtraction.star to its [column, row], counted from 0"
    )
    output = tmp_path / "out/psfsub.fits"
    with refused(message, InputError):
        subtract_psf(
            paths["science"], paths["product"], output, options=SubtractionOptions(annuli=[0.5])
        )
    assert not output.exists()


def test_a_mask_without_a_weight_above_one_half_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, output = run(inputs(tmp_path / "in"), tmp_path / "out"), tmp_path / "psfsub.fits"
    monkeypatch.setattr(AlignedPsfs, "read_weight", lambda _: np.full(SHAPE, 0.5))
    message = (
        f"{paths['science']}: the weight of the mask is nowhere above 0.5, which leaves no pixel "
        "to fit; set psf_subtraction.region to image"
    )
    with refused(message, InputError):
        subtract_psf(paths["science"], paths["product"], output)
    assert not output.exists()
    options = SubtractionOptions(region="image")
    subtract_psf(paths["science"], paths["product"], output, options=options)
    assert np.isfinite(pixels(output)).all()


def test_psf_images_of_another_exposure_are_refused(tmp_path: Path) -> None:
    paths = run(inputs(tmp_path / "in"), tmp_path / "out")
    other = run(inputs(tmp_path / "in2", scene(SCIENCE_STEPS, seed=9)), tmp_path / "out2")
    message = f"{paths['product']}: was not aligned to {other['science']}; run align_psfs again"
    with refused(message, InputError):
        subtract_psf(other["science"], paths["product"], tmp_path / "psfsub.fits")


def test_inputs_stay_bytes_repeat_and_provenance_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    paths = run(inputs(tmp_path / "in"), out)
    before = digests(tmp_path)
    names = tmp_path / "one/psfsub.fits", tmp_path / "two/psfsub.fits"
    for name in names:
        subtract_psf(paths["science"], paths["product"], name)
    assert names[0].read_bytes() == names[1].read_bytes()
    assert before.items() <= digests(tmp_path).items()
    exposure = Exposure(names[0])
    assert exposure.check_checksums() == []
    records = read_records(names[0], exposure.hdus)
    assert {record.step for record in records} == {
        "resolve_psfmask", "clean_science", "clean_psfs", "fit_shifts", "align_psfs", "subtract_psf",
    }  # fmt: skip
    assert ("subtract_psf", "parameter", "references", '"stars"') in records


def test_the_product_is_where_the_science_exposure_is(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "in", **SKY)
    psf_keywords = {"XOFFSET": 0.2185, "YOFFSET": 0.1273, "STARCENX": 5.0}
    for name, cards in (("sci", {"XOFFSET": 0.0}), ("star", psf_keywords)):
        path = next(folder.glob(f"{name}_*.fits"))
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].header.update(cards)
            hdus[0].add_checksum()
    run(folder, tmp_path / "out")
    primary, science = (fits.getheader(tmp_path / "out/psfalign.fits", n) for n in (0, "SCI"))
    assert primary["XOFFSET"] == 0.0
    assert not {"YOFFSET", "STARCENX"} & set(primary)
    assert (science["CRPIX1"], science["CRPIX2"]) == (SKY["CRPIX1"], SKY["CRPIX2"])


def test_what_was_not_aligned_stays_where_it_was(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "in", **SKY)
    with fits.open(folder / "star_psfstack.fits", mode="update", memmap=False) as hdus:
        hdus[0].header["XOFFSET"] = 0.2185
        hdus[0].add_checksum()
    run(folder, tmp_path / "out", psfmask="N/A")
    assert fits.getval(tmp_path / "out/psfalign.fits", "XOFFSET") == 0.2185
    assert "CRPIX1" not in fits.getheader(tmp_path / "out/psfalign.fits", "SCI")
