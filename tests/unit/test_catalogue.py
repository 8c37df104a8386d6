"""The mask of an exposure is chosen as by CRDS, or an error gives the reason."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from files import SELECTORS as WANTED
from files import SHAPE, refused, write_mask

from psfalign.errors import ConfigError, InputError, MaskError
from psfalign.files.selectors import read_mask_selectors, read_selectors
from psfalign.psfmask.catalogue import (
    Catalogue,
    MaskEntry,
    list_references,
    parse_useafter,
    read_entry,
    select,
    start_of,
)
from psfalign.psfmask.file import check_mask_checksums

SCIENCE = Path("sci.fits")
START = "2023-06-01T12:00:00.500"
ADD_ONE = (
    "add one to psfmask.references: a file of CRDS (docs/masks.md), or one that `psfalign "
    "make-psfmask --science sci.fits --output made_psfmask.fits` makes; or set the exposure's "
    "psfmask to a file, uniform or N/A"
)


def entry(name: str, useafter: str = "2022-01-01", **selectors: str) -> MaskEntry:
    header = fits.Header({**WANTED, **selectors})
    return MaskEntry(
        Path(name), read_mask_selectors(header), parse_useafter(useafter, Path(name)), SHAPE
    )


def chosen(entries: Any, start: str = START, **wanted: str) -> str:
    selectors = read_selectors(fits.Header({**WANTED, **wanted}))
    selectors |= {keyword: wanted[keyword] for keyword in ("DETECTOR",) if keyword in wanted}
    selection = select(Catalogue(entries), selectors, datetime.fromisoformat(start), SCIENCE)
    return selection.entry.path.name


# What is in the catalogue, and what is to be chosen.
CASES: dict[str, tuple[list[MaskEntry], str]] = {
    "the only one": ([entry("a")], "a"),
    "the latest": (
        [entry("a", "2021-01-01"), entry("b", "2022-01-01"), entry("c", "2020-01-01")],
        "b",
    ),
    "not one of the future": ([entry("a", "2021-01-01"), entry("b", "2024-01-01")], "a"),
    "equal to the millisecond": ([entry("a"), entry("b", "2023-06-01T12:00:00.500")], "b"),
    "one millisecond late": ([entry("a"), entry("b", "2023-06-01T12:00:00.501")], "a"),
    "one millisecond early": ([entry("a"), entry("b", "2023-06-01T12:00:00.499")], "b"),
    "a day without a time begins at midnight": ([entry("a"), entry("b", "2023-06-01")], "b"),
    "alternatives, first": ([entry("a", FILTER="F335M|F444W")], "a"),
    "alternatives, last": ([entry("a", FILTER="F444W|F335M")], "a"),
    "alternatives, with blanks": ([entry("a", FILTER="F444W | F335M")], "a"),
    "star": ([entry("a", SUBARRAY="*")], "a"),
    "N/A": ([entry("a", SUBARRAY="N/A")], "a"),
    "ANY": ([entry("a", SUBARRAY="ANY")], "a"),
    "specific before N/A": (
        [entry("a", "2023-01-01", FILTER="N/A"), entry("b", "2020-01-01")],
        "b",
    ),
    "star before N/A": (
        [entry("a", "2023-01-01", FILTER="N/A"), entry("b", "2020-01-01", FILTER="*")],
        "b",
    ),
    "specific before star, though older": (
        [entry("a", "2023-01-01", FILTER="*"), entry("b", "2020-01-01")],
        "b",
    ),
    "the later of specific and ANY": (
        [entry("a", "2020-01-01", FILTER="ANY"), entry("b", "2023-01-01")],
        "b",
    ),
    "ANY among alternatives": ([entry("a", FILTER="F444W|ANY")], "a"),
    "specific but of the future: the general one": (
        [entry("a", FILTER="N/A"), entry("b", "2024-01-01")],
        "a",
    ),
    "obsolete spelling": ([entry("a", CORONMSK="MASK335R")], "a"),
    "lower case and blanks": ([entry("a", FILTER=" f335m ")], "a"),
    "another filter": ([entry("a", FILTER="F444W"), entry("b", "2020-01-01")], "b"),
    "a filter is not a prefix": ([entry("a", "2023-01-01", FILTER="F335"), entry("b")], "b"),
}


@pytest.mark.parametrize("name", CASES)
def test_selection(name: str) -> None:
    entries, expected = CASES[name]
    assert chosen(entries) == expected
    assert chosen(entries[::-1]) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MASK210R", "MASKA210R"),
        ("MASK335R", "MASKA335R"),
        ("MASK430R", "MASKA430R"),
        ("MASKSWB", "MASKASWB"),
        ("MASKLWB", "MASKALWB"),
    ],
)
def test_obsolete_spellings_on_either_side(old: str, new: str) -> None:
    assert chosen([entry("a", CORONMSK=old)], CORONMSK=new) == "a"
    assert chosen([entry("a", CORONMSK=new)], CORONMSK=old) == "a"


@pytest.mark.parametrize("value", ["N/A", "ANY", "*"])
def test_value_of_the_exposure_that_matches_any(value: str) -> None:
    assert chosen([entry("a", SUBARRAY="FULL")], SUBARRAY=value) == "a"


def test_reason_says_what_agreed() -> None:
    selection = select(Catalogue([entry("a")]), WANTED, datetime.fromisoformat(START), SCIENCE)
    assert selection.reason == (
        "INSTRUME=NIRCAM FILTER=F335M CORONMSK=MASKA335R SUBARRAY=SUB320A335R, "
        "latest USEAFTER up to 2023-06-01T12:00:00.500"
    )


USUAL = {"TELESCOP": "JWST", "REFTYPE": "PSFMASK", "USEAFTER": "2021-12-25T00:00:00"}


def lacks(path: Path, keyword: str) -> str:
    what = "write it" if keyword in USUAL else "write that of its exposures in place of ..."
    value = USUAL.get(keyword, "...")
    return (
        f": missing or blank, so psfmask.references cannot hold it; {what}: python -c "
        f"\"from astropy.io import fits; fits.setval('{path}', '{keyword}', value='{value}')\"; "
        "or name the file as psfmask of its exposures"
    )


def test_full_frame_mask_serves_its_detector_only() -> None:
    """A full frame and a filter are those of four detectors, and one of them holds the star."""
    full = {"FILTER": "F210M", "CORONMSK": "MASKA210R", "SUBARRAY": "FULL"}
    masks = [entry("a", **full, DETECTOR="NRCA4"), entry("b", **full, DETECTOR="NRCA2")]
    assert chosen(masks, **full, DETECTOR="NRCA2") == "b"
    assert chosen(masks[1:], **full) == "b"  # nothing is known of the exposure
    message = (
        "sci.fits: no mask matches INSTRUME=NIRCAM, FILTER=F210M, CORONMSK=MASKA210R, "
        "SUBARRAY=FULL, DETECTOR=NRCA1; tried a (NIRCAM, F210M, MASKA210R, FULL, NRCA4); "
        f"b (NIRCAM, F210M, MASKA210R, FULL, NRCA2); {ADD_ONE}"
    )
    with refused(message, MaskError):
        chosen(masks, **full, DETECTOR="NRCA1")


@pytest.mark.parametrize(
    ("subarray", "detector", "counts"),
    [
        ("FULL", "NRCA2", True),
        ("FULL", "N/A", False),
        ("FULL", None, False),
        ("SUB320", "X", False),
    ],
)
def test_detector_counts_for_the_full_frame(
    subarray: str, detector: str | None, counts: bool, tmp_path: Path
) -> None:
    path = write_mask(tmp_path / "m.fits", SUBARRAY=subarray, DETECTOR=detector)
    assert ("DETECTOR" in read_entry(path).selectors) is counts


def test_catalogue_asked_for_two_detectors() -> None:
    full = {"SUBARRAY": "FULL", "FILTER": "F210M"}
    catalogue = Catalogue([entry(name, **full, DETECTOR=name) for name in ("NRCA2", "NRCA4")])
    for name in ("NRCA2", "NRCA4"):
        wanted = {**WANTED, **full, "DETECTOR": name}
        assert [str(found.path) for found in catalogue.matching(wanted)] == [name]


def test_item_15_no_mask_matches() -> None:
    message = (
        "sci.fits: no mask matches INSTRUME=NIRCAM, FILTER=F335M, CORONMSK=MASKA335R, "
        "SUBARRAY=SUB320A335R; tried a (NIRCAM, F444W, MASKA335R, SUB320A335R); "
        f"b (MIRI, F335M, MASKA335R, SUB320A335R); {ADD_ONE}"
    )
    with refused(message, MaskError):
        chosen([entry("a", FILTER="F444W"), entry("b", INSTRUME="MIRI")])


def test_item_15_empty_catalogue() -> None:
    message = (
        "sci.fits: no mask matches INSTRUME=NIRCAM, FILTER=F335M, CORONMSK=MASKA335R, "
        f"SUBARRAY=SUB320A335R; tried no file at all; {ADD_ONE}"
    )
    with refused(message, MaskError):
        chosen([])


def test_item_15_before_all_dates() -> None:
    message = (
        "sci.fits: no mask for INSTRUME=NIRCAM, FILTER=F335M, CORONMSK=MASKA335R, "
        "SUBARRAY=SUB320A335R serves 2021-12-31T23:59:59.999000; the first, a, only from USEAFTER "
        f"2022-01-01T00:00:00; {ADD_ONE}"
    )
    with refused(message, MaskError):
        chosen([entry("b", "2023-01-01"), entry("a")], "2021-12-31T23:59:59.999")


@pytest.mark.parametrize("other", [{}, {"FILTER": "F335M|F444W"}, {"CORONMSK": "MASK335R"}])
def test_item_15_two_match_equally(other: dict[str, str]) -> None:
    message = (
        "sci.fits: a and b match it equally, with USEAFTER 2022-01-01T00:00:00; remove one from "
        "psfmask.references, or name a psfmask for the exposure"
    )
    with refused(message, MaskError):
        chosen([entry("a"), entry("b", **other)])


@pytest.mark.parametrize("keyword", list(WANTED))
def test_item_33_exposure_without_a_selector(keyword: str) -> None:
    message = (
        f"sci.fits {keyword}: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    )
    with refused(message, InputError):
        chosen([entry("a")], **{keyword: "  "})


@pytest.mark.parametrize("value", ["", "soon", "2022-13-01", "2022-02-30", "01/02/2022", 20229999])
def test_item_15_useafter_cannot_be_read(value: Any, tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", USEAFTER=value)
    problem = f"={value}: is not a date; write YYYY-MM-DDTHH:MM:SS"
    if value == "":
        problem = lacks(path, "USEAFTER")
    with refused(f"{path} USEAFTER{problem}", InputError):
        read_entry(path)


@pytest.mark.parametrize(
    "text", ["2022-07-01", "2022-07-01T00:00:00", "2022-07-01 00:00:00.000", "2022-07-01T00:00:00Z"]
)
def test_forms_of_useafter(text: str) -> None:
    assert parse_useafter(text, Path("m")) == datetime(2022, 7, 1)


@pytest.mark.parametrize(
    "keyword", ["TELESCOP", "INSTRUME", "FILTER", "CORONMSK", "SUBARRAY", "REFTYPE", "USEAFTER"]
)
@pytest.mark.parametrize("value", [None, "   "])
def test_item_33_mask_lacks_a_keyword(keyword: str, value: Any, tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", **{keyword: value})
    with refused(f"{path} {keyword}{lacks(path, keyword)}", InputError) as caught:
        read_entry(path)
    # The remedy is a command that works, but for the value that only the user knows.
    command = str(caught.value).partition("python -c ")[2].partition("; or name")[0]
    subprocess.run(f"{sys.executable} -c {command}", shell=True, check=True)
    if keyword in ("TELESCOP", "REFTYPE", "USEAFTER"):
        read_entry(path)
        assert check_mask_checksums(path) == []


def test_item_33_all_keywords_that_a_mask_lacks_are_named_at_once(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", REFTYPE=None, USEAFTER="")
    with pytest.raises(InputError) as caught:
        read_entry(path)
    assert str(caught.value).startswith(f"{path} REFTYPE, USEAFTER: missing or blank, ")
    assert "write them: " in str(caught.value)
    command = str(caught.value).partition("python -c ")[2].partition("; or name")[0]
    subprocess.run(f"{sys.executable} -c {command}", shell=True, check=True)
    assert read_entry(path).useafter == datetime(2021, 12, 25)


def test_item_33_value_that_is_not_defined_is_missing(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"FILTER  = 'F335M   '", b"FILTER  =           "))
    with refused(f"{path} FILTER{lacks(path, 'FILTER')}", InputError):
        read_entry(path)


def test_item_15_reference_of_another_type(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", REFTYPE="FLAT")
    with refused(f"{path} REFTYPE=FLAT: is not a PSFMASK file; name one", InputError):
        read_entry(path)


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("2023-06-01", "12:00:00.500", datetime(2023, 6, 1, 12, 0, 0, 500_000)),
        (" 2023-06-01 ", "12:00", datetime(2023, 6, 1, 12)),
        ("2023-06-01", "12:00:00Z", datetime(2023, 6, 1, 12)),
    ],
)
def test_start_of_an_exposure(date: str, time: str, expected: datetime) -> None:
    assert start_of(fits.Header({"DATE-OBS": date, "TIME-OBS": time}), SCIENCE) == expected


@pytest.mark.parametrize(
    "cards",
    [{}, {"DATE-OBS": "2023-06-01"}, {"TIME-OBS": "12:00"}, {"DATE-OBS": " ", "TIME-OBS": "12:00"}],
)
def test_item_33_start_is_missing(cards: dict[str, str]) -> None:
    message = (
        "sci.fits DATE-OBS, TIME-OBS: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    )
    with refused(message, InputError):
        start_of(fits.Header(cards), SCIENCE)


@pytest.mark.parametrize(
    ("date", "time"),
    [("2023-06-31", "12:00"), ("2023-06-01", "25:00"), ("2023-06-01T12:00", "12:00")],
)
def test_item_33_start_is_no_time(date: str, time: str) -> None:
    message = (
        f"sci.fits DATE-OBS, TIME-OBS={date}, {time}: are no date and time; "
        "write YYYY-MM-DD and HH:MM:SS.sss"
    )
    with refused(message, InputError):
        start_of(fits.Header({"DATE-OBS": date, "TIME-OBS": time}), SCIENCE)


def test_references_are_files_folders_and_globs_each_file_once(tmp_path: Path) -> None:
    for name in ("b.fits", "a.FITS", "c.fit", "note.txt", "x.fits.bak"):
        (tmp_path / name).touch()
    names = [str(tmp_path / "b.fits"), str(tmp_path), f"{tmp_path}/*.fit", f"{tmp_path}/none.fits"]
    found = [path.name for path in list_references(names)]
    assert found == ["b.fits", "a.FITS", "c.fit", "none.fits"]


def test_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    path = tmp_path / "m[1].fits"
    path.touch()
    assert list_references([str(path)]) == [path]


@pytest.mark.parametrize("pattern", ["*.fits", "**x/*.fits", "[z]*", ""])
def test_item_15_reference_names_nothing(pattern: str, tmp_path: Path) -> None:
    reference = f"{tmp_path}/{pattern}"
    message = (
        f"psfmask.references={reference}: names no FITS file; "
        "name a file, a folder with .fits files or a glob"
    )
    with refused(message, ConfigError):
        list_references([reference])
