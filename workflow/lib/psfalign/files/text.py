"""Read text files as a whole: JSON, YAML, ECSV."""

import stat
from pathlib import Path

from ..errors import InputError
from .fits.structure import check_regular_file

# Bytes. A configuration of 100,000 exposures has 30 MB, a table of a million pairs 250 MB, and the
# crate of 10,000 exposures 60 MB. Larger files are refused, because reading them takes minutes.
LARGEST = 1 << 26
LARGEST_TABLE = 1 << 29
LARGEST_CRATE = 1 << 30


def read_text(path: Path, *, largest: int = LARGEST) -> str:
    """
    Read a file of text in UTF-8.

    Raises
    ------
    InputError
        If the file is not there, not readable, or larger than files of its kind are.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    check_regular_file(path)
    check_size(path, largest)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError.unreadable(error, path) from error


def check_size(path: Path, largest: int = LARGEST) -> None:
    """Raise `InputError` if a regular file is too large for a text file."""
    try:
        status = path.stat()
    except OSError:
        return  # the reader says why it cannot be read
    if stat.S_ISREG(status.st_mode) and status.st_size > largest:
        problem = f"has {status.st_size} bytes; at most {largest} are read as text"
        raise InputError(problem, file=path, remedy="name another file")
