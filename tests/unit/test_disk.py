"""What Linux is asked for besides writing: all room at once, and to begin early."""

import errno
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from psfalign import disk
from psfalign.disk import reserve, start_writing
from psfalign.files import writer
from psfalign.files.writer import FitsWriter

SIZE = 1 << 20


class Library:
    """A C library whose calls fail with some error, once."""

    def __init__(self, code: int) -> None:
        self.code, self.n_calls = code, 0

    def fallocate(self, *arguments: object) -> int:
        self.n_calls += 1
        disk.ctypes.set_errno(self.code)
        return -1 if self.n_calls == 1 else 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_reserved_room_is_there(tmp_path: Path) -> None:
    with open(tmp_path / "file", "xb") as stream:
        reserve(stream.fileno(), SIZE)
        status = os.fstat(stream.fileno())
    assert status.st_size == SIZE
    assert status.st_blocks * 512 >= SIZE  # unlike those of a file that was only made longer


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_too_little_room_is_said_at_once(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open(tmp_path / "file", "xb") as stream:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE - 1, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                reserve(stream.fileno(), SIZE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_where_it_cannot_be_done_nothing_is(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(code)
    monkeypatch.setattr(disk, "_c_library", lambda: library)
    reserve(1, SIZE)
    start_writing(1)  # which this library does not have
    assert library.n_calls == 1


def test_an_interrupted_call_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(errno.EINTR)
    monkeypatch.setattr(disk, "_c_library", lambda: library)
    reserve(1, SIZE)
    assert library.n_calls == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_a_failed_write_is_said(tmp_path: Path) -> None:
    with open(tmp_path / "file", "xb") as stream:
        descriptor = stream.fileno()
        start_writing(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        start_writing(descriptor)


def test_the_disk_begins_whenever_enough_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    monkeypatch.setattr(writer, "EAGER", 2 * 4 * 35)  # two planes
    monkeypatch.setattr(writer, "start_writing", begun.append)
    with tempfile.TemporaryFile() as stream:
        product = FitsWriter(stream)
        product.add(fits.PrimaryHDU().header)
        image = product.add_image(fits.Header([("EXTNAME", "SCI")]), (5, 5, 7), np.float32)
        product.reserve()
        reserved = os.fstat(stream.fileno()).st_size
        for plane in range(5):
            image.write(plane, np.ones((5, 7)))
        product.finish()
        assert os.fstat(stream.fileno()).st_size == reserved
        assert begun == [stream.fileno()] * 2
