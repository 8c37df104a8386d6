"""Programs of extras and groups that are not in the default environment."""

import subprocess
import sys
from pathlib import Path

import pytest
from files import ROOT

ENVIRONMENTS = (Path(sys.prefix), ROOT / ".venv-deploy", ROOT / ".venv-slurm", ROOT / ".venv")


def find_python(*modules: str) -> Path:
    """Return the Python of an environment with these modules; skip the test without any."""
    for environment in ENVIRONMENTS:
        python = environment / "bin" / "python"
        command = [str(python), "-c", f"import {', '.join(modules)}"]
        if (
            python.is_file()
            and not subprocess.run(command, capture_output=True, check=False).returncode
        ):
            return python
    pytest.skip(
        f"no {', '.join(modules)}: make env-s3 env-deploy, or the same with VENV=.venv-slurm"
    )


def find_program(name: str, *, beside: str = "python") -> Path:
    """Return a program of an environment that has another one, too; skip the test without any."""
    for environment in ENVIRONMENTS:
        found, other = environment / "bin" / name, environment / "bin" / beside
        if found.is_file() and other.is_file():
            return found
    pytest.skip(f"no {beside}: make env-s3 env-deploy, or the same with VENV=.venv-slurm")
