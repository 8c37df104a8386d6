"""`make env` uses the first Python that is new enough, or fails with a remedy."""

import shutil
import subprocess
from pathlib import Path

import pytest
from files import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def add_python(folder: Path, name: str, status: int) -> None:
    """Put a Python there that is new enough, or not, and says so when it is to do more."""
    python = folder / "bin" / name
    python.parent.mkdir(exist_ok=True)
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {status}\necho "$0 $*"; exit 7\n')
    python.chmod(0o755)


def make_env(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}:/nowhere"
    # The shell and make themselves are found by their full names.
    return subprocess.run(
        [str(shutil.which("make")), "SHELL=/bin/sh", "env", *more],
        cwd=folder,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_python_that_is_too_old_is_refused_in_a_sentence(folder: Path) -> None:
    add_python(folder, "python3", 1)
    for more, name in (((), "python3"), (("PYTHON=python3",), "python3")):
        result = make_env(folder, *more)
        assert result.returncode == 2
        assert result.stderr.splitlines()[0] == (
            f"psfalign: error: {name}: is no Python 3.11 or later with venv; install one, or name "
            "it: make env PYTHON=python3.x"
        )


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13", "python3"])
def test_whatever_python_is_new_enough_is_taken(folder: Path, name: str) -> None:
    add_python(folder, "python3", 0 if name == "python3" else 1)
    add_python(folder, name, 0)
    assert f"{name} -m venv --clear .venv" in make_env(folder).stdout
