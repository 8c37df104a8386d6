"""Find the exposures of a campaign in the files of folders."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..advice import list_advice
from ..associations import Association
from ..doubts import list_doubts
from ..facts import FactsStore
from ..roles import BY_HAND
from ..words import plural
from .adopted import Adopted, Members, adopt, read_associations, without_repetition
from .entries import Entry, keep_usable, make_entries, plan_entries
from .files import find_files, is_json
from .groups import Group, make_groups
from .masks import find_masks
from .remarks import Remarks
from .sightings import Sighting, is_exposure, look_at, why_no_input
from .steps import tell_apart

UNKNOWN = (
    "is neither a mask nor called _calints, _crfints or _psfstack; rename it if it is one, or "
    f"{BY_HAND}"
)


@dataclass(frozen=True)
class Survey:
    """
    The content of a campaign that was found in folders.

    Attributes
    ----------
    associations
        The associations that are used unchanged.
    entries
        Exposures of other associations, and exposures that were grouped by headers.
    references
        The catalogue of masks: files, and folders that contain only masks.
    n_files
        Number of FITS and JSON files, including masks.
    remarks
        The files that are left out, and warnings.
    """

    associations: list[Path]
    entries: list[Entry]
    references: list[Path]
    n_files: int
    remarks: Remarks

    @property
    def summary(self) -> str:
        """A summary of the files that are used, in words."""
        left_out, n_files = len(self.remarks.left_out), self.n_files
        parts = [
            plural(len(self.associations), "association"),
            plural(len(self.entries), "listed exposure"),
            f"{left_out} of {plural(n_files, 'file')} not used",
        ]
        return ", ".join(parts)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that it makes, without a folder for the results."""
        return {
            "associations": list(map(str, self.associations)),
            "exposures": [entry.config for entry in self.entries],
            "psfmask": {"references": list(map(str, self.references))},
        }


def survey_folders(places: Sequence[Path], masks: Sequence[str] = ()) -> Survey:
    """
    Search folders and their subfolders for the exposures of a campaign.

    Exposures of associations are used as these list them. Others are grouped by their headers: each
    science exposure gets all psf exposures of its group.

    Parameters
    ----------
    places
        Folders of associations and calibrated exposures, or such files.
    masks
        Files, folders and globs of masks, in addition to those in ``places``.

    Raises
    ------
    ConfigError
        If a place does not exist.
    """
    remarks, facts = Remarks(), FactsStore(Path(os.devnull))  # remembers nothing
    files = find_files(places, remarks)
    references, seen = find_masks(masks, files, remarks)
    rest = [path for path in files if path not in seen]
    sightings = _look_at_all([path for path in rest if not is_json(path)], facts, remarks)
    associations = read_associations(filter(is_json, rest), remarks)
    members = Members(sightings, lambda path: look_at(path, facts, remarks))
    adopted = without_repetition(
        [exposure for asn in associations for exposure in adopt(asn, members, remarks)], remarks
    )
    entries = make_entries(adopted, _group_the_rest(sightings, adopted, remarks))
    kept = keep_usable(entries, references, facts, remarks)
    _account_for_refused(entries, kept, remarks)
    if kept:
        exposures = plan_entries(kept, references)[1]
        for line in (*list_advice(exposures, facts), *list_doubts(exposures, facts)):
            remarks.warn(line)
    whole = list(_whole(associations, kept))
    others = [entry for entry in kept if entry.association not in whole]
    return Survey(whole, others, references, len({*files, *remarks.left_out}), remarks)


def _look_at_all(paths: Iterable[Path], facts: FactsStore, remarks: Remarks) -> list[Sighting]:
    sightings = []
    for path in paths:
        if is_exposure(path):
            sightings.append(look_at(path, facts, remarks))
        else:
            remarks.leave_out(path, why_no_input(path) or UNKNOWN)
    return tell_apart([sighting for sighting in sightings if sighting], facts, remarks)


def _group_the_rest(
    sightings: list[Sighting], adopted: list[Adopted], remarks: Remarks
) -> list[Group]:
    """Group exposures of programs and kinds that no association lists."""
    used = {s.path: s for exposure in adopted for s in (exposure.science, *exposure.psfs)}
    names, kinds = {s.name for s in used.values()}, {(s.title, s.program) for s in used.values()}
    rest = []
    for sighting in sightings:
        if sighting.path in used:
            continue
        if sighting.name in names:
            remarks.leave_out(sighting.path, "an association uses another file of this name")
        elif (sighting.title, sighting.program) in kinds and not sighting.refusal:
            remarks.leave_out(sighting.path, _passed_over(sighting))
        else:
            rest.append(sighting)
    science = {sighting.title for sighting in rest if sighting.role != "psf"}
    stars = {psf.path: psf for exposure in adopted for psf in exposure.psfs}
    serving = [replace(s, role="psf", refusal=None) for s in stars.values() if s.title in science]
    has_stars = bool(stars) or any(s.role == "psf" for s in rest)
    return make_groups([*rest, *serving], remarks, without_stars=not has_stars)


def _passed_over(sighting: Sighting) -> str:
    if sighting.is_stack:
        return "is a psfstack, and the psf exposures of an association are used"
    return (
        f"no association names it, as one does others of {sighting.title}; to use it, add it "
        "there, or list it under `exposures` in the configuration"
    )


def _account_for_refused(entries: list[Entry], kept: list[Entry], remarks: Remarks) -> None:
    """Name psfs and associations that serve only exposures that were refused."""
    used = {path for entry in kept for path in (entry.science, *entry.psfs, entry.association)}
    for again in set(remarks.left_out) & used:
        del remarks.left_out[again]
    for entry in entries:
        for path in (*entry.psfs, entry.association):
            if path and path not in used:
                remarks.leave_out(path, f"{entry.science}, which it serves, is left out")


def _whole(associations: list[Association], kept: list[Entry]) -> Iterator[Path]:
    """Return the associations of which all exposures are used as they are."""
    for association in associations:
        own = [entry for entry in kept if entry.association == association.path]
        expected = sum(len(product.science) for product in association.products)
        if len(own) == expected and all(entry.as_it_is for entry in own):
            yield association.path
