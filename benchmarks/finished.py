"""
Finished campaigns of any size, of which the workflow made three exposures.

The other exposures get copies of their results, in which names and digests of inputs are replaced
by their own and checksums are set anew: what they say of themselves is what a run would have
written. Pixels and figures are those of the three.
"""

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from campaigns import ROLLS, Campaign, write_campaign
from runs import Measured

from psfalign.campaign.configuration import read_settings
from psfalign.campaign.exposures import ScienceExposure, plan_exposures
from psfalign.files.fits.checksums import add
from psfalign.files.fits.outline import Outline, outline
from psfalign.files.fits.writer import encode_checksum
from psfalign.steps.registry import STEPS, Scope

N_MADE = 1 + ROLLS  # the exposure that shares nothing, and an association
SUFFIXES = (".fits", ".ecsv", ".json")  # of what says how it was made
CHECKSUM, DATASUM = b"CHECKSUM= '", b"DATASUM = '"


def touch(campaign: Campaign, batches: int) -> list[Measured]:
    """Let Snakemake go through all jobs of a finished campaign in batches, and remember them."""
    rules = (step for step in STEPS if STEPS[step].scope in (Scope.EXPOSURE, Scope.STACK))
    touching = ("--touch", "--no-hooks", "--cores", "1", "--forcerun", *rules)
    numbers = (f"exposures={number}/{batches}" for number in range(1, batches + 1))
    return [campaign.engine(*touching, "--batch", number, "exposures") for number in numbers]


def write_finished(folder: Path, n_exposures: int, made: Campaign) -> Campaign:
    """Write a campaign, and the results of all its exposures."""
    campaign = write_campaign(folder, n_exposures)
    patterns = _by_place(made)
    for place, exposure in _by_place(campaign).items():
        pattern = patterns[place if place in patterns else (0, place[1])]
        _copy(made, pattern, campaign, exposure)
    return campaign


def make_pattern(folder: Path) -> Campaign:
    """Run the workflow on the exposures whose results are copied."""
    campaign = write_campaign(folder, N_MADE)
    campaign.engine("--cores", "1")
    return campaign


def _by_place(campaign: Campaign) -> dict[tuple[int, int], ScienceExposure]:
    """Return the exposures by the number of their association, the one without by -1, and roll."""
    found: dict[tuple[int, int], ScienceExposure] = {}
    with contextlib.chdir(campaign.folder):
        for exposure in plan_exposures(read_settings(Path(campaign.config.name))):
            program, roll = re.match(r"jw(\d{5})\d+_\d+_(\d+)", exposure.name).groups()
            found[int(program) - 10_000 if exposure.association else -1, int(roll)] = exposure
    return found


def _copy(
    made: Campaign, pattern: ScienceExposure, campaign: Campaign, exposure: ScienceExposure
) -> None:
    words = dict(_translations(made, pattern, campaign, exposure))
    results = made.folder / "results"
    for name in (pattern.name, pattern.stack.name):
        for path in _files_of(results, name):
            target = campaign.folder / "results" / _translate(str(path.relative_to(results)), words)
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_renamed(path, words))


@functools.cache
def _files_of(results: Path, name: str) -> tuple[Path, ...]:
    found = results.rglob(f"{name}_*")
    return tuple(path for path in found if path.is_file() and path.suffix != ".log")


def _translations(
    made: Campaign, pattern: ScienceExposure, campaign: Campaign, exposure: ScienceExposure
) -> Iterator[tuple[str, str]]:
    """Yield what is called how in which campaign: digests of files, and names."""
    for old, new in zip(_inputs(pattern), _inputs(exposure), strict=True):
        yield _digest(made.folder / old), _digest(campaign.folder / new)
    yield pattern.stack.name, exposure.stack.name
    yield pattern.name[:7], exposure.name[:7]


def _inputs(exposure: ScienceExposure) -> tuple[Path, ...]:
    association = (exposure.association,) if exposure.association else ()
    return (exposure.science, *exposure.stack.members, *association)


@functools.lru_cache(maxsize=100)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _translate(text: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def _renamed(path: Path, words: Mapping[str, str]) -> bytes:
    content = path.read_bytes()
    if path.suffix not in SUFFIXES:
        return content
    for old, new in words.items():
        content = content.replace(old.encode(), new.encode())
    return b"".join(_sealed(content, outline(path))) if path.suffix == ".fits" else content


def _sealed(content: bytes, hdus: list[Outline]) -> Iterator[bytes]:
    """Yield a file of these HDUs with the checksums of its bytes."""
    start = 0
    for hdu in hdus:
        header, data = content[start : hdu.data_start], content[hdu.data_start : hdu.end]
        datasum = _sum(data)
        header = _set(header, DATASUM, str(datasum))
        header = _set(header, CHECKSUM, "0" * 16)
        total = add(datasum, _sum(header))
        yield _set(header, CHECKSUM, encode_checksum(~total & 0xFFFFFFFF))
        yield data
        start = hdu.end


def _set(header: bytes, key: bytes, value: str) -> bytes:
    at = header.index(key)
    return header[:at] + (key + value.encode() + b"'").ljust(80) + header[at + 80 :]


def _sum(content: bytes) -> int:
    return add(int(np.frombuffer(content, ">u4").sum(dtype=np.uint64)))
