"""Find what a folder holds for a campaign: associations or exposures, and masks."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ConfigError, InputError, PsfalignError
from ..files.exposure import Exposure
from ..files.fits.structure import scan, text_of
from ..files.selectors import SELECTORS, read_selectors
from ..psfmask.catalogue import list_references, read_entry
from .checks import check_exposure, choose_masks
from .configuration import complete_config
from .exposures import CALINTS, ScienceExposure, plan_exposures
from .facts import FactsStore

ASSOCIATION = "_asn.json"
FIRST_CANDIDATE = 3001  # of candidates that are no observation's: a3001, a3002 and so on
TARGET_ACQUISITIONS = ("_TACQ", "_TACONFIRM")  # ends of EXP_TYPE


Roles: TypeAlias = dict[str, tuple[list[Path], list[Path]]]  # science and psfs by group


@dataclass(frozen=True)
class Group:
    """Exposures of the same instrument, filter, coronagraph, subarray and detector."""

    title: str
    science: tuple[Path, ...]
    psfs: tuple[Path, ...]


@dataclass(frozen=True)
class Survey:
    """
    What a campaign can be made of.

    Attributes
    ----------
    associations
        Level-3 coronagraphic associations.
    groups
        Exposures grouped by their headers, where there are no associations.
    references
        The catalogue of masks: folders that hold nothing else, and files.
    left_out
        What cannot be used, and why: a line each.
    """

    associations: list[Path]
    groups: list[Group]
    references: list[Path]
    left_out: list[str]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that it makes."""
        return {
            "output_dir": "results",
            "associations": list(map(str, self.associations)),
            "exposures": [
                entry
                for asn_id, group in candidates(self.groups)
                for entry in entries_of(asn_id, group)
            ],
            "psfmask": {"references": list(map(str, self.references))},
        }


def survey_folder(folder: Path, mask_folders: Sequence[Path] = ()) -> Survey:
    """
    Look through a folder and the folders in it; headers alone are read.

    Associations that can be used are taken as they are. Only where there is none, exposures are
    grouped by their headers: every science exposure gets all psf exposures of its group.

    Raises
    ------
    ConfigError
        If a folder is none, or results would have the same name.
    """
    for place in (folder, *mask_folders):
        if not place.is_dir():
            raise ConfigError("is no folder", file=place, remedy="name the folder of the files")
    left_out: list[str] = []
    references = _find_masks((folder, *mask_folders), left_out)
    associations = _find_associations(folder, references, left_out)
    groups = [] if associations else _find_groups(folder, references, left_out)
    return Survey(associations, groups, references, left_out)


def candidates(groups: Iterable[Group]) -> Iterator[tuple[str, Group]]:
    """Return each group the association candidate that its results are named after."""
    for number, group in enumerate(groups, start=FIRST_CANDIDATE):
        yield f"a{number}", group


def entries_of(asn_id: str, group: Group) -> list[dict[str, Any]]:
    """Return the entries of ``exposures`` that a group makes."""
    return [
        {"science": str(science), "psfs": list(map(str, group.psfs)), "asn_id": asn_id}
        for science in group.science
    ]


def _find_associations(folder: Path, references: list[Path], left_out: list[str]) -> list[Path]:
    """List usable associations; of those that make the same results, the last by name."""
    made: dict[str, Path] = {}
    for path in sorted(folder.rglob(f"*{ASSOCIATION}"), reverse=True):
        try:
            exposures = plan_exposures(complete_config({"associations": [str(path)]}))
        except PsfalignError as error:
            left_out.append(str(error))
            continue
        same = [exposure.name for exposure in exposures if exposure.name in made]
        if same:
            left_out.append(f"{path}: {same[0]} is made from {made[same[0]]}")
        else:
            made.update((exposure.name, path) for exposure in exposures)
    mistakes = _find_mistakes(Survey(sorted(set(made.values())), [], references, left_out))
    bad = {made[exposure.name]: line for exposure, line in mistakes}
    left_out += [f"{path}: {line}" for path, line in bad.items()]
    return sorted(set(made.values()) - set(bad))


def _find_groups(folder: Path, references: list[Path], left_out: list[str]) -> list[Group]:
    """Group usable exposures."""
    groups = _group(_sort_by_role(folder, left_out), left_out)
    mistakes = _find_mistakes(Survey([], groups, references, left_out))
    left_out += [line for _, line in mistakes]
    bad = {exposure.science for exposure, _ in mistakes}
    kept = [(group, tuple(path for path in group.science if path not in bad)) for group in groups]
    return [Group(group.title, science, group.psfs) for group, science in kept if science]


def _sort_by_role(folder: Path, left_out: list[str]) -> Roles:
    """Sort exposures by group and role; a copy of a file counts once."""
    roles: Roles = {}
    known: dict[str, Path] = {}
    for path in sorted(folder.rglob(f"*{CALINTS}")):
        first = known.setdefault(path.name, path)
        if first is not path:
            left_out.append(f"{path}: {first} has the same name")
            continue
        try:
            title, is_psf = _classify(path)
        except PsfalignError as error:
            left_out.append(str(error))
        else:
            roles.setdefault(title, ([], []))[is_psf].append(path)
    return roles


def _group(roles: Roles, left_out: list[str]) -> list[Group]:
    """Make groups of what has both science and psf exposures."""
    groups = []
    for title, (science, psfs) in sorted(roles.items()):
        if science and psfs:
            groups.append(Group(title, tuple(science), tuple(psfs)))
        else:
            lacking = "science exposure" if psfs else "reference star"
            left_out += [f"{path}: no {lacking} with {title}" for path in science or psfs]
    return groups


def _classify(path: Path) -> tuple[str, bool]:
    """Say which group an exposure belongs to, and whether it is one of a reference star."""
    header = Exposure(path).primary
    kind = text_of(header, "EXP_TYPE").upper()
    if kind.endswith(TARGET_ACQUISITIONS):
        raise InputError("is a target acquisition", file=path, keyword="EXP_TYPE", value=kind)
    if header.get("BKGDTARG") is True:
        raise InputError("is a background", file=path, keyword="BKGDTARG", value=True)
    selectors = read_selectors(header)
    for keyword in SELECTORS:
        if keyword not in selectors:
            problem = "missing or blank; is it coronagraphic?"
            raise InputError(problem, file=path, keyword=keyword)
    if not isinstance(header.get("IS_PSF"), bool):
        problem, remedy = "is not T or F", "say in the configuration whether it is science or psf"
        value = text_of(header, "IS_PSF") or "(missing)"
        raise InputError(problem, file=path, keyword="IS_PSF", value=value, remedy=remedy)
    # Two detectors may see the same subarray, FULL for one, but not the same star.
    words = (*(selectors[keyword] for keyword in SELECTORS), text_of(header, "DETECTOR"))
    return " ".join(filter(None, words)), header["IS_PSF"]


def _find_masks(folders: Iterable[Path], left_out: list[str]) -> list[Path]:
    """List the masks: the folder where it holds nothing else, otherwise the files."""
    masks: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*.fits"))):
        real = os.path.realpath(path)
        if path.name.endswith(CALINTS) or real in masks:
            continue
        try:
            if text_of(scan(path)[0].header, "REFTYPE").upper() == "PSFMASK":
                read_entry(path)
                masks[real] = path
        except PsfalignError as error:
            left_out.append(str(error))
    found = set(masks.values())
    pure = {path.parent for path in found if found.issuperset(list_references([str(path.parent)]))}
    return sorted({path.parent if path.parent in pure else path for path in found})


def _find_mistakes(survey: Survey) -> list[tuple[ScienceExposure, str]]:
    """List the exposures that would be refused before anything runs, and why."""
    if not (survey.associations or survey.groups):
        return []
    settings = complete_config(survey.config)
    exposures = plan_exposures(settings)
    facts = FactsStore(Path(os.devnull))  # remembers nothing
    masks, errors = choose_masks(settings, exposures, facts)
    # Without any mask the user has to name some; that is no mistake of an exposure.
    maskless = {str(error.file): str(error) for error in errors if survey.references}
    mistakes = []
    for exposure in exposures:
        try:
            check_exposure(settings, exposure, masks[exposure.name], facts)
            mistake = maskless.get(str(exposure.science))
        except PsfalignError as error:
            mistake = str(error)
        if mistake:
            mistakes.append((exposure, mistake))
    return mistakes
