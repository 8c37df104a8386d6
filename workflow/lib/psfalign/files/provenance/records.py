"""Record the inputs, settings, code and software of a step."""

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ... import __version__
from ..fits.structure import plain_text
from .code import code_digest

COMPUTING = ("numpy", "scipy", "astropy")  # packages that what is written depends on


class Record(NamedTuple):
    """
    One fact about how a file came to be.

    Attributes
    ----------
    step
        The step of the workflow, such as ``clean_psfs``.
    kind
        ``input`` (value: SHA-256 of the file ``name``), ``parameter`` (value: as JSON, with all
        digits), ``mask``, ``code`` (value: SHA-256 of the sources of the step) or ``software``
        (value: a version).
    name, value
        The name and the value. Names of files have no folders, so that the same files give the
        same records in all places.
    """

    step: str
    kind: str
    name: str
    value: str

    @classmethod
    def of(cls, entry: Iterable[str]) -> "Record":
        """Return the record that a list of its fields holds, first of all those."""
        return cls(*list(entry)[: len(cls._fields)])


Records = list[Record]


def record_step(
    step: str,
    module: str,
    *,
    inputs: Iterable[tuple[str, str]] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Records:
    """
    Record a step that runs now.

    Parameters
    ----------
    step
        Name of the step.
    module
        ``__file__`` of its module.
    inputs
        Name and SHA-256 of each input from outside.
    parameters
        All settings that were used.
    """
    return [
        *(Record(step, "input", plain_text(name), digest) for name, digest in inputs),
        *(Record(step, "parameter", *entry) for entry in _as_json(parameters or {})),
        Record(step, "code", "psfalign", code_digest(Path(module).resolve())),
        *(Record(step, "software", *entry) for entry in software_versions().items()),
    ]


def software_versions() -> dict[str, str]:
    """Return the versions of psfalign, Python and what computes numbers, by name."""
    versions = {"psfalign": __version__, "python": platform.python_version()}
    return versions | {name: _installed(name) for name in COMPUTING}


@cache
def _installed(package: str) -> str:
    """Return the version of a package; to read its long metadata takes a while."""
    return version(package)


def versions_of(records: Iterable[Record]) -> list[tuple[str, str]]:
    """Return name and version of all software that the steps of a file ran with."""
    found = ((entry.name, entry.value) for entry in records if entry.kind == "software")
    return list(dict.fromkeys(found))


def list_mixture(versions: Iterable[Iterable[tuple[str, str]]]) -> list[str]:
    """
    Return the software of which several versions made the files of a campaign.

    Parameters
    ----------
    versions
        Name and version of the software of each file.
    """
    counts = Counter(entry for one in versions for entry in set(one))
    found: dict[str, list[str]] = {}
    for (name, version_), count in sorted(counts.items()):
        found.setdefault(name, []).append(f"{version_} ({count})")
    return [f"{name} {', '.join(ones)}" for name, ones in found.items() if len(ones) > 1]


def renamed(records: Iterable[Record], old: str, new: str) -> Records:
    """Return records with another name of a step: the cleaning does not know its rule."""
    return [entry._replace(step=new) if entry.step == old else entry for entry in records]


def inputs_of(records: Records) -> list[Record]:
    """Return the inputs from outside, without psfstacks that psfalign made."""
    stacked = any(entry.step == "stack_psfs" for entry in records)
    return [
        entry
        for entry in records
        if entry.kind == "input" and not (stacked and entry.step == "clean_psfs")
    ]


def summarise_code(records: Iterable[Record]) -> str:
    """Return one SHA-256 for the sources of all steps."""
    lines = [f"{entry.step} {entry.value}\n" for entry in records if entry.kind == "code"]
    return hashlib.sha256("".join(sorted(set(lines))).encode()).hexdigest()


def find_parameter(records: Iterable[Record], step: str, name: str) -> Any:
    """Return the value of a setting of a step; None if it is not recorded."""
    found = [e.value for e in records if (e.step, e.kind, e.name) == (step, "parameter", name)]
    return json.loads(found[-1]) if found else None


def _as_json(parameters: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return ((name, json.dumps(value)) for name, value in parameters.items())
