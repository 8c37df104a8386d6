"""Read the keywords that select a mask, and compare them by the rules of CRDS."""

import fnmatch
from collections.abc import Mapping
from pathlib import Path

from astropy.io.fits import Header

from ..errors import InputError
from .fits.structure import text_of

SELECTORS = ("INSTRUME", "FILTER", "CORONMSK", "SUBARRAY")
FULL = "FULL"  # SUBARRAY of a whole detector, which several detectors have alike
EVERY = ("*", "ANY")  # values that match everything
ANY = (*EVERY, "N/A")  # likewise, but a row with * or ANY goes before one with N/A


# CORONMSK of NIRCam masks before 2020 lacks the module's letter.
OBSOLETE = {
    "MASK210R": "MASKA210R",
    "MASK335R": "MASKA335R",
    "MASK430R": "MASKA430R",
    "MASKSWB": "MASKASWB",
    "MASKLWB": "MASKALWB",
}


def read_selectors(header: Header) -> dict[str, str]:
    """Return the selectors that a header has, in capitals, without blanks, in today's spelling."""
    return {
        keyword: "|".join(_modern(part) for part in text_of(header, keyword).split("|"))
        for keyword in SELECTORS
        if text_of(header, keyword)
    }


def read_mask_selectors(header: Header) -> dict[str, str]:
    """
    Return the selectors that a mask has.

    A subarray identifies the detector. A full-frame mask with a DETECTOR serves only that detector;
    CRDS does not use this keyword.
    """
    selectors = read_selectors(header)
    detector = text_of(header, "DETECTOR").upper()
    if selectors.get("SUBARRAY") == FULL and detector and detector not in ANY:
        selectors["DETECTOR"] = detector
    return selectors


def _modern(value: str) -> str:
    value = value.strip().upper()
    return OBSOLETE.get(value, value)


def check_selectors(selectors: Mapping[str, str], path: Path) -> None:
    """Raise `InputError` if the header of an exposure lacks a keyword that selects its mask."""
    for keyword in SELECTORS:
        if keyword not in selectors:
            raise InputError(
                "missing or blank",
                file=path,
                keyword=keyword,
                remedy="calibrate the exposure again, or name a psfmask for it",
            )


def matches(row: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Return whether all selectors of a mask agree with those of an exposure."""
    return all(
        _covers(row[keyword], wanted[keyword])
        for keyword in (*SELECTORS, "DETECTOR")
        if keyword in row and keyword in wanted
    )


def specificity(row: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[int, int]:
    """Count the selectors of a matching row that agree by value, and those not by N/A."""
    pairs = [(row.get(key, "N/A"), wanted.get(key, "N/A")) for key in SELECTORS]
    stated = [pair for pair in pairs if "N/A" not in pair]
    by_value = [pair for pair in stated if not set(pair) & set(EVERY)]
    return len(by_value), len(stated)


def _covers(pattern: str, value: str) -> bool:
    """Return whether a pattern includes a value, or one of them matches everything."""
    if value in ANY or pattern in ANY:
        return True
    alternatives = ["*" if part in ANY else part for part in pattern.split("|")]
    return any(fnmatch.fnmatchcase(value, part) for part in alternatives)
