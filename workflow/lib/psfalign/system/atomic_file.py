"""Write files atomically: under its final name, a file is complete or does not exist."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"


@contextmanager
def publishing(path: Path | str) -> Iterator[BinaryIO]:
    """
    Open a new file for writing and reading that takes the name ``path`` only when it is complete.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed
    when the block ends, and removed when the block raises. Partial files that an earlier, killed
    writer of the same name left behind are removed first; that also fences a writer which is
    still alive, because its rename then fails.

    Parameters
    ----------
    path
        The final name. A file that is already there is replaced in one step.

    Yields
    ------
    A binary file, open for writing, reading and seeking.

    Raises
    ------
    OSError
        Any error of the file system. Then ``path`` is unchanged, or already complete if only its
        folder could not be flushed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in _partials(path):
        stale.unlink(missing_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        with open(partial, "xb+") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(partial, path)
    except BaseException as error:
        with suppress(OSError):  # what went wrong first is what is said
            partial.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            error.filename = str(path)  # a failed write does not say of which file
        raise
    _sync_folder(path.parent)


def publish_bytes(path: Path | str, content: bytes) -> None:
    """Write a small file atomically."""
    with publishing(path) as stream:
        stream.write(content)


def _partials(path: Path) -> list[Path]:
    own = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}{re.escape(PARTIAL)}")
    return [entry for entry in path.parent.iterdir() if own.fullmatch(entry.name)]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
