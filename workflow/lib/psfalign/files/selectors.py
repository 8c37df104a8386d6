"""The keywords that choose a mask: read from headers, and compared as CRDS compares them."""

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

    With a subarray, they say which detector is meant; a mask for the full frame serves the DETECTOR
    of its header alone, where it has one. CRDS does not look at it.
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
    """Refuse an exposure whose header lacks a keyword that selects its mask."""
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
    """Return whether a pattern names a value, or one of the two means any."""
    if value in ANY or pattern in ANY:
        return True
    alternatives = ["*" if part in ANY else part for part in pattern.split("|")]
    return any(fnmatch.fnmatchcase(value, part) for part in alternatives)
