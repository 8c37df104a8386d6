"""Disk space is reserved at once, and writing starts early (Linux)."""

import errno
import os
import re
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from astropy.io import fits

from psfalign.files.fits import writer
from psfalign.files.fits.writer import FitsWriter
from psfalign.system import disk
from psfalign.system.disk import reserve, start_writing

SIZE = 1 << 20


class Library:
    """A C library whose calls fail with some error, once."""

    def __init__(self, code: int) -> None:
        self.code, self.n_calls = code, 0

    def fallocate(self, *arguments: object) -> int:
        self.n_calls += 1
        disk.ctypes.set_errno(self.code)
        return -1 if self.n_calls == 1 else 0

    def sync_file_range(self, *arguments: object) -> int:
        disk.ctypes.set_errno(self.code)
        return -1


@pytest.mark.skipif(sys.platform != "linux", reason="calls of Linux")
def test_linux_has_both() -> None:
    assert disk._c_library().fallocate
    assert disk._c_library().sync_file_range


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose file system takes reservations."""
    with open(tmp_path / "probe", "xb") as stream:
        reserve(stream.fileno(), SIZE)
        if os.fstat(stream.fileno()).st_blocks * 512 < SIZE:
            pytest.skip("the file system reserves no room")
    return tmp_path


def test_reserved_room_is_there(place: Path) -> None:
    assert (place / "probe").stat().st_size == SIZE


def test_too_little_room_is_said_at_once(place: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open(place / "file", "xb") as stream:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE - 1, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                reserve(stream.fileno(), SIZE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM])
def test_where_it_cannot_be_done_nothing_is(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(code)
    monkeypatch.setattr(disk, "_c_library", lambda: library)
    reserve(1, SIZE)
    start_writing(1)
    assert library.n_calls == 1


def test_the_kernel_is_asked_for_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Recording:
        """Numbers of fallocate(2) and sync_file_range(2); 2 is SYNC_FILE_RANGE_WRITE."""

        def fallocate(self, *numbers: Any) -> int:
            calls.append([number.value for number in numbers])
            return 0

        sync_file_range = fallocate

    monkeypatch.setattr(disk, "_c_library", Recording)
    reserve(7, SIZE)
    start_writing(7)
    assert calls == [[7, 0, 0, SIZE], [7, 0, 0, 2]]


def test_another_library_has_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_c_library", object)
    reserve(1, SIZE)
    start_writing(1)


def test_an_interrupted_call_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(errno.EINTR)
    monkeypatch.setattr(disk, "_c_library", lambda: library)
    reserve(1, SIZE)
    assert library.n_calls == 2


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_verdict_is_said(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_c_library", lambda: Library(code))
    with pytest.raises(OSError, match=re.escape(os.strerror(code))):
        reserve(1, SIZE)
    with pytest.raises(OSError, match=re.escape(os.strerror(code))):
        start_writing(1)


def test_the_disk_begins_whenever_enough_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(writer, "EAGER", 2 * 4 * 35)  # two planes
    monkeypatch.setattr(writer, "start_writing", begun.append)
    with tempfile.TemporaryFile() as stream:
        write_product(stream)
        assert begun == [stream.fileno()] * 2


def test_reserving_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for reserving in (reserve, lambda descriptor, size: None):
        monkeypatch.setattr(writer, "reserve", reserving)
        with tempfile.TemporaryFile() as stream:
            write_product(stream)
            stream.seek(0)
            contents.append(stream.read())
    assert contents[0] == contents[1]


def write_product(stream: BinaryIO) -> None:
    product = FitsWriter(stream)
    product.add(fits.PrimaryHDU().header)
    image = product.add_image(fits.Header([("EXTNAME", "SCI")]), (5, 5, 7), np.float32)
    product.reserve()
    for plane in range(5):
        image.write(plane, np.ones((5, 7)))
    product.finish()
