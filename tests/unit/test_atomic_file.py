"""Under its final name a file is complete, or as it was before."""

import errno
import os
import stat
from pathlib import Path

import pytest

from psfalign.system import atomic_file
from psfalign.system.atomic_file import publish_bytes, publishing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "very" / "deep" / "a.fits"
    with publishing(path) as stream:
        stream.write(b"abc")
        stream.flush()
        assert not path.exists()
        (partial,) = path.parent.iterdir()
        assert partial.name.startswith(".a.fits.")
        assert partial.name.endswith(".partial")
    assert path.read_bytes() == b"abc"
    assert names(path.parent) == ["a.fits"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit, MemoryError])
def test_old_file_is_intact_after_an_exception_and_nothing_is_left(
    error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"old")
    with pytest.raises(error), publishing(path) as stream:
        stream.write(b"half of the new")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.parametrize("function", ["fsync", "rename"])
def test_old_file_is_intact_when_the_disk_fails_at_the_end(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"old")

    def fail(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="Input/output error"):
        publish_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.fits"]


def test_a_failed_write_says_of_which_file(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    with pytest.raises(OSError, match="No space left") as failed, publishing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert failed.value.filename == str(path)
    long = tmp_path / ("x" * 250)  # its partial's name is longer than names may be
    with pytest.raises(OSError, match="File name too long") as failed:
        publish_bytes(long, b"")
    assert failed.value.filename == str(long)


def test_a_failure_of_another_file_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failed, publishing(tmp_path / "a.fits"):
        (tmp_path / "input").read_bytes()
    assert failed.value.filename == str(tmp_path / "input")


def test_readers_of_the_old_file_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    publish_bytes(path, b"old")
    with open(path, "rb") as reader:
        publish_bytes(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_mode_is_that_of_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        publish_bytes(tmp_path / "a.fits", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.fits").stat().st_mode) == mode


def test_partials_of_a_killed_writer_are_removed_and_of_other_files_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    stale = tmp_path / f".a.fits.{'0' * 16}.partial"
    others = [
        tmp_path / f".a.fits.png.{'0' * 16}.partial",
        tmp_path / f".b.fits.{'0' * 16}.partial",
        tmp_path / "a.fits.partial",
        tmp_path / ".a.fits.mine.partial",
    ]
    for file in (stale, *others):
        file.write_bytes(b"half")
    publish_bytes(path, b"new")
    assert names(tmp_path) == sorted(["a.fits", *(other.name for other in others)])


def test_writer_that_is_still_alive_is_fenced(tmp_path: Path) -> None:
    """The rename of a first writer fails once a second one has begun."""
    path = tmp_path / "a.fits"
    with pytest.raises(FileNotFoundError), publishing(path) as first:
        first.write(b"orphan")
        publish_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["a.fits"]


def test_output_that_is_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.fits").mkdir()
    with pytest.raises(IsADirectoryError):
        publish_bytes(tmp_path / "a.fits", b"x")
    assert names(tmp_path) == ["a.fits"]


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the machine must not leave a name without its bytes."""
    path, synced = tmp_path / "a.fits", []

    def record(descriptor: int) -> None:
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        synced.append(("folder" if is_folder else status.st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", record)
    publish_bytes(path, b"abc")
    assert synced == [(3, False), ("folder", True)]


def test_error_of_a_fenced_writer_is_its_own(tmp_path: Path) -> None:
    """That its partial file is gone does not hide why it failed."""
    with pytest.raises(ValueError, match="why"), publishing(tmp_path / "a.fits"):
        publish_bytes(tmp_path / "a.fits", b"second")
        raise ValueError("why")
    assert names(tmp_path) == ["a.fits"]


def test_partial_that_another_writer_removed_first_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / f".a.fits.{'0' * 16}.partial"
    monkeypatch.setattr(atomic_file, "_partials", lambda path: [gone])
    publish_bytes(tmp_path / "a.fits", b"x")
    assert names(tmp_path) == ["a.fits"]


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = names(Path("/dev/fd"))
    publish_bytes(tmp_path / "a.fits", b"x")
    assert names(Path("/dev/fd")) == before
