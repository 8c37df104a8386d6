"""Write the RO-Crate of a campaign: its metadata, its configuration, and the code."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .campaign import ScienceExposure
from .checkout import pack_code, read_commit
from .crate import CODE, CONFIGURATION, METADATA, CrateFile, Run, describe_campaign
from .errors import PsfalignError
from .facts import FactsStore
from .files.provenance import read_records
from .files.structure import scan
from .layout import CLEAN, PRODUCT, PSFMASK, SHIFTS, STACKS, of_exposure
from .publish import publish_bytes
from .verify.origins import compare_code

ENDS = (PRODUCT, SHIFTS, CLEAN, PSFMASK)  # the product first


def write_crate(
    config: dict[str, Any],
    exposures: Iterable[ScienceExposure],
    facts: FactsStore,
    *,
    threads: int = 1,
) -> Path:
    """
    Describe the results of a campaign as they are now.

    Exposures without a product are named as such. Times are those of the products' files, none
    later than the environment's SOURCE_DATE_EPOCH: the same results give the same bytes.

    Parameters
    ----------
    config, exposures
        The complete configuration and its exposures.
    facts
        Where checksums are remembered, so that a file is read once.
    threads
        How many files to read at a time.

    Returns
    -------
    The file of the metadata.
    """
    root = Path(config["output_dir"])
    made = {exposure.name: _list_files(root, exposure.name) for exposure in exposures}
    shared = sorted(root.glob(f"{STACKS}/*.fits"))
    paths = [*shared, *(path for files in made.values() for path in files)]
    # Threads, because the engine cannot be forked, and digesting waits for no interpreter.
    with ThreadPoolExecutor(threads) as pool:
        digests = pool.map(facts.digest, paths)
        files = {
            path: _describe(path, root, digest) for path, digest in zip(paths, digests, strict=True)
        }
    facts.save()
    runs = [_run(name, [files[path] for path in own], root) for name, own in made.items() if own]
    settings = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    contents = {CODE: pack_code(), CONFIGURATION: settings.encode()}
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
        missing=[name for name, own in made.items() if not own],
    )
    _publish(root / METADATA, text.encode())
    return root / METADATA


def _list_files(root: Path, exposure: str) -> list[Path]:
    """Give the files of an exposure, none where it has no product that can be read."""
    paths = [of_exposure(root, exposure, end) for end in ENDS]
    try:
        scan(paths[0])
    except PsfalignError:
        return []
    return [path for path in paths if path.is_file()]


def _describe(path: Path, root: Path, digest: str) -> CrateFile:
    return CrateFile(path.relative_to(root).as_posix(), digest, path.stat().st_size)


def _run(exposure: str, files: Sequence[CrateFile], root: Path) -> Run:
    path = root / files[0].path
    records = read_records(path, scan(path))
    time = _time(path.stat().st_mtime)
    return Run(exposure, records, files, time, by_this_code=not compare_code(records))


def _time(seconds: float) -> str:
    latest = os.environ.get("SOURCE_DATE_EPOCH", "")
    if latest.isdecimal():
        seconds = min(seconds, int(latest))
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _publish(path: Path, content: bytes) -> None:
    """Leave a file alone that has this content already."""
    if not path.is_file() or path.read_bytes() != content:
        publish_bytes(path, content)
