"""Measure the available memory, and refuse jobs that need more."""

import resource
from collections.abc import Mapping
from pathlib import Path

import psutil

from ..errors import InputError, PsfalignError
from .output_folder import say_bytes

TOLD = Path("/proc/self/cgroup")  # names the control group of this process
GROUPS = Path("/sys/fs/cgroup")


def check_memory(needs: Mapping[tuple[str, str], int], available: int) -> list[PsfalignError]:
    """
    Return an error for each exposure or stack with a job that needs more memory.

    Parameters
    ----------
    needs
        Bytes that jobs need, by the name of exposure or stack, and of the rule.
    available
        Available bytes.
    """
    return [
        InputError(
            f"{rule} needs {say_bytes(size)}, {say_bytes(available)} available",
            file=name,
            remedy="run it where there is more memory",
        )
        for name, (size, rule) in _largest(needs).items()
        if size > available
    ]


def _largest(needs: Mapping[tuple[str, str], int]) -> dict[str, tuple[int, str]]:
    largest: dict[str, tuple[int, str]] = {}
    for (name, rule), size in needs.items():
        largest[name] = max((size, rule), largest.get(name, (0, "")))
    return largest


def available_memory() -> int:
    """Return the bytes that a new process can use, within the limits of machine and containers."""
    known = [psutil.virtual_memory().available, _of_limit(), *map(_of_group, control_groups())]
    return min(size for size in known if size is not None)


def control_groups(told: Path = TOLD) -> list[Path]:
    """Return the folders of this process's control group (version 2) and of those around it."""
    try:
        lines = told.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    folder = GROUPS / own
    return [group for group in (folder, *folder.parents) if group.is_relative_to(GROUPS)]


def _of_group(folder: Path) -> int | None:
    """Return the bytes that a control group leaves, None if it has no limit."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cached = (folder / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    # Pages of files are given back when a process asks for memory.
    files = next(int(x.split()[1]) for x in cached.splitlines() if x.startswith("file "))
    return max(0, int(limit) - used + files)


def _of_limit() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
