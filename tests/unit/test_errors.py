"""Errors of the system become one line: file, problem, remedy."""

import errno
import os
from pathlib import Path

import pytest

from psfalign.errors import InputError, system_error
from psfalign.files.digest import sha256
from psfalign.files.fits.structure import read_exactly


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "Full", "a"), "a: Full; make room on that disk"),
        (OSError(errno.EIO, "Broken", "a", None, "b"), "b: Broken; check the disk"),
        (OSError(errno.EROFS, "Fixed"), "other: Fixed; choose a place that can be written to"),
        (OSError(errno.EISDIR, "Folder"), "other: Folder; name a file, or remove the folder"),
        (OSError(errno.EPIPE, "Pipe"), "other: Pipe"),
        (OSError("no number"), "other: no number"),
    ],
)
def test_line_says_file_problem_and_remedy(error: OSError, line: str) -> None:
    assert str(system_error(error, "other")) == line


@pytest.mark.bad_input(60)
def test_message_holds_no_command_to_a_terminal_and_no_second_line() -> None:
    error = InputError(
        "holds \x1b[2J\x07",
        file="a\x1b]0;title.fits",
        keyword="FILTER",
        value="\u202eb\nc\x9b1m",
        remedy="look\r\nat it",
    )
    assert str(error) == (
        r"a\x1b]0;title.fits FILTER=\u202eb c\x9b1m: holds \x1b[2J\x07; look at it"
    )


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    error = InputError.unreadable(PermissionError(errno.EACCES, "Permission denied"), "a")
    assert str(error) == "a: cannot be read: Permission denied; change the permissions"
    assert (
        str(InputError.unreadable(OSError("odd"), "a")) == "a: cannot be read: odd; check the path"
    )


def test_failed_reads_say_of_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"abcd")

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    monkeypatch.setattr("hashlib.file_digest", fail)
    with open(path, "rb") as stream, pytest.raises(InputError) as refused:
        read_exactly(stream, path, 0, 4)
    assert str(refused.value) == f"{path}: cannot be read: Input/output error; check the disk"
    with pytest.raises(OSError, match="Input/output error") as failed:
        sha256(path)
    assert failed.value.filename == str(path)
