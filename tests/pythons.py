"""The Pythons that psfalign is for, as far as this machine has them."""

import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")


def find(version: str) -> str | None:
    """Look on PATH, where pyenv's may be that do not answer, and among pyenv's own."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for path in [*pyenv, shutil.which(f"python{version}")]:
        command = [str(path), "-c", "import ensurepip, venv"]
        if path and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


PYTHONS = {version: find(version) for version in VERSIONS}
