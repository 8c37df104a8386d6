"""Make exposures from associations, without members that cannot be used."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import PsfalignError
from ..associations import Association, Product, read_association
from ..exposures import ASN_ID, real_path
from .groups import cluster
from .remarks import Remarks, printable
from .sightings import Sighting
from .steps import rank_of_step

ARCHIVED = re.compile(r"(jw\d+-[oac]\d+)_(\w+?)_coron3_\d+_asn\.json")
CANDIDATES = "cao"  # the same work often has a name of each kind: the proposers' one goes first

Look = Callable[[Path], Sighting | None]


@dataclass(frozen=True)
class Adopted:
    """
    An exposure of an association.

    Attributes
    ----------
    science, psfs
        Its files.
    asn_id
        The association candidate; empty if that of the association cannot be used.
    association
        The association file.
    as_it_is
        Whether it agrees exactly with the association.
    """

    science: Sighting
    psfs: tuple[Sighting, ...]
    asn_id: str
    association: Path
    as_it_is: bool

    @property
    def work(self) -> tuple[str, frozenset[str]]:
        """The names of the science and psf files, without folders."""
        return self.science.name, frozenset(psf.name for psf in self.psfs)


def read_associations(paths: Iterable[Path], remarks: Remarks) -> list[Association]:
    """Read the associations among JSON files, in the order of their use."""
    found = []
    for path in paths:
        try:
            found.append(read_association(path))
        except PsfalignError as error:
            remarks.leave_out(path, error)
    found.sort(key=lambda association: (_candidate_rank(association), _stamp(association)))
    return found


def _candidate_rank(association: Association) -> int:
    return CANDIDATES.find(association.asn_id[:1]) % (len(CANDIDATES) + 1)


def _stamp(association: Association) -> tuple[int, ...]:
    """Sort by name; of an archive's associations, the newest of each first."""
    named = ARCHIVED.fullmatch(association.path.name)
    digits = "".join(filter(str.isdigit, named[2])) if named else ""
    return (-int(digits or 0),)


class Members:
    """The paths of members of associations, which may be anywhere among the files."""

    def __init__(self, sightings: Iterable[Sighting], look: Look) -> None:
        self._look = look
        self._by_path = {real_path(s.path): s for s in sightings}
        self._by_name: dict[str, list[Sighting]] = {}
        for sighting in sightings:
            self._by_name.setdefault(sighting.name, []).append(sighting)

    def find(self, path: Path, step: str) -> Sighting | None:
        """Return the file of a member; if it must be searched for, that of the wanted step."""
        if path.exists():
            return self._by_path.get(real_path(path)) or self._look(path)
        found = self._by_name.get(path.name.lower(), [])
        return next((s for s in found if s.step == step), found[0] if len(found) == 1 else None)

    def best_step(self, product: Product) -> str:
        """Return the step that holds most of the members."""
        names = [path.name.lower() for path in (*product.science, *product.psfs)]
        steps = [s.step for name in names for s in self._by_name.get(name, [])]
        return min(set(steps), key=lambda s: (-steps.count(s), rank_of_step(s)), default="")


def adopt(association: Association, members: Members, remarks: Remarks) -> list[Adopted]:
    """Make the exposures of an association from existing files, and warn of missing ones."""
    adopted = [
        exposure
        for product in association.products
        for exposure in _adopt_product(association, product, members, remarks)
    ]
    if not adopted:
        reason = "none of its exposures can be made; see the warnings"
        remarks.leave_out(association.path, reason)
    return adopted


def _adopt_product(
    association: Association, product: Product, members: Members, remarks: Remarks
) -> Iterator[Adopted]:
    path, step = association.path, members.best_step(product)
    science, psfs = (
        list(_found(paths, step, path, members, remarks))
        for paths in (product.science, product.psfs)
    )
    complete = len(science) == len(product.science) and len(psfs) == len(product.psfs)
    in_place = all(path.exists() for path in (*product.science, *product.psfs))
    asn_id = association.asn_id if ASN_ID.fullmatch(association.asn_id) else ""
    if not asn_id:
        text = f"{path} asn_id={printable(association.asn_id)}: is not an association candidate"
        remarks.warn(text)
    for exposure in science:
        others = [psf for psf in psfs if real_path(psf.path) != real_path(exposure.path)]
        agreeing = [psf for psf in others if len(cluster([exposure, psf], Remarks())) == 1]
        for psf in others:
            if psf not in agreeing:
                words = _disagreement(exposure, psf)
                remarks.warn(f"{path}: psf member {psf.path} {words}; left out there")
                remarks.leave_out(psf.path, words)
        if agreeing:
            as_it_is = complete and in_place and agreeing == psfs and bool(asn_id)
            yield Adopted(exposure, tuple(agreeing), asn_id, path, as_it_is)
        else:
            remarks.warn(f"{path}: no psf member is left for {exposure.path}")


def _found(
    paths: Iterable[Path], step: str, association: Path, members: Members, remarks: Remarks
) -> Iterator[Sighting]:
    seen = set()
    for path in paths:
        member = members.find(path, step)
        if member is None:
            state = "cannot be used" if path.exists() else "is not there"
            remarks.warn(
                f"{association}: member {path} {state}; what needs it is made without it. "
                "Fetch it, and run psfalign campaign again, or remove the member"
            )
        elif real_path(member.path) not in seen:
            seen.add(real_path(member.path))
            yield member


def _disagreement(science: Sighting, psf: Sighting) -> str:
    differing = [
        f"{mark}={psf.marks[mark]}, not {science.marks[mark]}"
        for mark in science.marks
        if psf.marks.get(mark, science.marks[mark]) != science.marks[mark]
    ]
    return f"has {', '.join(differing)} as science {science.path} has"


def without_repetition(adopted: Iterable[Adopted], remarks: Remarks) -> list[Adopted]:
    """Leave out repetitions of other associations, and older versions of associations."""
    first: dict[tuple[str, frozenset[str]], Adopted] = {}
    archived: dict[tuple[str, str], Adopted] = {}
    kept: list[Adopted] = []
    for exposure in adopted:
        named = ARCHIVED.fullmatch(exposure.association.name)
        newest = (
            archived.setdefault((named[1], exposure.science.name), exposure) if named else exposure
        )
        same = first.setdefault(exposure.work, exposure)
        other = same if same is not exposure else newest
        if other is exposure:
            kept.append(exposure)
        elif other.association != exposure.association:
            remarks.leave_out(exposure.association, _repeats(exposure, other))
    still_used = {exposure.association for exposure in kept}
    for path in still_used & set(remarks.left_out):
        remarks.warn(f"{path}: in part, {remarks.left_out.pop(path)}")
    return kept


def _repeats(exposure: Adopted, other: Adopted) -> str:
    same = exposure.work == other.work
    words = "makes the same as" if same else "is older than"
    return f"{words} {other.association}"
