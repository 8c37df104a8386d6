"""Ask CRDS for the mask of each exposure, and store the answers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import errors as kinds
from ..errors import ConfigError, InputError, PsfalignError
from ..files.provenance.code import code_digest
from ..files.selectors import SELECTORS, check_selectors
from ..psfmask import crds_process
from ..psfmask.catalogue import no_start
from ..psfmask.resolved import NOT_APPLICABLE
from ..system.process import found_first
from .exposures import ScienceExposure
from .facts import FactsStore
from .settings import Settings

LIBRARY = Path(__file__).parents[2]
PACKAGES = ("crds", "stdatamodels")  # crds imports the latter only when it is used
SERVER_CONFIG = Path("config/jwst/server_config")
MAPPINGS = Path("mappings/jwst")

Json = dict[str, Any]


@dataclass(frozen=True)
class CrdsChoice:
    """
    The choice of CRDS for an exposure.

    Attributes
    ----------
    psfmask
        Path of the mask, or ``N/A`` if the exposure is not aligned.
    context, rules
        The .pmap, and the mapping in it that decided.
    """

    psfmask: str
    context: str
    rules: str

    @property
    def reason(self) -> str:
        """The rules that chose it, in words."""
        return f"CRDS {self.context}, {self.rules}"

    @property
    def files(self) -> list[Path]:
        """The mask, or nothing."""
        return [] if self.psfmask == NOT_APPLICABLE else [Path(self.psfmask)]


Choices = dict[str, CrdsChoice]


def choose_with_crds(
    settings: Settings,
    exposures: Iterable[ScienceExposure],
    facts: FactsStore,
) -> tuple[Choices, list[PsfalignError]]:
    """
    Ask a CRDS cache for the mask of each exposure that names none.

    crds is started once, and only if an exposure, the context, or a file of the cache that an
    answer used has changed since the answer was stored.

    Parameters
    ----------
    settings, exposures
        The configuration and its exposures.
    facts
        What is known of the files.

    Returns
    -------
    The choices by name of the exposure, none at all without ``psfmask.crds``, and what is wrong.
    """
    source = settings.psfmask.crds
    asking = [exposure for exposure in exposures if exposure.psfmask is None]
    if not source or not asking:
        return {}, []
    cache, context = source.path, source.context
    try:
        _check_cache(cache, context)
        library = " ".join(f"{name} {_version_of(name)}" for name in PACKAGES)
    except PsfalignError as error:
        return {}, [error]
    requests, errors = _requests(asking, facts)
    try:
        answers = _answers(cache, context, library, requests, facts)
    except PsfalignError as error:
        return {}, [*errors, error]
    choices: Choices = {}
    for name, answer in answers.items():
        try:
            choices[name] = _choice(answer, context)
        except PsfalignError as error:
            errors.append(error)
    return choices, errors


def _check_cache(cache: Path, context: str) -> None:
    """Raise `ConfigError` if a folder is not a cache, or lacks a file that crds needs."""
    mappings = cache / MAPPINGS
    if not mappings.is_dir():
        raise ConfigError(
            f"is not a CRDS cache: it has no folder {MAPPINGS}",
            keyword="psfmask.crds.path",
            value=cache,
            remedy="name the folder that CRDS_PATH names for crds",
        )
    if not (mappings / context).is_file():
        there = sorted(path.name for path in mappings.glob("*.pmap"))
        raise ConfigError(
            f"is not in the cache {cache}, which has {', '.join(there[-3:]) or 'none'}",
            keyword="psfmask.crds.context",
            value=context,
            remedy=f"name another, or fetch it: crds sync --contexts {context}",
        )
    if not (cache / SERVER_CONFIG).is_file():
        raise InputError(
            "no such file; crds does not work offline without it",
            file=cache / SERVER_CONFIG,
            remedy=f"fetch it: crds sync --contexts {context}",
        )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ConfigError(
            f"needs the package {package}, which is not installed",
            keyword="psfmask.crds",
            remedy=f"run {sys.executable} -m pip install {' '.join(PACKAGES)}",
        ) from error


def _requests(
    exposures: Iterable[ScienceExposure], facts: FactsStore
) -> tuple[dict[str, Json], list[PsfalignError]]:
    """Return the file and the header of each exposure, as crds needs them."""
    requests: dict[str, Json] = {}
    errors: list[PsfalignError] = []
    for exposure in exposures:
        try:
            if facts.is_made_first(exposure.science):
                raise InputError(
                    "CRDS has no mask for the exposures of the demo",
                    file=exposure.science,
                    remedy="name psfmask.references instead of psfmask.crds",
                )
            requests[exposure.name] = _request(exposure.science, facts)
        except PsfalignError as error:
            errors.append(error)
    return requests, errors


def _request(science: Path, facts: FactsStore) -> Json:
    known = facts.exposure(science)
    check_selectors(known["marks"], science)
    if not known["start"]:
        raise no_start(science)
    header = {keyword: known["marks"][keyword] for keyword in SELECTORS}
    header["DATE-OBS"], header["TIME-OBS"] = known["start"].split("T")
    return {"file": str(science), "header": header}


def _answers(
    cache: Path, context: str, library: str, requests: dict[str, Json], facts: FactsStore
) -> dict[str, Json]:
    """Return the answer for each exposure, remembered or new, with paths below the cache."""
    pmap = cache / MAPPINGS / context
    code = code_digest(Path(crds_process.__file__)), code_digest(Path(__file__))
    keys = {
        name: json.dumps(["crds", library, code, os.fspath(cache), request["header"]])
        for name, request in requests.items()
    }
    answers = {name: facts.recall(pmap, key) for name, key in keys.items()}
    digests: dict[str, str] = {}
    asked = [name for name in answers if not _still_holds(answers[name], facts, digests)]
    new = ask([requests[name] for name in asked], cache, context) if asked else []
    for name, answer in zip(asked, new, strict=True):
        answers[name] = answer
        if "error" not in answer:
            answer["read"] = {path: facts.digest(Path(path)) for path in answer["read"]}
            facts.remember(pmap, keys[name], answer)
    return answers


def _still_holds(answer: Json | None, facts: FactsStore, digests: dict[str, str]) -> bool:
    """Return whether the files behind an answer are unchanged, and the mask exists."""
    if answer is None:
        return False
    try:
        for path in answer["read"]:
            digests[path] = digests.get(path) or facts.digest(Path(path))
    except InputError:
        return False
    same = all(digests[path] == digest for path, digest in answer["read"].items())
    return same and (answer["reference"] == NOT_APPLICABLE or Path(answer["reference"]).exists())


def ask(requests: list[Json], cache: Path, context: str) -> list[Json]:
    """
    Start crds in a separate process, and ask it for the masks of all exposures.

    Parameters
    ----------
    requests
        ``file`` and ``header`` of each exposure.
    cache, context
        The folder of the cache, and the .pmap.

    Returns
    -------
    For each exposure the answer of `psfalign.psfmask.crds_process`, with paths as the cache was
    named, or the error.

    Raises
    ------
    InputError
        If crds gave no answer.
    """
    root = cache.absolute()
    result = subprocess.run(
        [sys.executable, "-P", "-m", "psfalign.psfmask.crds_process"],
        input=json.dumps({"context": context, "exposures": requests}),
        env=environment(root, context),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"crds ended with {result.returncode}: {last}",
            file=cache,
            keyword="psfmask.crds.path",
            remedy="check the installation of crds and stdatamodels, and the cache",
        )
    answers: list[Json] = json.loads(result.stdout)
    for answer in answers:
        if "error" in answer:
            answer["file"] = _below(answer["file"], root, cache)
        else:
            answer["reference"] = _below(answer["reference"], root, cache)
            answer["read"] = [_below(path, root, cache) for path in answer["read"]]
    return answers


def environment(root: Path, context: str) -> dict[str, str]:
    """Return the environment of the caller without the variables that would redirect crds."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CRDS_")}
    return own | {
        "CRDS_PATH": str(root),
        "CRDS_CONTEXT": context,
        "CRDS_MODE": "local",
        "CRDS_READONLY_CACHE": "1",
        "CRDS_INI_FILE": "",  # ~/.crds.ini could say otherwise
        **found_first(LIBRARY),
    }


def _below(path: str, root: Path, cache: Path) -> str:
    """Return a path in the cache, spelled as the configuration spells the cache."""
    inside = path != NOT_APPLICABLE and Path(path).is_relative_to(root)
    return str(cache / Path(path).relative_to(root)) if inside else path


def _choice(answer: Json, context: str) -> CrdsChoice:
    if "error" in answer:
        kind = getattr(kinds, answer["error"])
        details = {key: answer[key] for key in ("file", "keyword", "value", "remedy")}
        raise kind(answer["problem"], **details)
    reference = answer["reference"]
    if reference != NOT_APPLICABLE and not Path(reference).exists():
        raise InputError(
            f"CRDS {context}, {answer['rules']} chose it, but it is not in the cache",
            file=reference,
            remedy=f"fetch it: crds sync --files {Path(reference).name}",
        )
    return CrdsChoice(reference, context, answer["rules"])
