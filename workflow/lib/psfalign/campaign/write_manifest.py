"""Write a manifest of the inputs of a configuration, or of all files in folders."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ..errors import ConfigError, InputError, PsfalignError
from ..images.arrays import Convention
from ..psfmask.catalogue import list_references
from .associations import read_association, read_json
from .checks import inspect_campaign
from .configuration import read_settings
from .exposures import plan_exposures
from .facts import FactsStore
from .manifest import Facts, publish_manifest, read_manifest
from .survey.files import find_files, is_json
from .survey.remarks import Remarks

YAML = (".yaml", ".yml")
CONVENTIONS = ("auto", *get_args(Convention))


def write_manifest(
    places: Sequence[Path], output: Path, facts: FactsStore, *, address: str = ""
) -> tuple[int, Remarks]:
    """
    Write a manifest of inputs.

    Parameters
    ----------
    places
        Configurations, whose inputs are listed; or folders and files, of which all possible inputs
        are listed.
    output
        The file to write; an existing manifest is replaced.
    facts
        The facts about the files.
    address
        See `psfalign.campaign.manifest.Manifest`.

    Returns
    -------
    n_files
        Number of files in the manifest.
    remarks
        The files that are left out, with the reasons.

    Raises
    ------
    PsfalignError
        For the first mistake in a configuration or in one of its files.
    """
    _check_output(output)
    remarks = Remarks()
    folders = [place for place in places if place.suffix.lower() not in YAML]
    inputs = [path for place in places if place not in folders for path in _of_config(place, facts)]
    inputs += _of_folders(folders, facts, remarks) if folders else []
    files = {str(path): _describe(path, facts) for path in dict.fromkeys(inputs)}
    facts.save()
    if not files:
        problem = "there is no exposure, mask or association"
        raise ConfigError(problem, file=", ".join(map(str, places)), remedy="name other folders")
    _check_address(address, files)
    publish_manifest(output, files, address=address)
    return len(files), remarks


def _check_output(output: Path) -> None:
    """Raise `ConfigError` if the output is a file other than a manifest."""
    if not output.exists():
        return
    try:
        read_manifest(output)
    except InputError as error:
        if error.keyword != "format" and "changed" not in error.problem:
            problem, remedy = "exists and is not a manifest", "name another with --output"
            raise InputError(problem, file=output, remedy=remedy) from error


def _check_address(address: str, files: Iterable[str]) -> None:
    if not address:
        return
    if "://" not in address:
        problem, remedy = "is not an address", "write one such as s3://bucket/folder"
        raise ConfigError(problem, keyword="--address", value=address, remedy=remedy)
    outside = next((name for name in files if name.startswith(("..", "/"))), None)
    if outside:
        problem = f"{outside} is not below the working directory, so it has no place below it"
        remedy = "run psfalign manifest where all inputs lie, and name them from there"
        raise ConfigError(problem, keyword="--address", value=address, remedy=remedy)


def _of_config(path: Path, facts: FactsStore) -> Iterator[Path]:
    """List the inputs of a configuration, and check them as a run does."""
    settings = replace(read_settings(path), manifest=None)
    exposures = plan_exposures(settings)
    findings = inspect_campaign(settings, exposures, facts)
    if findings.errors:
        raise findings.errors[0]
    yield from settings.associations
    for exposure in exposures:
        yield from (path for path in exposure.inputs if not facts.is_made_first(path))
    references = list_references(map(str, settings.psfmask.references))
    masks = [] if settings.psfmask.crds else [*findings.masks.values(), references]
    yield from (path for paths in masks for path in paths if not facts.is_made_first(path))


def _of_folders(places: Sequence[Path], facts: FactsStore, remarks: Remarks) -> Iterator[Path]:
    """List what can be an input below folders; find out how masks serve the exposures there."""
    places_of_stars: dict[tuple[float, float] | None, None] = {None: None}
    masks = []
    for path in find_files(places, remarks):
        try:
            if is_json(path):
                read_association(path)
            elif _is_mask(path, facts):
                masks.append(path)
            else:
                occulter = facts.exposure(path)["occulter"]
                places_of_stars[tuple(occulter) if occulter else None] = None
                if facts.exposure(path)["marks"].get("INSTRUME") == "MIRI":
                    facts.background(path)
        except PsfalignError as error:
            remarks.leave_out(path, error)
            continue
        yield path
    for mask in masks:
        for convention in CONVENTIONS:
            for place in places_of_stars:
                with suppress(PsfalignError):  # said when planning asks for it
                    facts.check_weight(mask, convention=convention, occulter=place)


def _is_mask(path: Path, facts: FactsStore) -> bool:
    try:
        facts.named_mask(path)
    except PsfalignError:
        return False
    with suppress(PsfalignError):  # lacks a keyword; it can still be named outright
        facts.mask(path)
    return True


def _describe(path: Path, facts: FactsStore) -> Facts:
    """Return all facts about a file, and its digest."""
    facts.digest(path)
    known = facts.describe(path)
    return known | ({"association": read_json(path)} if is_json(path) else {})
