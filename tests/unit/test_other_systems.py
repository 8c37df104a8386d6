"""Features of Linux are not used on other systems, which are simulated here."""

import ctypes
import errno
import os
import sys
from pathlib import Path

import pytest
from files import ROOT

from psfalign.campaign import memory
from psfalign.system import disk, process
from psfalign.system.atomic_file import publish_bytes
from psfalign.system.parallel import may_fork, ordered_map
from psfalign.system.warm import is_available


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call this system macOS."""
    monkeypatch.setattr(sys, "platform", "darwin")


class OtherLibrary:
    """A C library without the calls of Linux and of glibc."""


def process_of(_: int) -> int:
    return os.getpid()


@pytest.mark.usefixtures("mac")
def test_one_process_works_on_macos() -> None:
    assert not may_fork()
    assert set(ordered_map(process_of, range(3), threads=2)) == {os.getpid()}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not fork")
def test_several_processes_work_elsewhere() -> None:
    assert os.getpid() not in set(ordered_map(process_of, range(3), threads=2))


@pytest.mark.usefixtures("mac")
def test_each_step_starts_its_own_python_on_macos() -> None:
    assert not is_available()


def test_the_allocator_is_left_alone_elsewhere(mac: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ctypes, "CDLL")
    process.keep_freed_memory()


def test_the_allocator_of_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: OtherLibrary())
    process.keep_freed_memory()


def test_files_are_written_without_reservations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_c_library", OtherLibrary)
    with open(tmp_path / "file", "xb") as stream:
        disk.reserve(stream.fileno(), 100)
        disk.start_writing(stream.fileno())
        assert os.fstat(stream.fileno()).st_size == 0
    publish_bytes(tmp_path / "other", b"content")


def test_the_memory_is_that_of_the_machine_without_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory.control_groups(tmp_path / "cgroup") == []
    monkeypatch.setattr(memory, "control_groups", list)
    monkeypatch.setattr(
        memory.resource, "getrlimit", lambda _: (memory.resource.RLIM_INFINITY,) * 2
    )
    machine = type("Memory", (), {"available": 1 << 40})()
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: machine)
    assert memory.available_memory() == 1 << 40


def test_the_log_of_a_job_does_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "workflow" / "scripts"))
    import psfalign_adapter

    def refuse(self: Path, **_: object) -> str:
        raise FileNotFoundError(errno.ENOENT, "no /proc", str(self))

    assert psfalign_adapter._largest_memory().endswith(" MB")
    monkeypatch.setattr(Path, "read_text", refuse)
    assert psfalign_adapter._largest_memory() == ""
