"""How Snakemake's process keeps what it planned."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from psfalign.system.process import (
    QuotedPath,
    ended_in_order,
    found_first,
    quote_interpreter,
    temporary_folder,
)

PLAN = """
import atexit, gc
from psfalign.system.process import collect_as_usual, collect_seldom
atexit.register(lambda: print(gc.get_freeze_count() > 100_000))  # runs after what is registered later

def looked_through():
    before = gc.get_stats()[2]["collections"]
    made = [[i] for i in range(300_000)]
    jobs.append(made)
    return gc.get_stats()[2]["collections"] - before

jobs = []
usual = looked_through()
collect_seldom()
print(usual > 0, looked_through() == 0)
collect_as_usual()
jobs.clear()
print(looked_through() > 0)
"""


def test_planned_jobs_are_not_looked_through_and_are_left_in_the_end() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PLAN], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["True"] * 4


def test_text_that_a_terminal_lacks_is_escaped(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    exposure = "{science: a.fits, psfs: b.fits, asn_id: a3001}"
    config.write_text(f"output_dir: ± résultats\nexposures: [{exposure}]\n", encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "psfalign", "check", "--output-dir", config],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "\\xb1 r\\xe9sultats\n"


@pytest.mark.bad_input(62)
@pytest.mark.parametrize("path", ["/it's a folder/python", "/usr/bin/python"])
def test_interpreter_is_one_word_of_a_command_and_a_path_elsewhere(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", path)
    quote_interpreter()
    quote_interpreter()
    assert sys.executable == path
    assert shlex.split(f"{sys.executable} script.py") == [path, "script.py"]
    assert isinstance(sys.executable, QuotedPath)


@pytest.mark.parametrize("before", ["", "/other"])
def test_library_comes_before_what_was_there(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", before)
    assert found_first(Path("/lib")) == {
        "PYTHONPATH": f"/lib{os.pathsep}{before}".rstrip(os.pathsep)
    }


@pytest.fixture
def other_thread() -> Iterator[None]:
    """A thread that waits: the system may deliver signals to it."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("other_thread")
@pytest.mark.parametrize(("module", "call"), [(os, "mkdir"), (os, "unlink"), (shutil, "rmtree")])
def test_temporary_folder_is_gone_whenever_sigterm_comes(
    module: Any, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, call, followed_by_sigterm(getattr(module, call)))
    with (
        pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)),
        ended_in_order(),
        temporary_folder("some-", tmp_path) as folder,
    ):
        (folder / "a").touch()
        (folder / "b").touch()
    assert list(tmp_path.iterdir()) == []


def followed_by_sigterm(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that sends this process a SIGTERM after it has worked."""

    def called(*arguments: Any, **keywords: Any) -> Any:
        result = call(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # for the thread that the system delivers it to
        return result

    return called


def test_temporary_folder_of_a_thread_is_gone(tmp_path: Path) -> None:
    def work() -> None:
        with temporary_folder("some-", tmp_path) as folder:
            (folder / "a").touch()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert list(tmp_path.iterdir()) == []


def test_temporary_folder_is_made_for_its_owner_alone_and_an_error_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), temporary_folder("some-", tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        raise ValueError("wrong")
    assert not folder.exists()
