"""Choose the PSFMASK file that serves an exposure, as CRDS chooses reference files."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from astropy.io.fits import Header

from ..errors import ConfigError, InputError, MaskError
from ..files.fits.structure import text_of
from ..files.selectors import (
    FULL,
    SELECTORS,
    check_selectors,
    matches,
    read_mask_selectors,
    specificity,
)
from .file import REQUIRED, check_reference_type, read_mask_header

START = ("DATE-OBS", "TIME-OBS")


@dataclass(frozen=True)
class MaskEntry:
    """
    A file of the catalogue.

    Attributes
    ----------
    path
        Path of the file.
    selectors
        INSTRUME, FILTER, CORONMSK and SUBARRAY: a value, several joined by ``|``, or ``*``,
        ``ANY`` or ``N/A`` for all; and DETECTOR of a full-frame mask, if it has one.
    useafter
        The mask serves exposures that start at this time or later.
    shape
        Rows and columns.
    """

    path: Path
    selectors: Mapping[str, str]
    useafter: datetime
    shape: tuple[int, ...]


class Catalogue:
    """The entries to choose from, with a cache of the matches of selectors."""

    def __init__(self, entries: Iterable[MaskEntry]) -> None:
        self.entries = list(entries)
        self._matching: dict[tuple[str, ...], list[MaskEntry]] = {}

    def matching(self, wanted: Mapping[str, str]) -> list[MaskEntry]:
        """List the entries that match all selectors, the best first."""
        # Thousands of exposures share a few sets of selectors.
        key = (*(wanted[keyword] for keyword in SELECTORS), wanted.get("DETECTOR", ""))
        if key not in self._matching:
            found = [entry for entry in self.entries if matches(entry.selectors, wanted)]
            found.sort(key=lambda entry: _rank(entry, wanted), reverse=True)
            self._matching[key] = found
        return self._matching[key]


@dataclass(frozen=True)
class Selection:
    """The entry that serves an exposure, and the reason in words."""

    entry: MaskEntry
    reason: str


def list_references(references: Iterable[str]) -> list[Path]:
    """
    List the FITS files that ``psfmask.references`` names: files, folders, globs.

    Raises
    ------
    ConfigError
        If one of them matches no file.
    """
    found: dict[Path, None] = {}
    for reference in references:
        paths = _expand(reference)
        if not paths:
            raise ConfigError(
                "names no FITS file",
                keyword="psfmask.references",
                value=reference,
                remedy="name a file, a folder with .fits files or a glob",
            )
        found.update(dict.fromkeys(paths))
    return list(found)


def _expand(reference: str) -> list[Path]:
    path = Path(reference)
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.name.lower().endswith((".fits", ".fit")))
    if path.exists() or not re.search(r"[*?\[]", reference):
        return [path]
    try:
        return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except ValueError:  # no glob at all, such as a**
        return []


def read_entry(path: Path) -> MaskEntry:
    """Read the header of a mask file of the catalogue, which must have all its keywords."""
    header, shape = read_mask_header(path)
    check_reference_type(header, path)
    missing = [keyword for keyword in REQUIRED if not text_of(header, keyword)]
    if missing:
        raise lacking(path, missing)
    useafter = parse_useafter(header["USEAFTER"], path)
    return MaskEntry(path, read_mask_selectors(header), useafter, shape)


# Values for keywords that a mask lacks; other keywords have the values of its exposures.
USUAL = {"TELESCOP": "JWST", "REFTYPE": "PSFMASK", "USEAFTER": "2021-12-25T00:00:00"}


def lacking(path: Path, keywords: Sequence[str]) -> InputError:
    """
    Return the error for keywords that a mask lacks, with a command that writes them.

    The command uses astropy, which renews the checksums.
    """
    calls = [
        f"fits.setval({str(path)!r}, {keyword!r}, value={USUAL.get(keyword, '...')!r})"
        for keyword in keywords
    ]
    how = f'python -c "from astropy.io import fits; {"; ".join(calls)}"'
    what = "write that of its exposures in place of ..."
    if all(keyword in USUAL for keyword in keywords):
        what = "write it" if len(keywords) == 1 else "write them"
    return InputError(
        "missing or blank, so psfmask.references cannot hold it",
        file=path,
        keyword=", ".join(keywords),
        remedy=f"{what}: {how}; or name the file as psfmask of its exposures",
    )


def parse_useafter(value: object, path: Path) -> datetime:
    """Read a USEAFTER date, with or without a time."""
    text = str(value).strip().replace(" ", "T")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError as error:
        raise InputError(
            "is not a date",
            file=path,
            keyword="USEAFTER",
            value=value,
            remedy="write YYYY-MM-DDTHH:MM:SS",
        ) from error


def no_start(path: Path) -> InputError:
    """Return the error for an exposure without a time of its start."""
    return InputError(
        "missing or blank",
        file=path,
        keyword=", ".join(START),
        remedy="calibrate the exposure again, or name a psfmask for it",
    )


def start_of(header: Header, path: Path) -> datetime:
    """Return the moment at which an exposure started, from DATE-OBS and TIME-OBS."""
    date, time = (text_of(header, keyword) for keyword in START)
    if not (date and time):
        raise no_start(path)
    try:
        return datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=None)
    except ValueError as error:
        raise InputError(
            "are no date and time",
            file=path,
            keyword=", ".join(START),
            value=f"{date}, {time}",
            remedy="write YYYY-MM-DD and HH:MM:SS.sss",
        ) from error


def select(
    catalogue: Catalogue, wanted: Mapping[str, str], start: datetime, path: Path
) -> Selection:
    """
    Choose the mask of an exposure.

    Entries must match all selectors, and their USEAFTER must not be later than the exposure. Of
    these, the entry with the most matches by value is chosen, then that with the fewest matches by
    N/A, then that with the latest USEAFTER. In CRDS (crds.core.selectors), ``*`` counts like a
    value, so that a newer general entry precedes an older specific one; here the specific one is
    chosen.

    Parameters
    ----------
    catalogue
        The entries to choose from.
    wanted
        The selectors of the exposure.
    start
        The time at which it started.
    path
        Its file, for errors.

    Raises
    ------
    MaskError
        If no entry matches, or two match equally.
    """
    check_selectors(wanted, path)
    matching = catalogue.matching(wanted)
    usable = [e for e in matching if e.useafter <= start]
    if not usable:
        raise _no_match(path, wanted, start, catalogue.entries, matching)

    best = _rank(usable[0], wanted)
    winners = list(itertools.takewhile(lambda entry: _rank(entry, wanted) == best, usable))
    if len(winners) > 1:
        names = " and ".join(str(entry.path) for entry in winners)
        raise MaskError(
            f"{names} match it equally, with USEAFTER {winners[0].useafter.isoformat()}",
            file=path,
            remedy="remove one from psfmask.references, or name a psfmask for the exposure",
        )
    words = " ".join(f"{key}={value}" for key, value in winners[0].selectors.items())
    reason = f"{words}, latest USEAFTER up to {start.isoformat(timespec='milliseconds')}"
    return Selection(winners[0], reason)


def _rank(entry: MaskEntry, wanted: Mapping[str, str]) -> tuple[int, int, datetime]:
    return *specificity(entry.selectors, wanted), entry.useafter


def _no_match(
    path: Path,
    wanted: Mapping[str, str],
    start: datetime,
    entries: list[MaskEntry],
    matching: list[MaskEntry],
) -> MaskError:
    words = ", ".join(f"{key}={wanted[key]}" for key in SELECTORS)
    if wanted["SUBARRAY"] == FULL and wanted.get("DETECTOR"):
        words += f", DETECTOR={wanted['DETECTOR']}"
    if matching:
        earliest = min(matching, key=lambda entry: entry.useafter)
        problem = (
            f"no mask for {words} serves {start.isoformat()}; the first, {earliest.path}, "
            f"only from USEAFTER {earliest.useafter.isoformat()}"
        )
    else:
        tried = "; ".join(f"{e.path} ({', '.join(e.selectors.values())})" for e in entries)
        problem = f"no mask matches {words}; tried {tried or 'no file at all'}"
    return MaskError(
        problem,
        file=path,
        remedy=get_a_mask(path),
    )


def get_a_mask(path: Path) -> str:
    """Return how to get a mask for an exposure."""
    return (
        "add one to psfmask.references: a file of CRDS (docs/masks.md), or one that `psfalign "
        f"make-psfmask --science {path} --output made_psfmask.fits` makes; or set the exposure's "
        "psfmask to a file, uniform or N/A"
    )
