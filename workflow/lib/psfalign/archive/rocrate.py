"""Describe a campaign in the metadata of a Workflow Run RO-Crate."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..files.provenance.records import Record, Records, inputs_of
from .checkout import Commit

Entity = dict[str, Any]

CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
WORKFLOW_RUN = "https://w3id.org/ro/wfrun/workflow/0.5"
PROFILES = {
    PROCESS_RUN: ("Process Run Crate", "0.5"),
    WORKFLOW_RUN: ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
TYPES = {
    "fits": "application/fits",
    "json": "application/json",
    "ecsv": "text/plain",
    "tar": "application/x-tar",
}
SHORT = 16  # hexadecimal digits of a name, so that no two settings of a campaign share one
METADATA, CODE, CONFIGURATION = "ro-crate-metadata.json", "workflow.tar", "configuration.json"


@dataclass(frozen=True)
class CrateFile:
    """
    A file of the crate.

    Attributes
    ----------
    path
        Its path relative to the crate.
    sha256, size
        Its checksum, and its size in bytes.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Run:
    """
    The run that made the product of one exposure.

    Attributes
    ----------
    exposure
        Name of the exposure.
    records
        The provenance records of the product.
    files
        The product, and the other files of the exposure.
    time
        The time at which it was finished, ISO 8601.
    by_this_code
        Whether the code of the checkout made it.
    """

    exposure: str
    records: Records
    files: Sequence[CrateFile]
    time: str
    by_this_code: bool


def describe_campaign(
    runs: Sequence[Run],
    own: Sequence[CrateFile],
    others: Sequence[CrateFile],
    *,
    time: str,
    commit: Commit | None,
    missing: Sequence[str],
) -> str:
    """
    Describe a campaign in JSON-LD.

    Parameters
    ----------
    runs
        The exposures that have a product.
    own
        The code and the configuration.
    others
        Files that several exposures share.
    time
        The time at which the last of them was finished.
    commit
        The commit of the checkout, if it is known.
    missing
        Exposures without a product.
    """
    entities: dict[str, Entity] = {}
    for entity in _entities(runs, own, others, time, commit, missing):
        entities.setdefault(entity["@id"], entity)
    graph = {"@context": CONTEXT, "@graph": list(entities.values())}
    return json.dumps(graph, indent=1, ensure_ascii=False) + "\n"


def _entities(
    runs: Sequence[Run],
    own: Sequence[CrateFile],
    others: Sequence[CrateFile],
    time: str,
    commit: Commit | None,
    missing: Sequence[str],
) -> Iterator[Entity]:
    yield {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _link("./"),
        "conformsTo": _links((CRATE, WORKFLOW_CRATE)),
    }
    inputs = {_input_id(entry): entry for run in runs for entry in inputs_of(run.records)}
    profiles = _profiles(runs)
    files = [*own, *others, *(file for run in runs for file in run.files)]
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": "psfalign campaign",
        "description": _summary(runs, missing),
        "datePublished": time,
        "license": _link("#terms"),
        "conformsTo": _links(profiles),
        "mainEntity": _link(CODE),
        "hasPart": _links([*(file.path for file in files), *inputs]),
        "mentions": _links(_run_id(run) for run in runs),
    }
    yield {
        "@id": "#terms",
        "@type": "CreativeWork",
        "name": "Terms of the observations",
        "description": "What is derived from observations follows their terms; psfalign adds none.",
    }
    for profile in profiles:
        name, version = PROFILES[profile]
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    yield from _workflow(own[0], runs, commit)
    yield from map(_file, [*own[1:], *others])
    for name, entry in inputs.items():
        kind = TYPES["json" if entry.name.endswith(".json") else "fits"]
        yield {
            "@id": name,
            "@type": "File",
            "name": entry.name,
            "encodingFormat": kind,
            "sha256": entry.value,
        }
    for run in runs:
        yield from _run(run)


def _profiles(runs: Sequence[Run]) -> list[str]:
    """Return the profiles of the crate, which depend on whether the code in it made the runs."""
    profiles = [WORKFLOW_CRATE]
    if runs:
        profiles.insert(0, PROCESS_RUN)
    if any(run.by_this_code for run in runs):
        profiles.insert(1, WORKFLOW_RUN)
    return profiles


def listed_digests(text: str) -> dict[str, str]:
    """
    Return the SHA-256 of the files that lie in a crate, by their paths in it.

    Raises
    ------
    ValueError, LookupError, TypeError, AttributeError
        If the text does not describe a crate.
    """
    graph = json.loads(text)["@graph"]
    files = {entity["@id"]: entity["sha256"] for entity in graph if "sha256" in entity}
    return {path: digest for path, digest in files.items() if ":" not in path}


def _summary(runs: Sequence[Run], missing: Sequence[str]) -> str:
    text = (
        "JWST coronagraphic PSF images aligned to science exposures, by psfalign. "
        f"{len(runs)} of {len(runs) + len(missing)} exposures have a product."
    )
    return text if not missing else f"{text} Without one: {', '.join(missing)}."


def _workflow(code: CrateFile, runs: Sequence[Run], commit: Commit | None) -> Iterator[Entity]:
    software = sorted({_software(e) for run in runs for e in run.records if e.kind == "software"})
    needed = [entry for entry in software if entry[0] != "psfalign"]
    workflow = _file(code) | {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "psfalign",
        "description": "The Snakemake workflow with its library, packed; Snakefile is its start.",
        "version": __version__,
        "programmingLanguage": _link(SNAKEMAKE),
        "softwareRequirements": _links(f"#{name}-{version}" for name, version in needed),
    }
    if commit:
        workflow["identifier"] = _link("#commit")
        state = ", with changes that are not in it" if commit.is_modified else ""
        yield {
            "@id": "#commit",
            "@type": "PropertyValue",
            "name": f"git commit of the checkout{state}",
            "propertyID": "git",
            "value": commit.name,
        }
    yield workflow
    yield {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": _link("https://snakemake.readthedocs.io"),
        "url": _link("https://snakemake.readthedocs.io"),
    }
    for name, version in needed:
        yield {
            "@id": f"#{name}-{version}",
            "@type": "SoftwareApplication",
            "name": name,
            "version": version,
        }


def _software(entry: Record) -> tuple[str, str]:
    return entry.name, entry.value


def _run(run: Run) -> Iterator[Entity]:
    """Describe the run that made a product: its inputs, its settings and its files."""
    settings = [entry for entry in run.records if entry.kind in ("parameter", "mask")]
    inputs = dict.fromkeys(map(_input_id, inputs_of(run.records)))
    product = run.files[0]
    instrument = CODE if run.by_this_code else f"#code-{run.exposure}"
    if not run.by_this_code:
        version = next(e.value for e in run.records if (e.kind, e.name) == ("software", "psfalign"))
        yield {
            "@id": instrument,
            "@type": "SoftwareApplication",
            "name": "psfalign",
            "version": version,
            "description": f"Other code than {CODE}: {_list_code(run.records)}",
        }
    yield {
        "@id": _run_id(run),
        "@type": "CreateAction",
        "name": f"Alignment of {run.exposure}",
        "description": f"Code of the steps, SHA-256: {_list_code(run.records)}",
        "instrument": _link(instrument),
        "object": _links([*inputs, CONFIGURATION, *map(_setting_id, settings)]),
        "result": _links(file.path for file in run.files),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "endTime": run.time,
    }
    yield _file(product) | {"dateModified": run.time}
    yield from map(_file, run.files[1:])
    for entry in settings:
        yield {
            "@id": _setting_id(entry),
            "@type": "PropertyValue",
            "name": f"{entry.step} {entry.name}",
            "value": entry.value,
        }


def _list_code(records: Records) -> str:
    codes = {entry.step: entry.value for entry in records if entry.kind == "code"}
    return ", ".join(f"{step} {digest}" for step, digest in codes.items())


def _file(file: CrateFile) -> Entity:
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.path.rpartition("/")[2],
        "encodingFormat": TYPES.get(file.path.rpartition(".")[2], "application/octet-stream"),
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }


def _run_id(run: Run) -> str:
    return f"#run-{run.exposure}"


def _setting_id(entry: Record) -> str:
    digest = hashlib.sha256(json.dumps(entry).encode()).hexdigest()
    return f"#setting-{digest[:SHORT]}"


def _input_id(entry: Record) -> str:
    """Return an identifier of a file by its content (RFC 6920), without its path."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(entry.value)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"


def _link(name: str) -> Entity:
    return {"@id": name}


def _links(names: Iterable[str]) -> list[Entity]:
    return [_link(name) for name in names]
