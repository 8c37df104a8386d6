"""
How long a large catalogue of masks takes: to read its headers, to recall them, and to choose.

The masks are small, but only their headers are read; those of real masks are about as long.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from psfalign.system.process import prepare_process

prepare_process()

import numpy as np
from astropy.io import fits

from report import Report
from runs import pin_to_one_core

from psfalign.campaign.checks import choose_masks
from psfalign.campaign.configuration import complete_config
from psfalign.campaign.exposures import ScienceExposure, Stack
from psfalign.campaign.facts import FactsStore

N_MASKS = 1000
N_FILTERS = 50  # different masks otherwise differ in USEAFTER
COUNTS = (1, 100, 1000)  # of exposures
SHAPE = (32, 40)
CARDS = {
    "TELESCOP": "JWST",
    "INSTRUME": "NIRCAM",
    "CORONMSK": "MASKA335R",
    "SUBARRAY": "SUB320A335R",
}


def write_mask(path: Path, number: int) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(CARDS | {"REFTYPE": "PSFMASK", "FILTER": filter_of(number)})
    primary.header["USEAFTER"] = f"{2000 + number // N_FILTERS}-01-01T00:00:00"
    fits.HDUList([primary, fits.ImageHDU(np.ones(SHAPE, np.float32), name="SCI")]).writeto(path)


def write_exposure(path: Path, number: int) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(CARDS | {"FILTER": filter_of(number)})
    primary.header.update({"DATE-OBS": "2023-06-01", "TIME-OBS": "12:00:00"})
    cube = np.zeros((1, *SHAPE), np.float32)
    fits.HDUList([primary, fits.ImageHDU(cube, name="SCI")]).writeto(path)


def filter_of(number: int) -> str:
    return f"F{number % N_FILTERS:03}M"


def write_all(folder: Path, count: int, write: Callable[[Path, int], None]) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number:04}.fits" for number in range(count)]
    for number, path in enumerate(paths):
        write(path, number)
    return paths


@contextmanager
def timed(rows: list[tuple[str, str]], what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    rows.append((what, f"{time.perf_counter() - start:.3f}"))


def measure(folder: Path) -> list[tuple[str, str]]:
    """Read, recall and choose; a store of facts is made anew for each, as in each run."""
    masks = write_all(folder / "masks", N_MASKS, write_mask)
    science = write_all(folder / "science", max(COUNTS), write_exposure)
    stack = Stack("psfs", (), is_stacked=True)
    exposures = [ScienceExposure(p.stem, p, "a3001", stack, None, "") for p in science]
    entry = {"science": str(science[0]), "psfs": "psfs.fits", "asn_id": "a3001"}
    masks_of = {"references": [str(folder / "masks")]}
    settings = complete_config({"exposures": [entry], "psfmask": masks_of})
    cache = folder / "facts.json"
    rows: list[tuple[str, str]] = []
    with timed(rows, f"read the headers of {N_MASKS:,} masks"):
        facts = FactsStore(cache)
        for path in masks:
            facts.mask(path)
        facts.save()
    with timed(rows, "recall them in the next run"):
        facts = FactsStore(cache)
        for path in masks:
            facts.mask(path)
    for path in science:
        facts.exposure(path)
    for count in COUNTS:
        with timed(rows, f"choose among them for {count:,} known exposures"):
            _, errors = choose_masks(settings, exposures[:count], facts)
        if errors:
            raise RuntimeError(errors[0])
    return rows


def main() -> None:
    """Measure and report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("catalogue", "A large catalogue of masks", [])
    with tempfile.TemporaryDirectory() as name:
        report.table(("step", "seconds"), measure(Path(name)))
    report.write()


if __name__ == "__main__":
    main()
