"""Make the entries of a configuration, with unique names, and without refused exposures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PsfalignError
from ..checks import check_exposure, choose_masks
from ..configuration import complete_config
from ..exposures import NAME, ScienceExposure, plan_exposures, root_of
from ..facts import FactsStore
from ..settings import Settings
from .adopted import Adopted
from .groups import Group
from .remarks import Remarks

FIRST_CANDIDATE = 3001  # of candidates that are no observation's: a3001, a3002 and so on


@dataclass(frozen=True)
class Entry:
    """
    An exposure, as ``exposures`` of a configuration lists it.

    Attributes
    ----------
    title
        A description of its origin.
    science, psfs
        Its files.
    is_stacked
        Whether the one psf is a psfstack.
    asn_id
        The association candidate.
    association
        The association that lists it, if there is one.
    as_it_is
        Whether it agrees exactly with the association.
    """

    title: str
    science: Path
    psfs: tuple[Path, ...]
    is_stacked: bool
    asn_id: str
    association: Path | None = None
    as_it_is: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """The entry in the configuration."""
        psfs = str(self.psfs[0]) if self.is_stacked else list(map(str, self.psfs))
        return {"science": str(self.science), "psfs": psfs, "asn_id": self.asn_id}

    @property
    def name(self) -> str:
        """The name of its results."""
        return f"{root_of(self.science)}_{self.asn_id}"


def make_entries(adopted: list[Adopted], groups: list[Group]) -> list[Entry]:
    """Return the exposures of associations and of groups, with unique names."""
    ids = _free_ids({exposure.asn_id for exposure in adopted})
    entries = list(_of_associations(adopted, ids))
    asn_ids: dict[str, str] = {}
    for group in groups:
        asn_id = asn_ids.setdefault(group.title, "") or next(ids)
        asn_ids[group.title] = asn_id
        for science in group.science:
            entry = Entry(group.title, science, group.psfs, group.is_stacked, asn_id)
            entries.append(entry)
    return entries


def _of_associations(adopted: list[Adopted], ids: Iterator[str]) -> Iterator[Entry]:
    taken: set[str] = set()
    for exposure in adopted:
        psfs = tuple(psf.path for psf in exposure.psfs)
        is_stacked = len(psfs) == 1 and exposure.psfs[0].is_stack
        asn_id, root = exposure.asn_id, root_of(exposure.science.path)
        if not asn_id or f"{root}_{asn_id}".casefold() in taken:
            asn_id = next(ids)
        taken.add(f"{root}_{asn_id}".casefold())
        yield Entry(
            f"from {exposure.association}",
            exposure.science.path,
            psfs,
            is_stacked,
            asn_id,
            exposure.association,
            exposure.as_it_is and not is_stacked and asn_id == exposure.asn_id,
        )


def _free_ids(taken: set[str]) -> Iterator[str]:
    numbers = range(FIRST_CANDIDATE, FIRST_CANDIDATE + 1_000_000)
    return (asn_id for asn_id in (f"a{number}" for number in numbers) if asn_id not in taken)


def plan_entries(
    entries: list[Entry], references: list[Path]
) -> tuple[Settings, list[ScienceExposure]]:
    """Return the complete configuration that entries make, and its exposures in their order."""
    settings = complete_config(
        {
            "exposures": [entry.config for entry in entries],
            "psfmask": {"references": list(map(str, references))},
        }
    )
    return settings, plan_exposures(settings)


def keep_usable(
    entries: list[Entry], references: list[Path], facts: FactsStore, remarks: Remarks
) -> list[Entry]:
    """Leave out exposures that the checks before a run would refuse, with the reason."""
    named = [entry for entry in entries if _can_be_named(entry, remarks)]
    if not named:
        return []
    settings, exposures = plan_entries(named, references)
    masks, errors = choose_masks(settings, exposures, facts)
    # Without any mask the user has to name some; that is no mistake of an exposure.
    maskless = {str(error.file): error for error in errors if references}
    kept = []
    for entry, exposure in zip(named, exposures, strict=True):
        try:
            check_exposure(settings, exposure, masks[exposure.name], facts)
            if str(exposure.science) in maskless:
                raise maskless[str(exposure.science)]
            kept.append(entry)
        except PsfalignError as error:
            remarks.leave_out(entry.science, error)
    return kept


def _can_be_named(entry: Entry, remarks: Remarks) -> bool:
    good = NAME.fullmatch(entry.name) and ".." not in entry.name
    if not good:
        problem = f"its results cannot be called {entry.name!r}"
        remedy = "rename the file with letters, digits, _ . and -, not beginning with a dash"
        remarks.leave_out(entry.science, f"{problem}; {remedy}")
    return bool(good)
