"""Check that science, psf and mask files belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .exposure import Exposure
from .fits.structure import text_of
from .selectors import ANY, SELECTORS, matches, read_selectors

# Files that have these must agree; masks have the selectors only, and some the detector.
MARKS = (*SELECTORS, "DETECTOR", "BUNIT")
# A mask that the user names for an exposure may contradict these; another instrument is an error.
FORCED = ("FILTER", "CORONMSK", "SUBARRAY")


@dataclass(frozen=True)
class Party:
    """One of the files: its role, its image size (rows, columns), and the `MARKS` it has."""

    role: str
    path: Path
    shape: Sequence[int]
    marks: Mapping[str, str]

    @classmethod
    def of(cls, role: str, exposure: Exposure) -> "Party":
        """Return the party of an exposure in a role."""
        return cls(role, exposure.path, exposure.shape[1:], read_marks(exposure))


def read_marks(exposure: Exposure) -> dict[str, str]:
    """Return the selectors, detector and unit that an exposure has, in capitals, without blanks."""
    detector, unit = (
        "".join(text_of(header, keyword).upper().split())
        for header, keyword in ((exposure.primary, "DETECTOR"), (exposure.science.header, "BUNIT"))
    )
    marks = {**read_selectors(exposure.primary), "DETECTOR": detector, "BUNIT": unit}
    return {keyword: value for keyword, value in marks.items() if value}


def check_agreement(parties: Sequence[Party]) -> None:
    """
    Refuse files whose images differ in size, or whose marks contradict the first one's.

    Raises
    ------
    InputError
        If they differ, with the values of all files.
    """
    first = parties[0]
    if len({tuple(party.shape) for party in parties}) > 1:
        table = ", ".join(
            f"{party.role} {party.path} {party.shape[1]}×{party.shape[0]}" for party in parties
        )
        problem = f"image sizes differ (columns×rows): {table}"
        raise InputError(problem, file=first.path, remedy="use files of the same subarray")
    differing = [
        keyword
        for keyword in MARKS
        if not all(_agree(keyword, first, party) for party in parties[1:])
    ]
    if differing:
        table = "; ".join(
            f"{party.role} {party.path} "
            + ", ".join(f"{key}={party.marks.get(key, '-')}" for key in differing)
            for party in parties
        )
        problem = f"{' and '.join(differing)} differ: {table}"
        raise InputError(problem, file=first.path, remedy="use files that belong together")


def force(science: Party, mask: Party) -> tuple[Party, list[str]]:
    """
    Accept a mask that was named for an exposure, although its header selects other exposures.

    Returns
    -------
    mask
        The party of the mask without the marks that contradict the exposure.
    remarks
        A remark for each of these marks.
    """
    against = [key for key in FORCED if not _agree(key, science, mask)]
    remarks = [
        f"forced: the mask is for {key}={mask.marks[key]}, the exposure has {science.marks[key]}"
        for key in against
    ]
    kept = {key: value for key, value in mask.marks.items() if key not in against}
    return replace(mask, marks=kept), remarks


def _agree(keyword: str, first: Party, other: Party) -> bool:
    if keyword not in first.marks or keyword not in other.marks:
        return True
    row, wanted = {keyword: other.marks[keyword]}, {keyword: first.marks[keyword]}
    if keyword == "BUNIT":
        return row == wanted
    return wanted[keyword] in ANY or matches(row, wanted)
