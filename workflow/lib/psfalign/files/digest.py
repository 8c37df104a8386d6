"""Checksums of files."""

import hashlib
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SETTLED = 2.0  # seconds; a file that changed later may change again without a new time


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    try:
        status = path.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        if time.time() - max(times) / 1e9 < SETTLED:
            return _read(path)
        return _read_once(path, status.st_size, status.st_ino, *times)
    except OSError as error:
        error.filename = str(path)  # a failed read does not say of which file
        raise


def find_repeated(files: Iterable[tuple[Path, str]]) -> tuple[Path, Path] | None:
    """Return a file whose digest an earlier one has, and that file; None if all differ."""
    first: dict[str, Path] = {}
    for path, digest in files:
        other = first.setdefault(digest, path)
        if other is not path:
            return path, other
    return None


@cache
def _read_once(path: Path, *_version: int) -> str:
    """Read a version of a file once, as a job checks its inputs and then records them."""
    return _read(path)


def _read(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
