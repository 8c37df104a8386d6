"""Hold a folder, so that of two processes that would write into it one is refused."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class HeldError(Exception):
    """Another process holds the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """
    Hold a folder for the block; whatever ends the process, the system lets it go.

    A file system without locks lets every process go on.

    Parameters
    ----------
    folder
        It is made where it is not there.

    Raises
    ------
    HeldError
        If another process holds it.
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
