"""Write the RO-Crate of a campaign: its metadata, its configuration, and the code."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..campaign.exposures import ScienceExposure
from ..campaign.facts import FactsStore
from ..campaign.layout import SHARED, exposure_endings, result, shared_results
from ..campaign.settings import Settings
from ..errors import PsfalignError
from ..files.fits.structure import scan
from ..files.provenance.records import Records
from ..files.provenance.table import read_records
from ..system.atomic_file import publish_bytes
from .checkout import pack_code, read_commit
from .rocrate import CODE, CONFIGURATION, METADATA, CrateFile, Run, describe_campaign
from .verify.origins import compare_code

ABSENT = (FileNotFoundError, NotADirectoryError)


def write_crate(
    settings: Settings,
    exposures: Iterable[ScienceExposure],
    facts: FactsStore,
    *,
    threads: int = 1,
) -> Path:
    """
    Write the RO-Crate of the present results of a campaign.

    The crate lists exposures without a product. Times are those of the product files, but not later
    than SOURCE_DATE_EPOCH of the environment: the same results give the same bytes.

    Parameters
    ----------
    settings, exposures
        The configuration and its exposures.
    facts
        The store of checksums, so that unchanged files are not read again.
    threads
        How many files are read at the same time.

    Returns
    -------
    The file of the metadata.
    """
    root = settings.output_dir
    facts.look_again()
    names = [exposure.name for exposure in exposures]
    made = {name: found for name in names if (found := _find(root, name))}
    shared = [path for scope in SHARED for path in shared_results(root, scope)]
    paths = [*shared, *(path for result in made.values() for path in result.paths)]
    # Threads, because Snakemake cannot be forked; hashing releases the interpreter lock.
    with ThreadPoolExecutor(threads) as pool:
        digests = pool.map(facts.digest, paths)
        files = {
            path: _describe(path, root, digest) for path, digest in zip(paths, digests, strict=True)
        }
    facts.save()
    runs = [_run(name, result, files) for name, result in made.items()]
    configuration = json.dumps(settings.as_dict(), indent=2, ensure_ascii=False) + "\n"
    contents = {CODE: pack_code(), CONFIGURATION: configuration.encode()}
    for name, content in contents.items():
        _publish(root / name, content)
    own = [
        CrateFile(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in contents.items()
    ]
    text = describe_campaign(
        runs,
        own,
        [files[path] for path in shared],
        time=max((run.time for run in runs), default=_time(0.0)),
        commit=read_commit(),
        missing=[name for name in names if name not in made],
    )
    _publish(root / METADATA, text.encode())
    return root / METADATA


class _Result(NamedTuple):
    """The files of an exposure, the product first, and the records of the product."""

    paths: list[Path]
    records: Records


def _find(root: Path, exposure: str) -> _Result | None:
    """
    Return the results of an exposure; None if it has no product, or a damaged one.

    Errors of the disk are raised, because then it is not known whether there is a product.
    """
    product = result(root, "align_psfs", exposure)
    files = (root / exposure / f"{exposure}{ending}" for ending in exposure_endings())
    others = sorted(path for path in files if path != product and path.is_file())
    try:
        records = read_records(product, scan(product))
    except PsfalignError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, ABSENT):
            raise
        return None
    return _Result([product, *others], [*records, *_subtraction(root, exposure, records)])


def _subtraction(root: Path, exposure: str, before: Records) -> Records:
    """Return what the subtracted exposure records besides what the product does."""
    path = result(root, "subtract_psf", exposure)
    try:
        records = read_records(path, scan(path))
    except PsfalignError:  # not there, or damaged; `verify` says so
        return []
    return [record for record in records if record not in before]


def _describe(path: Path, root: Path, digest: str) -> CrateFile:
    return CrateFile(path.relative_to(root).as_posix(), digest, path.stat().st_size)


def _run(exposure: str, result: _Result, files: Mapping[Path, CrateFile]) -> Run:
    time = _time(result.paths[0].stat().st_mtime)
    own, by_this_code = [files[path] for path in result.paths], not compare_code(result.records)
    return Run(exposure, result.records, own, time, by_this_code=by_this_code)


def _time(seconds: float) -> str:
    latest = os.environ.get("SOURCE_DATE_EPOCH", "")
    if latest.isdecimal():
        seconds = min(seconds, int(latest))
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _publish(path: Path, content: bytes) -> None:
    """Write a file, unless it has this content already."""
    if not path.is_file() or path.read_bytes() != content:
        publish_bytes(path, content)
