"""What can be known of the output directory before anything is written to it."""

import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ConfigError
from .exposures import ScienceExposure, real_path
from .facts import FactsStore
from .layout import CLEAN, LOGS, PRODUCT, PSFSTACK, REPORT, STACKS, of_exposure, of_stack

STORED_PIXEL = 12  # bytes of SCI, ERR and DQ
STORED_PAIR = 400  # bytes of a pair in both tables of shifts, about
STORED_EXPOSURE = 400_000  # bytes of headers, weight, logs and picture, about


def check_output(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Refuse an output directory that is a file, read-only, or would write beside inputs."""
    exposures = list(exposures)
    check_folder(output, exposures)
    check_inputs_apart(output, exposures)


def check_folder(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Refuse an output directory that is a file, or that nothing can be written to."""
    parts = [output, *(output / name for name in (STACKS, REPORT, LOGS))]
    for folder in (*parts, *(output / exposure.name for exposure in exposures)):
        if folder.is_symlink() and not folder.exists():
            raise _refusal("is a link to nothing", folder, "name a folder")
        existing = _nearest(folder)
        if not existing.is_dir():
            raise _refusal("is a file", existing, "name a folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise _refusal("cannot be written to", existing, "name another folder")


def check_inputs_apart(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Refuse an output directory in which results would lie beside inputs."""
    root, stacks = real_path(output), real_path(output / STACKS)
    for exposure in exposures:
        written = (stacks, real_path(output / exposure.name))
        for path in (exposure.science, *exposure.stack.members):
            file = real_path(path)
            if os.path.dirname(file) in written or _is_result(file, root):  # noqa: PTH120
                problem = f"{path} lies where results are written"
                raise _refusal(problem, output, "name another folder")


def _is_result(file: str, root: str) -> bool:
    """Return whether a file is named like a result of any exposure in the output directory."""
    folder, name = os.path.split(file)
    above, exposure = os.path.split(folder)
    return above == root and name in (f"{exposure}{CLEAN}", f"{exposure}{PRODUCT}")


def check_space(output: Path, sizes: Mapping[Path, int]) -> None:
    """Refuse a disk that has not room for files of these sizes, less what is there of them."""
    missing = {path: size - _size_of(path) for path, size in sizes.items()}
    needed = sum(size for size in missing.values() if size > 0)
    folder = _nearest(output)
    free = shutil.disk_usage(folder).free
    if needed > free:
        problem = f"needs {say_bytes(needed)}, {say_bytes(free)} available"
        raise _refusal(problem, output, "free some, or name a folder on another disk")
    inodes, status = sum(size > 0 for size in missing.values()), os.statvfs(folder)
    if status.f_files and inodes > status.f_favail:
        problem = f"needs {inodes} new files, inodes for {status.f_favail} available"
        raise _refusal(problem, output, "remove files, or name a folder on another disk")


def expected_sizes(
    output: Path,
    exposures: Iterable[ScienceExposure],
    masks: Mapping[str, list[Path]],
    facts: FactsStore,
    *,
    align_to: str = "each",
    keep_intermediates: bool = True,
) -> dict[Path, int]:
    """Estimate the bytes of all results that stay, from the inputs."""
    exposures = list(exposures)
    sizes: dict[Path, int] = {}
    n_psfs: dict[str, int] = {}
    for stack in {exposure.stack.name: exposure.stack for exposure in exposures}.values():
        members = [facts.exposure(path) for path in stack.members]
        n_psfs[stack.name] = sum(member["integrations"] for member in members)
        size = n_psfs[stack.name] * math.prod(members[0]["shape"]) * STORED_PIXEL
        clean, psfstack = (of_stack(output, stack.name, end) for end in (CLEAN, PSFSTACK))
        # What is cleaned keeps all that its source has: errors in double precision, variances.
        sizes[clean] = max(size, _size_of(stack.members[0])) if stack.is_stacked else size
        if keep_intermediates and not stack.is_stacked:
            sizes[psfstack] = size
    for exposure in exposures:
        science = facts.exposure(exposure.science)
        aligned_each = align_to == "each" and masks[exposure.name]
        n_pairs = n_psfs[exposure.stack.name] * (science["integrations"] if aligned_each else 1)
        n_pixels = math.prod(science["shape"])
        clean, product = (of_exposure(output, exposure.name, end) for end in (CLEAN, PRODUCT))
        if keep_intermediates:
            size = science["integrations"] * n_pixels * STORED_PIXEL
            sizes[clean] = max(size, _size_of(exposure.science))
        sizes[product] = n_pairs * n_pixels * STORED_PIXEL
        if not product.exists():
            sizes[product] += n_pairs * STORED_PAIR + STORED_EXPOSURE
    return sizes


def say_bytes(size: float) -> str:
    """Write a number of bytes in the unit that a disk's maker uses."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _nearest(folder: Path) -> Path:
    """Return the folder, or what there is already of its way."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refusal(problem: str, folder: Path, remedy: str) -> ConfigError:
    return ConfigError(problem, keyword="output_dir", value=folder, remedy=remedy)
