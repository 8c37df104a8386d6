"""Check the output directory before anything is written to it."""

import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ConfigError
from ..steps.registry import STEPS, Planes, Scope, Step
from .exposures import ScienceExposure, Stack, real_path
from .facts import FactsStore
from .layout import FOLDERS, exposure_endings, outputs, result

STORED_PIXEL = 12  # bytes of SCI, ERR and DQ
STORED_STAGE = 8  # bytes of an image and its error
TURNED = 2.2  # pixels that an image takes when it is turned, with its star near the middle
STORED_PAIR = 400  # bytes of a pair in both tables of shifts, about
STORED_EXPOSURE = 400_000  # bytes of headers, weight, logs and picture, about


def check_output(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Raise an error if the output directory is a file, read-only, or contains inputs."""
    exposures = list(exposures)
    check_folder(output, exposures)
    check_inputs_apart(output, exposures)


def check_folder(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Raise an error if the output directory is a file or not writable."""
    parts = [output, *(output / name for name in FOLDERS)]
    for folder in (*parts, *(output / exposure.name for exposure in exposures)):
        if folder.is_symlink() and not folder.exists():
            raise _refusal("is a link to nothing", folder, "name a folder")
        existing = _nearest(folder)
        if not existing.is_dir():
            raise _refusal("is a file", existing, "name a folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise _refusal("cannot be written to", existing, "name another folder")


def check_inputs_apart(output: Path, exposures: Iterable[ScienceExposure]) -> None:
    """Raise an error if results would be written to folders of inputs."""
    root, shared = real_path(output), [real_path(output / name) for name in FOLDERS]
    for exposure in exposures:
        written = (*shared, real_path(output / exposure.name))
        for path in (exposure.science, *exposure.stack.members):
            file = real_path(path)
            if os.path.dirname(file) in written or _is_result(file, root):  # noqa: PTH120
                problem = f"{path} lies where results are written"
                raise _refusal(problem, output, "name another folder")


def _is_result(file: str, root: str) -> bool:
    """Return whether a file is named like a result of any exposure in the output directory."""
    folder, name = os.path.split(file)
    above, exposure = os.path.split(folder)
    return above == root and name in {f"{exposure}{ending}" for ending in exposure_endings()}


def check_space(output: Path, sizes: Mapping[Path, int]) -> None:
    """Raise an error if the disk has no space for files of these sizes, less existing ones."""
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
    n_stages: int = 0,
) -> dict[Path, int]:
    """Estimate the sizes of all permanent results in bytes; without stages, no subtraction."""
    exposures = list(exposures)
    stacks = {exposure.stack.name: exposure.stack for exposure in exposures}
    n_psfs = {name: sum(planes) for name, planes in _planes(stacks, facts).items()}
    made = [step for step in STEPS.values() if keep_intermediates or not step.is_intermediate]
    sizes: dict[Path, int] = {}
    for name, stack in stacks.items():
        first = facts.exposure(stack.members[0])
        n_planes = {Planes.PSFS: n_psfs[name]}
        size = _sizes(output, made, Scope.STACK, name, math.prod(first["shape"]), n_planes)
        if stack.is_stacked:
            size.pop(result(output, "stack_psfs", name), None)
            _keep_extras(size, result(output, "clean_psfs", name), facts.size(stack.members[0]))
        sizes |= size
    for exposure in exposures:
        science, name = facts.exposure(exposure.science), exposure.name
        n_integrations, psfs = science["integrations"], n_psfs[exposure.stack.name]
        aligned_each = align_to == "each" and masks[name]
        n_pairs = psfs * (n_integrations if aligned_each else 1)
        staged = n_integrations + math.ceil(n_integrations * n_stages * STORED_STAGE / STORED_PIXEL)
        n_planes = {
            Planes.INTEGRATIONS: n_integrations,
            Planes.PSFS: psfs,
            Planes.PAIRS: n_pairs,
            Planes.STAGES: staged if n_stages else 0,
        }
        pixels = math.prod(science["shape"])
        size = _sizes(output, made, Scope.EXPOSURE, name, pixels, n_planes)
        _keep_extras(size, result(output, "clean_science", name), facts.size(exposure.science))
        product = result(output, "align_psfs", name)
        if not product.exists():
            size[product] += n_pairs * STORED_PAIR + STORED_EXPOSURE
        sizes |= size
    return sizes | _combined_sizes(output, exposures, facts, made, n_stages)


def _combined_sizes(
    output: Path,
    exposures: Iterable[ScienceExposure],
    facts: FactsStore,
    steps: Iterable[Step],
    n_stages: int,
) -> dict[Path, int]:
    """Return the sizes of the combined images in bytes, as if all could be made."""
    largest: dict[str, int] = {}
    for exposure in exposures if n_stages else ():
        name = exposure.name_in(Scope.ASSOCIATION)
        pixels = math.prod(facts.exposure(exposure.science)["shape"])
        largest[name] = max(pixels, largest.get(name, 0))
    # SCI, ERR and DQ hold the numbers of components, STAGES and STAGEERR the two stages before.
    n_planes = {Planes.COMBINED: n_stages - 2 + math.ceil(2 * STORED_STAGE / STORED_PIXEL)}
    sizes: dict[Path, int] = {}
    for name, pixels in largest.items():
        turned = math.ceil(TURNED * pixels)
        sizes |= _sizes(output, steps, Scope.ASSOCIATION, name, turned, n_planes)
    return sizes


def _planes(stacks: Mapping[str, Stack], facts: FactsStore) -> dict[str, list[int]]:
    """Return how many images each member of each stack holds."""
    return {
        name: [facts.exposure(path)["integrations"] for path in stack.members]
        for name, stack in stacks.items()
    }


def _sizes(
    output: Path,
    steps: Iterable[Step],
    scope: Scope,
    name: str,
    pixels: int,
    n_planes: Mapping[Planes, int],
) -> dict[Path, int]:
    """Return the bytes of the images that steps of a scope write for one exposure or stack."""
    own = outputs(step for step in steps if step.scope is scope)
    return {
        result(output, step.name, name, part): n_planes[file.planes] * pixels * STORED_PIXEL
        for step, part, file in own
        if n_planes.get(file.planes)
    }


def _keep_extras(sizes: dict[Path, int], clean: Path, source: int) -> None:
    """Return the bytes that a cleaned file copies from its source, such as variances."""
    if clean in sizes:
        sizes[clean] = max(sizes[clean], source)


def say_elsewhere(output: object) -> str:
    """Return the line on what is not written if the results are in object storage."""
    return (
        "the results are in storage, so the campaign's page and the RO-Crate are not written; copy "
        f"the folder {output} from there to here, then run `psfalign summary` and `psfalign crate`"
    )


def say_bytes(size: float) -> str:
    """Return a number of bytes in decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _nearest(folder: Path) -> Path:
    """Return the nearest folder that exists, of a folder and those around it."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refusal(problem: str, folder: Path, remedy: str) -> ConfigError:
    return ConfigError(problem, keyword="output_dir", value=folder, remedy=remedy)
