"""Files that do not belong together are refused with the values of all of them."""

from pathlib import Path
from typing import Any

import pytest
from files import refused

from psfalign.agreement import Party, check_agreement
from psfalign.errors import InputError

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


def test_item_34_table_of_all_differences() -> None:
    message = (
        "science.fits: INSTRUME and FILTER differ: "
        "science science.fits INSTRUME=NIRCAM, FILTER=F335M; "
        "psf psf.fits INSTRUME=MIRI, FILTER=F335M; "
        "psfmask psfmask.fits INSTRUME=-, FILTER=F444W|F356W; use files that belong together"
    )
    with refused(message, InputError):
        check_agreement(parties({"INSTRUME": "MIRI"}, {"INSTRUME": None, "FILTER": "F444W|F356W"}))
