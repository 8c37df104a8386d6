"""Distinguish copies of files, and files of several processing steps with the same names."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ..facts import FactsStore
from .remarks import Remarks
from .sightings import Sighting

# The steps of spaceKLIP, in their order: folders of these names hold files of the same names. The
# later ones move or resample images.
KNOWN = (
    "medsub",
    "bgsub",
    "bpcleaned",
    "nanreplaced",
    "coadded",
    "recentered",
    "aligned",
    "padded",
    "blurred",
)  # fmt: skip


def tell_apart(sightings: list[Sighting], facts: FactsStore, remarks: Remarks) -> list[Sighting]:
    """
    Leave out copies of files, and label files in folders of processing steps.

    Two folders with files of the same names and different content are two steps; so are folders
    with the names that spaceKLIP gives them. Files of two steps are never used together.
    """
    pairs = list(_pairs(sightings, lambda sighting: sighting.name))
    differing = {_folders(*pair) for pair in pairs if not _is_copy(*pair, facts)}
    words = {word for pair in differing for word in _first_difference(*sorted(pair))}
    labelled = [replace(s, step=_label(s, words)) for s in sightings]
    return _drop_copies(labelled, differing, facts, remarks)


def rank_of_step(step: str) -> tuple[int, str]:
    """Return what steps are sorted by: no step, unknown ones by name, known ones in their order."""
    place = KNOWN.index(step.lower()) + 2 if step.lower() in KNOWN else int(bool(step))
    return place, step


def _pairs(
    sightings: Iterable[Sighting], key: Callable[[Sighting], object]
) -> Iterator[tuple[Sighting, Sighting]]:
    """Return all pairs of which something is the same."""
    by_key: dict[object, list[Sighting]] = {}
    for sighting in sightings:
        by_key.setdefault(key(sighting), []).append(sighting)
    for same in by_key.values():
        yield from itertools.combinations(same, 2)


def _is_copy(one: Sighting, other: Sighting, facts: FactsStore) -> bool:
    return facts.digest(one.path) == facts.digest(other.path)


def _place(sighting: Sighting) -> tuple[str, ...]:
    """Return the folders that a file lies in, without one of its own, as archives make it."""
    parts = sighting.path.parent.parts
    own = parts and sighting.path.name.startswith(f"{parts[-1]}_")
    return parts[:-1] if own else parts


def _folders(one: Sighting, other: Sighting) -> frozenset[tuple[str, ...]]:
    return frozenset((_place(one), _place(other)))


def _first_difference(*places: tuple[str, ...]) -> Iterator[str]:
    """Return the first folder by which two places differ, from each that has one."""
    if len(places) > 1:
        pairs = itertools.zip_longest(*places, fillvalue="")
        yield from filter(None, next(pair for pair in pairs if pair[0] != pair[1]))


def _label(sighting: Sighting, words: set[str]) -> str:
    steps = (part for part in reversed(_place(sighting)) if part in words or part.lower() in KNOWN)
    return next(steps, "")


def _drop_copies(
    sightings: list[Sighting],
    differing: set[frozenset[tuple[str, ...]]],
    facts: FactsStore,
    remarks: Remarks,
) -> list[Sighting]:
    """Of copies with any names, keep the one in the folder with the most files."""

    def traits(sighting: Sighting) -> object:
        # Exposures of one size and start are rare, and digests are slow.
        return sighting.path.stat().st_size, facts.exposure(sighting.path)["start"]

    crowd = Counter(_place(sighting) for sighting in sightings)
    order = {s.path: (-crowd[_place(s)], len(s.path.parts), s.path) for s in sightings}
    dropped = set()
    for pair in _pairs(sightings, traits):
        kept, copy = sorted(pair, key=lambda sighting: order[sighting.path])
        is_step = kept.step != copy.step or _folders(*pair) in differing
        if copy.path not in dropped and not is_step and _is_copy(kept, copy, facts):
            remarks.leave_out(copy.path, f"is a copy of {kept.path}")
            dropped.add(copy.path)
    return [sighting for sighting in sightings if sighting.path not in dropped]
