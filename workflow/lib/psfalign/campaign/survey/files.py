"""Find FITS and JSON files in folders and subfolders."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import ConfigError
from ..configuration import WILDCARD
from .remarks import Remarks

WANTED = re.compile(r"\.(json|fits?|fts)(\.(gz|bz2|xz|z|zip|fz))?$", re.IGNORECASE)
MACHINERY = (".snakemake", ".git", ".venv", "__pycache__")  # folders of programs, not of users
# Characters that a configuration or Snakemake would interpret, not read as part of a path.
FORBIDDEN = re.compile(rf"[{re.escape(WILDCARD)}\0\n\r]|://")


def find_files(places: Iterable[Path], remarks: Remarks) -> list[Path]:
    """
    Return the FITS and JSON files in folders and subfolders, and files that are named.

    Links to folders are followed. A file with several paths counts once; the other paths are left
    out, and so are files whose paths cannot be written in a configuration.

    Raises
    ------
    ConfigError
        If one of the places does not exist.
    """
    paths: dict[Path, None] = {}
    for place in places:
        if not os.path.exists(place):  # noqa: PTH110 - Path.exists raises where it may not look
            remedy = "name folders of calibrated exposures"
            raise ConfigError("no such file or folder", file=place, remedy=remedy)
        found = _walk(place, set(), remarks) if place.is_dir() else [place]
        paths.update(dict.fromkeys(found))
    return [path for path in _once(sorted(paths), remarks) if _can_be_written(path, remarks)]


def is_json(path: Path) -> bool:
    """Return whether a file's name is that of a JSON file."""
    return path.name.lower().endswith(".json")


def _walk(folder: Path, seen: set[str], remarks: Remarks) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:  # a link that leads back
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        remarks.warn(
            f"{folder}: the folder cannot be read: {error.strerror}; check its permissions"
        )
        return
    for entry in entries:
        if _is_folder(entry):
            if entry.name not in MACHINERY:
                yield from _walk(folder / entry.name, seen, remarks)
        elif WANTED.search(entry.name):
            yield folder / entry.name


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _once(paths: Iterable[Path], remarks: Remarks) -> Iterator[Path]:
    first: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (path.is_symlink(), path)):
        other = first.setdefault(os.path.realpath(path), path)
        if other is path:
            yield path
        elif str(other) != str(path):
            remarks.leave_out(path, f"is the same file as {other}")


def _can_be_written(path: Path, remarks: Remarks) -> bool:
    bad = FORBIDDEN.search(str(path))
    if bad:
        remarks.leave_out(path, f"{bad[0]!r} cannot be in a path; rename the file or the folder")
    elif not str(path).isprintable():
        remarks.leave_out(path, "its path is not plain text; rename the file or the folder")
    return not bad and str(path).isprintable()
