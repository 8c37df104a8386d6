"""Lock a folder, so that a second process that would write into it is refused."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class HeldError(Exception):
    """Another process has locked the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """
    Lock a folder during the block; the system releases the lock when the process ends.

    On a file system without locks, nothing is locked.

    Parameters
    ----------
    folder
        The folder, which is created if it does not exist.

    Raises
    ------
    HeldError
        If another process has locked it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HeldError from None
        yield
    finally:
        os.close(descriptor)
