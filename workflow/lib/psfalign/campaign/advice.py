"""Warn about inputs that are usable but unusual, before a run."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import PsfalignError
from ..files.agreement import Party, force
from ..files.background import SUBTRACTED, Background
from ..files.selectors import SELECTORS
from ..psfmask.resolved import NO_FILE
from .exposures import ScienceExposure
from .facts import FactsStore


def list_advice(exposures: Iterable[ScienceExposure], facts: FactsStore) -> list[str]:
    """
    Return warnings about files, one line each, without repetitions.

    Parameters
    ----------
    exposures
        The exposures of the campaign.
    facts
        The facts about their files. Unreadable files are left to the checks that refuse them.
    """
    lines: dict[str, None] = {}
    for exposure in exposures:
        if not facts.is_made_first(exposure.science):
            try:
                lines.update(dict.fromkeys(_advise(exposure, facts)))
            except PsfalignError:
                continue
    return list(lines)


def _advise(exposure: ScienceExposure, facts: FactsStore) -> Iterator[str]:
    yield from _forced_mask(exposure, facts)
    yield from _unchecked_psfs(exposure, facts)
    for path in (exposure.science, *exposure.stack.members):
        for card in facts.exposure(path)["unreadable"]:
            yield f"{path}{card} cannot be read; nobody needs it, and it is kept as it is"
    if facts.exposure(exposure.science)["marks"].get("INSTRUME") == "MIRI":
        yield from _backgrounds(exposure, facts)


def _forced_mask(exposure: ScienceExposure, facts: FactsStore) -> Iterator[str]:
    if exposure.psfmask is None or exposure.psfmask in NO_FILE:
        return
    known, path = facts.exposure(exposure.science), Path(exposure.psfmask)
    mask = facts.named_mask(path)
    science = Party("science", exposure.science, known["shape"], known["marks"])
    _, remarks = force(science, Party("psfmask", path, mask["shape"], mask["selectors"]))
    for remark in remarks:
        yield f"{path}: {remark} ({exposure.name})"


def _unchecked_psfs(exposure: ScienceExposure, facts: FactsStore) -> Iterator[str]:
    """Warn about psf images whose header does not name their instrument setup."""
    for member in exposure.stack.members:
        marks = facts.exposure(member)["marks"]
        missing = [keyword for keyword in SELECTORS if keyword not in marks]
        if missing:
            yield (
                f"{member}: lacks {', '.join(missing)}, so nothing says whether it belongs to its "
                "science exposure; only the size of the images was checked"
            )


def _backgrounds(exposure: ScienceExposure, facts: FactsStore) -> Iterator[str]:
    """Compare the backgrounds of a MIRI exposure and its psf images."""
    paths = [exposure.science, *exposure.stack.members]
    found = {path: facts.background(path) for path in paths}
    statuses = {background.status for background in found.values()}
    lacking = [path for path in paths if _lacks(found[path], statuses)]
    if not lacking:
        return
    what = _describe(lacking, found)
    if len(lacking) == len(paths):
        yield f"no background was subtracted from {what}; {REMEDY}"
    else:
        other = next(path for path in paths if path not in lacking)
        yield f"no background was subtracted from {what}, but from {other}; {REMEDY}"


REMEDY = (
    "scattered light that does not move with the star pulls shifts towards 0: subtract dedicated "
    "backgrounds from science and psf exposures alike, see docs/miri.md"
)


def _lacks(background: Background, statuses: Collection[str]) -> bool:
    return background.is_there or (background.status != SUBTRACTED and SUBTRACTED in statuses)


def _describe(paths: Sequence[Path], found: dict[Path, Background]) -> str:
    """Name a file, or the first of many with the number of others."""
    shown = [f"{path} ({found[path]})" for path in paths[:2]]
    more = [f"{len(paths) - 2} more"] if len(paths) > 2 else []  # noqa: PLR2004 - those shown
    return " and ".join([*shown, *more])
