"""The checkout that the code runs from: its commit, and all of its code in one file."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ..files.provenance.code import PACKAGE

CHECKOUT = PACKAGE.parents[2]
# What runs, and what says what it needs; not the profiles, which may tell of somebody's site.
PARTS = (
    "LICENSE",
    "Snakefile",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
    "workflow",
)
READABLE = 0o644
SECONDS = 10.0  # that git may take on a slow disk


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


def list_code(checkout: Path = CHECKOUT) -> list[Path]:
    """List the files of the code, sorted by path; what programs leave behind is none of it."""
    files = [path for part in PARTS for path in [checkout / part, *(checkout / part).rglob("*")]]
    return sorted(path for path in files if path.is_file() and not _is_made(path, checkout))


def _is_made(path: Path, checkout: Path) -> bool:
    """Return whether a file is one that programs leave behind."""
    parts = path.relative_to(checkout).parts
    return any(
        part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info")
        for part in parts
    )
