"""Files that do not belong together are refused with the values of all of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from files import refused, write_exposure

from psfalign.errors import InputError
from psfalign.files.agreement import Party, check_agreement, read_marks
from psfalign.files.exposure import Exposure

SELECTORS = {"INSTRUME": "NIRCAM", "FILTER": "F335M", "CORONMSK": "MASKA335R", "SUBARRAY": "FULL"}


def parties(psf: Any = None, mask: Any = None, shapes: Any = ((4, 5), (4, 5), (4, 5))) -> Any:
    selectors = (SELECTORS, {**SELECTORS, **(psf or {})}, {**SELECTORS, **(mask or {})})
    roles = ("science", "psf", "psfmask")
    return [
        Party(role, Path(f"{role}.fits"), shape, {k: v for k, v in own.items() if v})
        for role, shape, own in zip(roles, shapes, selectors, strict=True)
    ]


def test_files_that_agree() -> None:
    check_agreement(parties())


@pytest.mark.parametrize("value", ["F335M|F444W", "*", "ANY", "N/A", None])
def test_mask_that_serves_several_filters(value: str | None) -> None:
    check_agreement(parties(mask={"FILTER": value}))


def test_item_27_shapes_of_all_three() -> None:
    message = (
        "science.fits: image sizes differ (columns×rows): science science.fits 5×4, "
        "psf psf.fits 5×4, psfmask psfmask.fits 4×5; use files of the same subarray"
    )
    with refused(message, InputError):
        check_agreement(parties(shapes=((4, 5), (4, 5), (5, 4))))


def test_item_27_a_single_row_does_not_pass_by_broadcasting() -> None:
    with pytest.raises(InputError, match=r"^science\.fits: image sizes differ"):
        check_agreement(parties(shapes=((4, 5), (4, 5), (1, 5))))


@pytest.mark.parametrize("keyword", list(SELECTORS))
def test_item_34_one_keyword_differs(keyword: str) -> None:
    message = (
        f"science.fits: {keyword} differ: science science.fits {keyword}={SELECTORS[keyword]}; "
        f"psf psf.fits {keyword}=OTHER; psfmask psfmask.fits {keyword}={SELECTORS[keyword]}; "
        "use files that belong together"
    )
    with refused(message, InputError):
        check_agreement(parties(psf={keyword: "OTHER"}))


@pytest.mark.parametrize(("keyword", "values"), [("DETECTOR", "NRCA2"), ("BUNIT", "DN/S")])
def test_psf_of_another_detector_or_in_another_unit(keyword: str, values: str) -> None:
    """Two detectors may see the same subarray, but not the same star; images in two units no sum."""
    science, psf, mask = parties(psf={keyword: values})
    check_agreement([science, psf, mask])  # nothing is known of the science
    other = replace(science, marks={**science.marks, keyword: "OTHER"})
    with pytest.raises(InputError, match=rf"^science\.fits: {keyword} differ: .*{values}"):
        check_agreement([other, psf, mask])


def test_marks_of_an_exposure(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits", DETECTOR="nrcalong")
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].header["BUNIT"] = "MJy / sr"
        hdus["SCI"].add_checksum(when="")
    marks = read_marks(Exposure(path))
    assert (marks["DETECTOR"], marks["BUNIT"]) == ("NRCALONG", "MJY/SR")
    assert set(read_marks(Exposure(write_exposure(tmp_path / "b.fits")))) >= set(SELECTORS)


def test_item_34_table_of_all_differences() -> None:
    message = (
        "science.fits: INSTRUME and FILTER differ: "
        "science science.fits INSTRUME=NIRCAM, FILTER=F335M; "
        "psf psf.fits INSTRUME=MIRI, FILTER=F335M; "
        "psfmask psfmask.fits INSTRUME=-, FILTER=F444W|F356W; use files that belong together"
    )
    with refused(message, InputError):
        check_agreement(parties({"INSTRUME": "MIRI"}, {"INSTRUME": None, "FILTER": "F444W|F356W"}))
