"""`verify` finds whatever was done to results after they were made (item 51)."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from files import (
    digests,
    scene,
    write_psfs,
)
from small_campaign import NAME, PRODUCT, make_results, rewrite, verify

from psfalign.files.fits.structure import scan
from psfalign.steps.clean import clean_exposure


@pytest.fixture
def campaign(copied_results: Path) -> Path:
    return copied_results


def test_intact_results_are_said_to_be_so(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(campaign)
    code, said, wrong = verify(capsys)
    assert (code, wrong) == (0, [])
    assert said[0] == f"{PRODUCT}: ok; 6 pairs, 3 failed"
    assert said[1].startswith("1 products, 0 files wrong; read 6 files, ")
    assert digests(campaign) == before


def test_a_product_that_was_not_aligned_is_verified_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_results(tmp_path, psfmask="N/A")
    monkeypatch.chdir(tmp_path)
    code, said, wrong = verify(capsys)
    assert (code, wrong, said[0]) == (0, [], f"{PRODUCT}: ok; not aligned")


@pytest.mark.parametrize("name", ["PRIMARY", "SCI", "ERR", "DQ", "SHIFTS", "WEIGHT", "PROVENANCE"])
def test_item_51_a_changed_byte_in_any_hdu_is_found(
    name: str, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [hdu] = [hdu for hdu in scan(Path(PRODUCT)) if hdu.name == name]
    # The last byte of the data, or of a comment card in the header.
    place = hdu.data_start + hdu.data_size - 1 if hdu.data_size else hdu.data_start - 1
    content = bytearray(Path(PRODUCT).read_bytes())
    content[place] ^= 2
    Path(PRODUCT).write_bytes(content)
    code, _, wrong = verify(capsys)
    assert code == 1
    assert len(wrong) == 1
    assert wrong[0].startswith(f"psfalign: error: {PRODUCT}")


def test_item_51_a_product_cut_anywhere_is_found(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, ends = Path(PRODUCT).read_bytes(), [hdu.end for hdu in scan(Path(PRODUCT))]
    for size in (0, 1, 2880, *ends[:-1], ends[2] + 1, len(content) - 1, len(content) - 2880):
        Path(PRODUCT).write_bytes(content[:size])
        code, _, wrong = verify(capsys)
        assert (code, len(wrong)) == (1, 1), size


def fill_failed_plane(hdus: fits.HDUList) -> None:
    hdus["SCI"].data[1, 0] = 0.0


def empty_good_pixel(hdus: fits.HDUList) -> None:
    hdus["ERR"].data[0, 2, 5, 5] = np.inf


def release_failed_plane(hdus: fits.HDUList) -> None:
    hdus["DQ"].data[1, 1, 0, 0] = 0


def forget_failure(hdus: fits.HDUList) -> None:
    hdus[0].header["NFAILED"] = 0


def drop_row(hdus: fits.HDUList) -> None:
    hdus["SHIFTS"].data = hdus["SHIFTS"].data[:-1]


def swap_rows(hdus: fits.HDUList) -> None:
    hdus["SHIFTS"].data = hdus["SHIFTS"].data[[1, 0, 2, 3, 4, 5]]


def drop_weight(hdus: fits.HDUList) -> None:
    del hdus["WEIGHT"]


def name_another_mask(hdus: fits.HDUList) -> None:
    hdus[0].header["MASKSHA"] = "0" * 64


EDITS = {
    fill_failed_plane: "[SCI]: plane 3 has values although its fit failed",
    empty_good_pixel: "[ERR]: plane 2 has pixels that are not finite, its fit is ok",
    release_failed_plane: "[DQ]: plane 4 may be used although its fit failed",
    forget_failure: "[SHIFTS]: NFAILED=0 but the table has 3",
    drop_row: "[SHIFTS]: NPAIRS=6 but the table has 5",
    swap_rows: "[SHIFTS]: column psf is not that of 6 planes",
    drop_weight: "[WEIGHT]: there are 0 such extensions, expected one",
    name_another_mask: f"[PROVENANCE] MASKSHA={'0' * 64}: does not hold the MASKSHA of the header",
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_that_contradicts_the_rest_is_found_in_spite_of_right_checksums(
    edit: Callable[[fits.HDUList], None], campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(edit)
    code, _, wrong = verify(capsys, PRODUCT)
    assert code == 1
    expected = f"psfalign: error: {PRODUCT}{EDITS[edit]}; remove it and run the workflow again"
    assert wrong[0] == expected


def test_inputs_are_compared_where_they_are(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/sci_calints.fits").unlink()
    write_psfs(Path("data/star_psfstack.fits"), scene([(0.0, 0.0)] * 3, seed=5))
    code, said, wrong = verify(capsys)
    problem = "data/star_psfstack.fits is not the file that it was made from (clean_psfs)"
    assert wrong == [f"psfalign: error: {PRODUCT}: {problem}; run the workflow again"]
    assert code == 1
    code, said, wrong = verify(capsys, PRODUCT)
    assert (code, wrong) == (0, [])
    gone = "sci_calints.fits, star_psfstack.fits"
    assert said[0] == f"{PRODUCT}: ok; 6 pairs, 3 failed; not at hand: {gone}"


def test_inputs_may_lie_elsewhere(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data").rename(tmp_path / "vault")
    assert "; not at hand: " in verify(capsys)[1][0]
    code, said, _ = verify(capsys, "results", "--inputs", str(tmp_path / "vault"))
    assert (code, said[0]) == (0, f"{PRODUCT}: ok; 6 pairs, 3 failed")


def test_settings_are_compared_with_the_configuration(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("results/configuration.json")
    config = json.loads(path.read_text())
    config["align_refs"] = {"max_shift": 5, "bad_bits": "1"}
    path.write_text(json.dumps(config))
    code, _, wrong = verify(capsys)
    problem = f"{PRODUCT} max_shift=5: was made with 4 (fit_shifts); run the workflow again"
    assert (code, wrong) == (1, [f"psfalign: error: {problem}"])


def test_other_code_is_said(
    campaign: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from psfalign.archive.verify import origins

    own = origins._code_of
    monkeypatch.setattr(origins, "_code_of", lambda step: "" if step == "fit_shifts" else own(step))
    code, said, _ = verify(capsys)
    assert code == 0
    assert said[0].endswith("; made by other code than this: fit_shifts")


def test_files_beside_the_product_are_compared_with_it(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stem = f"results/{NAME}/{NAME}"
    shifts, mask = Path(f"{stem}_shifts.ecsv"), Path(f"{stem}_psfmask.json")
    shifts.write_text(shifts.read_text().replace("\n0 1 ", "\n0 1 9"))
    mask.write_text(mask.read_text().replace('"sha256": "', '"sha256": "0'))
    clean_exposure(Path("data/sci_calints.fits"), Path(f"{stem}_clean.fits"), median_box_length=5)
    Path("results/psfstacks/star_clean.fits").write_bytes(b"")
    code, _, wrong = verify(capsys)
    lines = [line.removeprefix("psfalign: error: results/").split(";")[0] for line in wrong]
    folder = f"{NAME}/{NAME}"
    assert code == 1
    assert sorted(lines) == [
        "psfstacks/star_clean.fits: is empty",
        f"{folder}_clean.fits: is not the cleaned exposure that the product was fitted to",
        f"{folder}_psfmask.json: names another mask than the product",
        f"{folder}_shifts.ecsv: column dx is not that of the product",
    ]


def test_what_is_missing_and_what_is_left_over_is_said(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("results/configuration.json")
    path.write_text(path.read_text().replace("a3001", "a3002"))
    partial = Path(f"results/{NAME}/.{NAME}_psfalign.fits.0123456789abcdef.partial")
    partial.write_bytes(b"")
    code, said, wrong = verify(capsys)
    assert code == 1
    missing = "results/sci_a3002/sci_a3002_psfalign.fits: there is no product; run the workflow"
    assert f"psfalign: error: {missing}" in wrong
    assert f"{partial}: left over: the unfinished file of a killed run" in said
    assert f"results/{NAME}: left over: no exposure of the configuration" in said


def test_a_folder_without_products_is_refused(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, wrong = verify(capsys, "data")
    assert code == 1
    assert wrong == ["psfalign: error: data: holds no product; name another folder"]
