"""Check all files of a campaign, and choose the masks, before any job runs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError, PsfalignError
from ..files.agreement import Party, check_agreement, force
from ..files.subtracted import stage_names
from ..images.bad_pixels import check_box
from ..psfmask.catalogue import Catalogue, MaskEntry, list_references, no_start, select
from ..psfmask.resolved import NO_FILE
from .advice import list_advice
from .associations import check_member
from .combining import check_star
from .configuration import WILDCARD
from .crds import CrdsChoice, choose_with_crds
from .doubts import list_doubts
from .exclusion import check_circles, check_common_circles
from .exposures import ScienceExposure, list_warnings
from .facts import FactsStore, entry_of
from .output_folder import check_inputs_apart, check_output, check_space, expected_sizes
from .settings import Settings, SubtractionOptions

Masks = dict[str, list[Path]]


@dataclass(frozen=True)
class Findings:
    """
    The result of checking the files of a campaign before any job runs.

    Attributes
    ----------
    crds
        The choices of CRDS, by the name of the exposure.
    masks
        The candidates for the mask of each exposure, by its name.
    errors
        The errors that were found; no job runs until the user has corrected them.
    warnings
        Doubtful inputs, and members of associations that are not used.
    """

    crds: dict[str, CrdsChoice]
    masks: Masks
    errors: list[PsfalignError]
    warnings: list[str]


def inspect_campaign(
    settings: Settings,
    exposures: Collection[ScienceExposure],
    facts: FactsStore,
    *,
    in_storage: bool = False,
) -> Findings:
    """
    Choose the masks, check all files and the output directory, and digest the inputs.

    Parameters
    ----------
    settings, exposures
        The configuration and its exposures.
    facts
        The facts about the files.
    in_storage
        Whether results go to a storage of Snakemake, so that there is no output directory.
    """
    crds, errors = choose_with_crds(settings, exposures, facts)
    masks, more = choose_masks(settings, exposures, facts, chosen=crds)
    errors = [*errors, *more]
    if in_storage and settings.psfmask.crds:
        errors.append(_cache_in_storage())
    errors += check_campaign(settings, exposures, masks, facts, in_storage=in_storage)
    if not errors:
        for exposure in exposures:
            for path in (*exposure.inputs, *masks[exposure.name]):
                if not facts.is_made_first(path):
                    facts.digest(path)
        errors = check_different(exposures, facts)
    warnings = list_warnings(settings)
    warnings += list_advice(exposures, facts)
    warnings += list_doubts(exposures, facts)
    facts.save()
    return Findings(crds, masks, errors, warnings)


def choose_masks(
    settings: Settings,
    exposures: Iterable[ScienceExposure],
    facts: FactsStore,
    *,
    chosen: Mapping[str, CrdsChoice] | None = None,
) -> tuple[Masks, list[PsfalignError]]:
    """
    Choose the mask of each exposure before any job runs.

    A job then depends only on its own mask, not on all masks of the campaign.

    Parameters
    ----------
    settings, exposures
        The configuration and its exposures.
    facts
        The facts about the files.
    chosen
        The choices of CRDS, see `psfalign.campaign.crds`. With ``psfmask.crds``, they are the only
        source of masks.

    Returns
    -------
    The candidates of each exposure by name, and the errors that were found.
    """
    masks: Masks = {}
    errors: list[PsfalignError] = []
    try:
        references = _references(settings, facts)
    except PsfalignError as error:
        return {exposure.name: [] for exposure in exposures}, [error]
    entries: list[MaskEntry] = []
    for path in references:
        try:
            entries.append(entry_of(path, facts.mask(path)))
        except PsfalignError as error:
            errors.append(error)
    if errors:
        return {exposure.name: [] for exposure in exposures}, errors
    catalogue = Catalogue(entries)
    # The masks of the demo do not exist yet, so each of them is a candidate.
    made = [path for path in map(Path, facts.made_first) if path.name.startswith("psfmask")]
    for exposure in exposures:
        masks[exposure.name] = []
        if exposure.psfmask is not None:
            named = exposure.psfmask not in NO_FILE
            masks[exposure.name] = [Path(exposure.psfmask)] if named else []
        elif settings.psfmask.crds:
            choice = (chosen or {}).get(exposure.name)
            masks[exposure.name] = choice.files if choice else []
        elif facts.is_made_first(exposure.science):
            masks[exposure.name] = made
        else:
            try:
                _check_members(exposure, facts)
                known = facts.exposure(exposure.science)
                start = _start(known, exposure.science)
                selection = select(catalogue, known["marks"], start, exposure.science)
                masks[exposure.name] = [selection.entry.path]
            except PsfalignError as error:
                errors.append(error)
    return masks, errors


def check_campaign(
    settings: Settings,
    exposures: Iterable[ScienceExposure],
    masks: Masks,
    facts: FactsStore,
    *,
    in_storage: bool = False,
) -> list[PsfalignError]:
    """Return the errors in the files and the output directory, each only once."""
    errors: list[PsfalignError] = []
    given = [exposure for exposure in exposures if not facts.is_made_first(exposure.science)]
    for exposure in given:
        try:
            check_exposure(settings, exposure, masks[exposure.name], facts)
        except PsfalignError as error:
            errors.append(error)
    try:
        if not errors:
            check_common_circles(settings, given, facts)
        output, align_to = settings.output_dir, settings.align_refs.align_to
        if in_storage:
            check_inputs_apart(output, exposures)
        else:
            check_output(output, exposures)
        if not (errors or in_storage):
            keep = settings.keep_intermediates
            sizes = expected_sizes(
                output,
                given,
                masks,
                facts,
                align_to=align_to,
                keep_intermediates=keep,
                n_stages=_count_stages(settings.psf_subtraction),
            )
            check_space(output, sizes)
    except PsfalignError as error:
        errors.append(error)
    return list({str(error): error for error in errors}.values())


def _count_stages(subtraction: SubtractionOptions) -> int:
    """Return the largest number of stages that an integration is stored in."""
    return 0 if subtraction.method == "none" else len(stage_names(list(subtraction.modes)))


def check_exposure(
    settings: Settings, exposure: ScienceExposure, masks: list[Path], facts: FactsStore
) -> None:
    """Refuse an exposure whose files cannot be used, or do not agree."""
    check_characters([*exposure.inputs, *masks])
    _check_members(exposure, facts)
    science = facts.exposure(exposure.science)
    parties = [Party("science", exposure.science, science["shape"], science["marks"])]
    for member in exposure.stack.members:
        psf = facts.exposure(member)
        parties.append(Party("psf", member, psf["shape"], psf["marks"]))
    for path in masks:
        mask = facts.named_mask(path)
        party = Party("psfmask", path, mask["shape"], mask["selectors"])
        named = exposure.psfmask is not None
        parties.append(force(parties[0], party)[0] if named else party)
    check_agreement(parties)
    for path in masks:
        occulter = tuple(science["occulter"]) if science["occulter"] else None
        convention = settings.psfmask.convention
        facts.check_weight(path, convention=convention, occulter=occulter)
    check_box(settings.align_refs.median_box_length, science["shape"])
    check_star(settings.psf_subtraction, exposure.science, science["shape"])
    check_circles(settings, exposure, facts)


def check_different(exposures: Iterable[ScienceExposure], facts: FactsStore) -> list[PsfalignError]:
    """
    Return an error for each psf exposure that is listed twice.

    KLIP cannot invert the covariance of equal images.
    """
    errors: list[PsfalignError] = []
    for stack in {exposure.stack.name: exposure.stack for exposure in exposures}.values():
        first: dict[str, Path] = {}
        for member in (path for path in stack.members if not facts.is_made_first(path)):
            other = first.setdefault(facts.digest(member), member)
            if other is not member:
                problem, remedy = f"has the same content as {other}", "list each psf exposure once"
                errors.append(InputError(problem, file=member, remedy=remedy))
    return errors


def _check_members(exposure: ScienceExposure, facts: FactsStore) -> None:
    if exposure.association:
        members = (exposure.science, *exposure.stack.members)
        for member in (path for path in members if path not in facts.manifest):
            check_member(member, exposure.association)


def check_characters(paths: Iterable[Path]) -> None:
    """Refuse a path that Snakemake would interpret as a pattern."""
    for path in paths:
        if not set(WILDCARD).isdisjoint(str(path)):
            problem = f"Snakemake does not accept {' '.join(WILDCARD)} in a path"
            raise InputError(problem, file=path, remedy="rename the file or folder")


def _references(settings: Settings, facts: FactsStore) -> list[Path]:
    """List the masks in the manifest or on the disk, without those that the demo makes."""
    made = {Path(name).parent for name in facts.made_first}
    found: dict[Path, None] = {}
    for reference in (path for path in settings.psfmask.references if path not in made):
        paths = facts.manifest.matching(reference) or list_references([str(reference)])
        found.update(dict.fromkeys(paths))
    return list(found)


def _cache_in_storage() -> ConfigError:
    return ConfigError(
        "chooses files of a cache on this machine, which jobs would look for in the storage",
        keyword="psfmask.crds",
        remedy="put the masks into the storage, and name them in psfmask.references",
    )


def _start(known: dict[str, Any], path: Path) -> datetime:
    if not known["start"]:
        raise no_start(path)
    return datetime.fromisoformat(known["start"])
