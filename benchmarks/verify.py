"""How fast `verify` checks a product and its inputs, beside reading and digesting its bytes."""

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from psfalign.system.process import prepare_process

prepare_process()

from report import Report
from scenes import PSFMASK, PSFS, SCIENCE
from steps import SIZE, align, prepare, simulate

from psfalign.archive.verify.command import expect
from psfalign.archive.verify.results import verify

RUNS = 5
CHUNK = 1 << 22


def read(path: Path) -> None:
    """Read a file to its end, from the disk where its pages were dropped before."""
    with open(path, "rb") as stream:
        while stream.read(CHUNK):
            pass


def digest(path: Path) -> None:
    with open(path, "rb") as stream:
        hashlib.file_digest(stream, "sha256")


def check(path: Path, folders: tuple[Path, ...] = ()) -> None:
    [verdict, *_] = verify(path, expect(path, None, folders), threads=1)
    assert not verdict.problems, verdict.problems[0]
    assert bool(folders) != any("not at hand" in note for note in verdict.notes)


def forget(path: Path) -> None:
    """Drop a file's pages from memory; without root's rights this is a request."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(product: Path, inputs: Path) -> list[tuple[str, str, str, str]]:
    """Time everything in turn, from memory and from the disk, and return the medians."""
    size = product.stat().st_size / 1e9
    works: dict[str, Callable[[], object]] = {
        "read the product": lambda: read(product),
        "SHA-256 of the product": lambda: digest(product),
        "verify the product": lambda: check(product),
        "verify it and its inputs": lambda: check(product, (inputs,)),
    }
    times: dict[tuple[str, bool], list[float]] = {}
    for _ in range(RUNS):
        for cold in (False, True):
            for name, work in works.items():
                if cold:
                    forget(product)
                times.setdefault((name, cold), []).append(seconds(work))
    rows = []
    for name in works:
        hot, cold = (median(times[name, cold]) for cold in (False, True))
        rows.append((name, f"{hot:.2f}", f"{size / hot:.2f}", f"{size / cold:.2f}"))
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report("verify", "Verifying a product", ())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, *SIZE)
        prepare(folder)
        align(folder)
        inputs = folder / "inputs"
        inputs.mkdir()
        for file in (SCIENCE, PSFS, PSFMASK):
            (folder / file).rename(inputs / file)
        product = folder / "alone" / "product_psfalign.fits"
        product.parent.mkdir()
        (folder / "product.fits").rename(product)
        size = product.stat().st_size / 1e9
        report.say("{}×{} planes of {}×{}".format(*SIZE) + f", {size:.2f} GB, one thread.", "")
        columns = ("what", "from memory (s)", "from memory (GB/s)", "from disk (GB/s)")
        report.table(columns, measure(product, inputs))
    report.write()


if __name__ == "__main__":
    main()
