"""Print what was measured, where, and with which versions, and keep it as a small page."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from environments import peer_versions

from psfalign import __version__

RESULTS = Path(__file__).parent / "results"
OURS = ("numpy", "scipy", "astropy")


class Report:
    """Lines that are printed as they come, and written to results/<name>.md in the end."""

    def __init__(self, name: str, title: str, releases: Sequence[str]) -> None:
        self._path = RESULTS / f"{name}.md"
        self._lines: list[str] = []
        self.say(f"# {title}", "", f"`python benchmarks/{name}.py`, {datetime.now(UTC):%Y-%m-%d}")
        self.say("", *_versions(releases), "")

    def say(self, *lines: str) -> None:
        """Print lines and keep them."""
        for line in lines:
            print(line, flush=True)
        self._lines += lines

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table in Markdown."""
        self.say("| " + " | ".join(columns) + " |", "|---" * len(columns) + "|")
        self.say(*("| " + " | ".join(map(str, row)) + " |" for row in rows), "")

    def write(self) -> None:
        """Keep the page, unless the stored one has cases that this run lacks."""
        self.say("", f"Load of the machine in the end: {os.getloadavg()[0]:.1f}.")
        page = "\n".join(self._lines).rstrip() + "\n"
        stored = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        lacking = cases(stored) - cases(page)
        if lacking:
            names = ", ".join(sorted(lacking))
            print(f"{self._path}: not written; it has cases that this run lacks: {names}")
            print("give their --data, or remove the page first")
            return
        RESULTS.mkdir(exist_ok=True)
        self._path.write_text(page, encoding="utf-8")


def cases(page: str) -> set[str]:
    """Return what the rows of the tables of a page are about: their first cells, unless numbers."""
    return set(re.findall(r"^\| ([^\d|][^|]*) \|", page, re.MULTILINE))


def _versions(releases: Sequence[str]) -> list[str]:
    own = {"psfalign": f"{__version__} ({_commit()})"} | {name: version(name) for name in OURS}
    peers = [peer_versions(release) for release in releases]
    lines = [f"- {_list(versions)}" for versions in (own, *peers)]
    cores = os.cpu_count()
    machine = f"{_processor()}, {cores} cores, Python {platform.python_version()}"
    return [*lines, f"- {machine}, {platform.system()}"]


def _commit() -> str:
    """Name the checkout's commit, and say whether the workflow differs from it."""
    commit = _git("rev-parse", "--short=8", "HEAD")
    changed = _git("status", "--porcelain", "--", "../workflow")
    return f"{commit or 'no commit'}{', changed' if changed else ''}"


def _git(*words: str) -> str:
    command = ["git", *words]
    answer = subprocess.run(
        command, cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _list(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
