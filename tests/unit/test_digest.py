"""The digest of a file is computed once in each process, and again after a change."""

import os
from pathlib import Path
from typing import Any

import pytest
from files import digest

from psfalign.files import digest as module
from psfalign.files.digest import SETTLED, sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []
    original = module._read

    def counted(path: Path) -> Any:
        found.append(path)
        return original(path)

    monkeypatch.setattr(module, "_read", counted)
    return found


def test_settled_file_is_read_once(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    now = path.stat().st_ctime
    monkeypatch.setattr(module.time, "time", lambda: now + SETTLED + 1)
    assert sha256(path) == sha256(path) == digest(path)
    assert reads == [path]
    path.write_text("two")
    assert sha256(path) == digest(path)


def test_a_file_of_this_moment_is_always_read(tmp_path: Path, reads: list[Path]) -> None:
    """Its clock may not have ticked between two changes that keep its size."""
    path = tmp_path / "a"
    path.write_text("one")
    status = path.stat()
    first = sha256(path)
    path.write_text("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sha256(path) == digest(path) != first
    assert reads == [path, path]
