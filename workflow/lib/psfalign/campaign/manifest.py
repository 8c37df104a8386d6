"""Read and write a manifest: facts about inputs that planning need not read."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from ..errors import InputError
from ..files.fits.structure import check_regular_file
from ..files.text import LARGEST_TABLE, read_text
from ..system.atomic_file import publish_bytes

FORMAT = 1  # of the manifest's format; raise it when the facts change
ANEW = "write it again with `psfalign manifest`, where the files are"
FITS = (".fits", ".fit")

Facts = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """
    Facts about inputs, which replace reading them.

    Attributes
    ----------
    path
        The file; None if there is no manifest.
    address
        The address that is put before the paths, such as ``s3://bucket/folder``; empty if the files
        are at their paths.
    files
        The facts about each file, by its path.
    """

    path: Path | None = None
    address: str = ""
    files: Mapping[str, Facts] = field(default_factory=dict)

    def __contains__(self, path: object) -> bool:
        return os.path.normpath(str(path)) in self.files

    def about(self, path: Path) -> Facts | None:
        """Return size, digest and facts of a file; None if it is not listed."""
        return self.files.get(os.path.normpath(path)) if self.files else None

    def fact(self, path: Path, kind: str) -> Any:
        """
        Return one fact about a listed file.

        Raises
        ------
        InputError
            If the manifest lacks it, because it was written for another configuration.
        """
        known = self.files[os.path.normpath(path)]
        if kind not in known:
            problem = f"does not say what {path} is as {kind}"
            raise InputError(problem, file=self.path, remedy=ANEW)
        return known[kind]

    def address_of(self, path: Path) -> str:
        """Return the address of a listed file; empty if it is at its path."""
        if not self.address or path not in self:
            return ""
        return f"{self.address.rstrip('/')}/{os.path.normpath(path).lstrip('/')}"

    def matching(self, reference: Path) -> list[Path]:
        """List the FITS files of a path, which is a file, a folder or a glob."""
        name = os.path.normpath(reference)
        if name in self.files:
            return [reference]
        fits = [path for path in map(PurePath, self.files) if path.suffix.lower() in FITS]
        depth = len(PurePath(name).parts)
        found = [path for path in fits if str(path.parent) == name]
        found = found or [p for p in fits if len(p.parts) == depth and p.match(name)]
        return sorted(map(Path, found))


NO_MANIFEST = Manifest()


def read_manifest(path: Path | None) -> Manifest:
    """
    Read a manifest; without a path there is none.

    Raises
    ------
    InputError
        If the file is missing, has another format, or was changed by hand.
    """
    if path is None:
        return NO_MANIFEST
    status = check_regular_file(path)
    return _read(path, status.st_mtime_ns, status.st_size)


@cache
def _read(path: Path, _time: int, _size: int) -> Manifest:
    """Read a version of a manifest once: with thousands of files it has megabytes."""
    try:
        content = json.loads(read_text(path, largest=LARGEST_TABLE))
        found = content["format"], content["sha256"]
        files, address = dict(content["files"]), str(content["address"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError("is not a manifest of inputs", file=path, remedy=ANEW) from error
    if found[0] != FORMAT:
        problem = f"this version of psfalign reads {FORMAT}"
        raise InputError(problem, file=path, keyword="format", value=found[0], remedy=ANEW)
    if found[1] != _digest(files):
        problem = "what it says of the files was changed after it was written"
        raise InputError(problem, file=path, remedy=ANEW)
    return Manifest(path, address, files)


def publish_manifest(path: Path, files: Mapping[str, Facts], *, address: str = "") -> None:
    """Write a manifest; only its address may be changed by hand."""
    content = {
        "format": FORMAT,
        "address": address,
        "sha256": _digest(files),
        "files": {name: files[name] for name in sorted(files)},
    }
    publish_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def _digest(files: Mapping[str, Facts]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
