"""The checkout or wheel that the code runs from: its commit, and copies of its code."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, PsfalignError
from ..files.provenance.code import PACKAGE
from ..system.process import temporary_folder

# A wheel holds the files of a checkout in a folder beside the library; setup.py puts them there.
INSTALLED = PACKAGE.parent / "psfalign_workflow"
CHECKOUT = INSTALLED if INSTALLED.is_dir() else PACKAGE.parents[2]
# The code and its requirements; not the profiles, which may tell of somebody's site.
PARTS = (
    "LICENSE",
    "Snakefile",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
    "workflow",
)
# Files that users change: the demo's configuration and their site's profiles.
CHANGED = ("config", "profiles")
READABLE = 0o644
SECONDS = 10.0  # for git on a slow disk


@dataclass(frozen=True)
class Commit:
    """
    The git commit of a checkout.

    Attributes
    ----------
    name
        Its hash.
    is_modified
        Whether files of the checkout differ from it.
    """

    name: str
    is_modified: bool


def read_commit(checkout: Path = CHECKOUT) -> Commit | None:
    """Ask git for the commit; None where there is no git, or no repository of psfalign's own."""
    if not (checkout / ".git").exists():
        return None
    name = _git(checkout, "rev-parse", "--verify", "HEAD")
    status = _git(checkout, "status", "--porcelain", "--", *PARTS)
    return None if name is None or status is None else Commit(name, is_modified=bool(status))


def _git(checkout: Path, *words: str) -> str | None:
    # Without locks git only reads: `status` would else refresh the index. A file system monitor
    # is a program that the repository names, so it is switched off.
    options = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(checkout))
    try:
        answer = subprocess.run(
            ["git", *options, *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def pack_code(checkout: Path = CHECKOUT) -> bytes:
    """Put the code into a tar file, whose bytes depend on names and contents alone."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in list_code(checkout):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"psfalign/{path.relative_to(checkout).as_posix()}")
            entry.size, entry.mode = len(content), READABLE
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def deploy_workflow(folder: Path, checkout: Path = CHECKOUT) -> None:
    """
    Write the whole workflow, ready to run, into a new folder, which appears complete or not at all.

    Raises
    ------
    ConfigError
        If there is something in the folder.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        problem, remedy = "is not empty", "name a new folder"
        raise ConfigError(problem, keyword="FOLDER", value=folder, remedy=remedy)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(".psfalign-", folder.parent) as place:
        copy = place / folder.name
        for path in [*list_code(checkout), *_list_files(checkout, CHANGED)]:
            target = copy / path.relative_to(checkout)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        copy.rename(folder)


def list_code(checkout: Path = CHECKOUT) -> list[Path]:
    """List the files of the code, sorted by path, without what programs leave behind."""
    files = _list_files(checkout, PARTS)
    if checkout / "Snakefile" not in files:
        problem, remedy = "the workflow is not beside the library", "install psfalign's own wheel"
        raise PsfalignError(problem, file=checkout, remedy=remedy)
    return files


def _list_files(checkout: Path, parts: Sequence[str]) -> list[Path]:
    files = [path for part in parts for path in [checkout / part, *(checkout / part).rglob("*")]]
    return sorted(path for path in files if path.is_file() and not _is_made(path, checkout))


def _is_made(path: Path, checkout: Path) -> bool:
    """Return whether a file is one that programs leave behind."""
    parts = path.relative_to(checkout).parts
    return any(
        part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info")
        for part in parts
    )
