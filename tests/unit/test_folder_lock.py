"""A folder is locked by one process until it ends."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from psfalign.system.folder_lock import HeldError, held

HOLD = """
import sys, time
from pathlib import Path
from psfalign.system.folder_lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_folder_is_held_by_one_and_let_go_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "a b" / "results"
    with held(folder):
        with pytest.raises(HeldError), held(folder):
            pytest.fail("held twice")
        with held(tmp_path / "other"):
            pass
    with held(folder):
        assert list(folder.iterdir()) == []


def test_killed_process_lets_it_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(HeldError), held(tmp_path):
            pytest.fail("held twice")
        os.kill(process.pid, signal.SIGKILL)
    with held(tmp_path):
        pass


def test_error_within_the_block_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the block"), held(tmp_path):
        raise OSError("of the block")


def test_file_system_without_locks_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(tmp_path), held(tmp_path):
        pass
