"""Verify results, and print the findings."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...campaign.configuration import read_settings
from ...campaign.exclusion import exclusion_of
from ...campaign.exposures import ScienceExposure, plan_exposures
from ...campaign.layout import result_pattern
from ...campaign.settings import Settings
from ...errors import ConfigError, InputError, PsfalignError, error_line
from ...files.fits.structure import check_regular_file
from ...files.provenance.records import list_mixture
from ...files.text import LARGEST_CRATE, read_text
from ...psfmask.resolved import ResolvedMask
from ..rocrate import CONFIGURATION, METADATA, listed_digests
from .origins import Files
from .results import Expected, Verdict, verify


def verify_targets(
    targets: Sequence[Path], config: Path | None, folders: Sequence[Path], *, threads: int
) -> int:
    """
    Verify results, and print a line for each file with findings.

    Parameters
    ----------
    targets
        Products, or output directories.
    config
        The configuration to compare with; None for that of the results.
    folders
        Folders of inputs, in addition to those of the configuration.
    threads
        How many files are read at the same time.

    Returns
    -------
    int
        0 if no file is wrong, otherwise 1.
    """
    start = time.perf_counter()
    verdicts: list[Verdict] = []
    empty: list[Path] = []
    for target in targets:
        if not target.is_dir():
            check_regular_file(target)
        found = []
        for verdict in verify(target, expect(target, config, folders), threads=threads):
            _print(verdict)
            found.append(verdict)
        if target.is_dir() and not any(verdict.is_product for verdict in found):
            empty.append(target)
        elif target.is_dir() and not (target / METADATA).is_file():
            said = "is not there, so that no file is missed; write it with psfalign crate"
            print(f"psfalign: warning: {target / METADATA}: {said}", file=sys.stderr)
        verdicts += found
    for target in empty:
        raise InputError("holds no product", file=target, remedy="name another folder")
    mixture = list_mixture(verdict.versions for verdict in verdicts)
    if mixture:
        print(f"made with several versions, by number of products: {'; '.join(mixture)}")
    print(_sum_up(verdicts, time.perf_counter() - start))
    return int(any(verdict.problems for verdict in verdicts))


def expect(target: Path, config: Path | None, folders: Iterable[Path]) -> Expected:
    """Return what results are compared with: the configuration, and the folders of inputs."""
    paths = [path for folder in folders for path in _list_files(folder)]
    digests = _read_crate(target)
    campaign = _read_config(target, config)
    if campaign is None:
        return Expected({}, None, Files([*_list_masks(target), *paths]), digests)
    settings, exposures = campaign
    own = {exposure.name: exclusion_of(settings, exposure) for exposure in exposures}
    paths = [*_list_inputs(exposures), *_list_masks(target), *paths]
    by_name = {exposure.name: exposure for exposure in exposures}
    return Expected(settings.parameters(), by_name, Files(paths), digests, own)


def _read_config(
    target: Path, config: Path | None
) -> tuple[Settings, list[ScienceExposure]] | None:
    """Read a configuration; that of the results may be of another release."""
    path = config or target / CONFIGURATION
    if config is None and not path.is_file():
        return None
    try:
        settings = read_settings(path)
        exposures = plan_exposures(settings)
    except PsfalignError as error:
        if config is not None:
            raise
        print(f"psfalign: warning: {path}: not compared with: {error}", file=sys.stderr)
        return None
    return settings, exposures


def _read_crate(target: Path) -> dict[Path, str]:
    """Return the checksums in the RO-Crate of a campaign; none for a single product."""
    path = target / METADATA
    if not path.is_file():
        return {}
    try:
        digests = listed_digests(read_text(path, largest=LARGEST_CRATE))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        remedy = "write it with psfalign crate"
        raise InputError("is not an RO-Crate", file=path, remedy=remedy) from error
    return {target / name: digest for name, digest in digests.items()}


def _list_inputs(exposures: Sequence[ScienceExposure]) -> Iterator[Path]:
    for exposure in exposures:
        yield from (exposure.science, *exposure.stack.members)
        if exposure.association:
            yield exposure.association


def _list_masks(target: Path) -> Iterator[Path]:
    """Return the masks that each psfmask.json names."""
    pattern = result_pattern("resolve_psfmask").format(exposure="*")
    names = target.glob(pattern) if target.is_dir() else target.parent.glob(Path(pattern).name)
    for name in names:
        try:
            mask = ResolvedMask.read(name)
        except PsfalignError:
            continue  # `verify` says so
        if mask.is_file:
            yield Path(mask.psfmask)


def _list_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        problem, remedy = "is not a folder", "name a folder"
        raise ConfigError(problem, keyword="--inputs", value=folder, remedy=remedy)
    return (path for path in folder.rglob("*") if path.is_file())


def _print(verdict: Verdict) -> None:
    for problem in verdict.problems:
        print(error_line(problem), file=sys.stderr, flush=True)
    if not verdict.problems and (verdict.notes or verdict.is_product):
        said = "; ".join(["ok", *verdict.notes] if verdict.is_product else verdict.notes)
        print(f"{verdict.path}: {said}", flush=True)


def _sum_up(verdicts: Sequence[Verdict], seconds: float) -> str:
    products = sum(verdict.is_product for verdict in verdicts)
    wrong = sum(bool(verdict.problems) for verdict in verdicts)
    size = sum(verdict.size for verdict in verdicts) / 1e9
    files = sum(verdict.size > 0 for verdict in verdicts)
    return (
        f"{products} products, {wrong} files wrong; "
        f"read {files} files, {size:.2f} GB, {size / seconds:.2f} GB/s"
    )
