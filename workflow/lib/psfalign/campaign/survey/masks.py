"""Find the masks among files, and in further places."""

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import PsfalignError
from ...files.fits.structure import scan, text_of
from ...psfmask.catalogue import list_references, read_entry
from .files import find_files, is_json
from .remarks import Remarks
from .sightings import is_exposure, why_no_input

NAMED = "mask"  # what the name of a mask has in it


def find_masks(
    places: Iterable[str], files: Iterable[Path], remarks: Remarks
) -> tuple[list[Path], set[Path]]:
    """
    List the masks of a campaign.

    Parameters
    ----------
    places
        Files, folders and globs of masks.
    files
        Files of the campaign; those with REFTYPE PSFMASK, or with the name of a mask, are masks.
    remarks
        Receives the files that cannot be used as a mask.

    Returns
    -------
    references
        The catalogue; a folder that contains only masks stands for its files.
    files
        All files that were examined.
    """
    named = [path for place in places for path in _expand(place)]
    given = find_files(named, remarks)
    own = [path for path in files if path not in set(given) and _may_be_mask(path)]
    masks: dict[str, Path] = {}
    seen = set()
    for path in (*given, *own):
        if path in given and (is_exposure(path) or is_json(path) or why_no_input(path)):
            if path not in files:
                remarks.leave_out(path, "is not a mask")
            continue
        seen.add(path)
        try:
            read_entry(path)
        except PsfalignError as error:
            remarks.leave_out(path, error)
        else:
            masks[os.path.realpath(path)] = path
    _name_neighbours([path for path in named if path.is_file()], given, files, remarks)
    return _by_folder(set(masks.values())), seen


def _expand(place: str) -> list[Path]:
    path = Path(place)
    return [path] if path.is_dir() else list_references([place])


def _may_be_mask(path: Path) -> bool:
    """Return whether a file of the campaign says that it is a mask, by its header or its name."""
    if is_exposure(path) or is_json(path) or why_no_input(path):
        return False
    if NAMED in path.name.lower():
        return True
    try:
        return text_of(scan(path)[0].header, "REFTYPE").upper() == "PSFMASK"
    except PsfalignError:
        return False


def _name_neighbours(
    named: list[Path], given: list[Path], files: Iterable[Path], remarks: Remarks
) -> None:
    """Name what lies beside single masks, and was not asked for."""
    known = {os.path.realpath(path) for path in (*given, *files)}
    for folder in sorted({path.parent for path in named}):
        for path in list_references([str(folder)]):
            if os.path.realpath(path) not in known:
                remarks.leave_out(path, "lies beside a mask that --masks names, and is not named")


def _by_folder(found: set[Path]) -> list[Path]:
    pure = {path.parent for path in found if found.issuperset(list_references([str(path.parent)]))}
    return sorted({path.parent if path.parent in pure else path for path in found})
