"""Compare the records in existing results with those that a run would write now."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, PsfalignError
from ..files.fits.outline import outline, read_rows
from ..files.png import read_note
from ..files.provenance.records import Record, Records
from ..files.provenance.table import NAME as PROVENANCE
from ..files.shifts import read_meta
from ..files.text import read_text
from ..psfmask.resolved import ResolvedMask
from .expected import Job, Made, Result
from .exposures import real_path
from .facts import FactsStore
from .words import some_of

KEY = "as it should be"  # the key of a remembered comparison in the facts
MOST_NAMES = 3  # the largest number of exposures named in a line


@dataclass(frozen=True)
class Outdated:
    """An existing result that a run makes again, with the reason."""

    path: Path
    job: Job
    reason: str


class Truth:
    """
    The existing results that are out of date, according to their own records.

    Parameters
    ----------
    results
        All results of the campaign, with the records that they should have.
    facts
        What is known of the files; successful comparisons are remembered there.

    Attributes
    ----------
    outdated
        The results that exist and differ from what a run would make now.
    """

    def __init__(self, results: Iterable[Result], facts: FactsStore) -> None:
        self.outdated: list[Outdated] = []
        self._followed: set[Job] = set()
        again: list[Job] = []
        results = list(results)
        for result in results:
            there = result.path.exists()
            reason = judge(result, facts) if there else ""
            if reason:
                self.outdated.append(Outdated(result.path, result.job, reason))
            if reason or not there:
                again.append(result.job)
        before: dict[Job, list[Job]] = defaultdict(list)
        for result in results if again else ():
            for job in result.later:
                before[job].append(result.job)
        for job in again:
            self._followed |= {job, *before[job]}

    def follows(self, step: str, name: str) -> bool:
        """Return whether a job, or one that depends on it, has to run."""
        return (step, name) in self._followed

    def describe(self) -> list[str]:
        """Return a line for each step and reason, with the exposures for which it runs again."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.outdated:
            step, name = entry.job
            found[step, entry.reason].append(name)
        return [
            f"{step} runs again for {some_of(names, MOST_NAMES)}: {why}"
            for (step, why), names in found.items()
        ]


def judge(result: Result, facts: FactsStore) -> str:
    """
    Return the reason why a run would make a result again; empty if it would keep it.

    Only headers are read, once for each version of a file.
    """
    wanted = _fingerprint(result)
    try:
        if facts.recall(result.path, KEY) == wanted:
            return ""
        reason = compare(_read_records(result), result.made)
    except (PsfalignError, OSError, ValueError, LookupError, TypeError) as error:
        return error.problem if isinstance(error, PsfalignError) else "it is damaged"
    if not reason:
        facts.remember(result.path, KEY, wanted)
    return reason


def compare(records: Sequence[Record], steps: Sequence[Made]) -> str:
    """Return the first difference between the records of a result and the expected steps."""
    told: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        told[record.step].append(record)
    others = set(told) - {made.step for made in steps}
    if others:
        return f"it was made with {min(others)}"
    wanted: dict[str, list[Made]] = defaultdict(list)
    for made in steps:
        wanted[made.step].append(made)
    reasons = (_compare_step(told[step], ones) for step, ones in wanted.items())
    return next(filter(None, reasons), "")


def _compare_step(told: Sequence[Record], wanted: Sequence[Made]) -> str:
    """Compare the records of a step with how it would run, once or for several exposures."""
    if not told:
        return f"it does not record {wanted[0].step}"
    settings: dict[str, list[str]] = defaultdict(list)
    for entry in told:
        if entry.kind == "parameter":
            settings[entry.name].append(entry.value)
    for name, value in ((n, v) for made in wanted for n, v in made.parameters.items()):
        if value not in settings[name]:
            return f"{name} was {', '.join(settings[name]) or 'not a setting'}, is now {value}"
    if reason := _compare_code(told, wanted):
        return reason
    sources = {e.value for e in told if (e.kind, e.name) == ("mask", "source")}
    chosen = {made.source for made in wanted if made.source}
    if chosen and sources != chosen:
        return f"its mask was chosen by {', '.join(sorted(sources))}, is now by {', '.join(chosen)}"
    if any(made.inputs is None for made in wanted):
        return ""
    inputs = [(entry.name, entry.value) for entry in told if entry.kind == "input"]
    every = (entry for made in wanted for entry in made.inputs or ())
    return _compare_inputs(list(dict.fromkeys(inputs)), list(dict.fromkeys(every)))


def _compare_code(told: Sequence[Record], wanted: Sequence[Made]) -> str:
    """Compare the code of a step, and the versions of software where they matter."""
    if {entry.value for entry in told if entry.kind == "code"} != {made.code for made in wanted}:
        return f"the code of {wanted[0].step} has changed"
    versions: dict[str, list[str]] = defaultdict(list)
    for entry in told:
        if entry.kind == "software" and entry.value not in versions[entry.name]:
            versions[entry.name].append(entry.value)
    for name, version in (entry for made in wanted for entry in made.software):
        if versions[name] != [version]:
            return f"{name} was {', '.join(versions[name]) or 'not recorded'}, is now {version}"
    return ""


def _compare_inputs(told: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]]) -> str:
    if told == wanted:
        return ""
    if sorted(told) == sorted(wanted):
        return "its inputs have another order"
    if [name for name, _ in told] != [name for name, _ in wanted]:
        return "it has other inputs"
    names = [name for (name, was), (_, now) in zip(told, wanted, strict=True) if was != now]
    return f"{names[0]} has changed"


def _read_records(result: Result) -> Records:
    """Read the records of a result; refuse a damaged one."""
    path = result.path
    if path.suffix == ".fits":
        tables = [hdu for hdu in outline(path) if hdu.name == PROVENANCE]
        return [Record(*row) for row in read_rows(path, tables[-1])] if tables else []
    if path.suffix == ".ecsv":
        return [Record(*entry) for entry in read_meta(path)["provenance"]]
    if result.job[0] == "resolve_psfmask":
        return _read_mask(path, result.masks)
    text = read_note(path) if path.suffix == ".png" else read_text(path)
    content: dict[str, Any] = json.loads(text)
    for name, size in content.get("sizes", {}).items():
        beside = path.with_name(name)
        if not beside.is_file() or beside.stat().st_size != size:
            raise InputError(f"{name} is gone or damaged", file=path)
    return [Record(*entry) for entry in content["provenance"]]


def _read_mask(path: Path, masks: Sequence[Path]) -> Records:
    resolved = ResolvedMask.read(path)
    places = {real_path(mask) for mask in masks}
    if resolved.applies and masks and real_path(Path(resolved.psfmask)) not in places:
        raise InputError(f"it names another mask, {resolved.psfmask}", file=path)
    return resolved.records()


def _fingerprint(result: Result) -> str:
    """Return a digest of the records that a result should have, so that it is compared once."""
    masks = json.dumps([real_path(mask) for mask in result.masks])
    text = "\n".join([*(step.text for step in result.made), masks])
    return hashlib.sha256(text.encode()).hexdigest()
