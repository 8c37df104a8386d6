"""What the machine that psfalign runs on has to give."""

import resource
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError, PsfalignError
from .output_folder import say_bytes

MEMINFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")  # where a container sees the limits of its own control group


def check_memory(
    needs: Mapping[tuple[str, str], int], available: int | None
) -> list[PsfalignError]:
    """
    Say where jobs cannot run for want of memory, once for each name.

    Parameters
    ----------
    needs
        Bytes that jobs need, by the name of exposure or stack, and of the rule.
    available
        Bytes that there are; None where nobody knows.
    """
    if available is None:
        return []
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


def available_memory() -> int | None:
    """Return the bytes that a new process may take: of the machine, its container, its limits."""
    known = [_of_machine(), _of_group(GROUP), _of_limit()]
    return min((size for size in known if size is not None), default=None)


def _of_machine() -> int | None:
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(kibibytes) * 1024 for kibibytes in found), None)


def _of_group(folder: Path) -> int | None:
    """Return what a control group (version 2) leaves, None where it sets no limit."""
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
