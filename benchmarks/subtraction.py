"""
CPU time of subtract_psf, beside that of reading what it subtracts.

20 integrations × 50 psf images of 320 × 320 pixels, one thread on one core. Reading is that of SCI,
ERR and DQ of the product, checksums verified, as subtract_psf reads them; both are timed by turns.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from psfalign.system.process import prepare_process

prepare_process()

import numpy as np

from report import Report
from runs import pin_to_one_core
from scenes import PSFMASK, PSFS, SCIENCE

from psfalign.files.aligned import AlignedPsfs
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask
from psfalign.steps.subtract import subtract_psf

SIZE = (20, 50, 320, 320)
ROUNDS = 5
COLUMNS = ("subtract_psf (s)", "reading (s)", "beyond reading (s)", "range")
CLEAN_SCIENCE, CLEAN_PSFS, MASK = "science.fits", "psfs.fits", "mask.json"
SHIFTS, PRODUCT, SUBTRACTED = "shifts.ecsv", "product.fits", "psfsub.fits"


def prepare(folder: Path) -> None:
    """Take a job up to the product."""
    script = Path(__file__).with_name("scenes.py")
    subprocess.run([sys.executable, *map(str, (script, folder, *SIZE))], check=True)
    resolve_psfmask(folder / SCIENCE, folder / MASK, psfmask=str(folder / PSFMASK))
    clean_exposure(folder / SCIENCE, folder / CLEAN_SCIENCE)
    clean_exposure(folder / PSFS, folder / CLEAN_PSFS)
    fit_exposure(*(folder / name for name in (CLEAN_SCIENCE, CLEAN_PSFS, MASK, SHIFTS)))
    align_exposure(*(folder / name for name in (CLEAN_PSFS, SHIFTS, MASK, PRODUCT)))


def read(folder: Path) -> None:
    """Read the product as subtract_psf does."""
    with AlignedPsfs(folder / PRODUCT) as psfs:
        numbers = np.arange(len(psfs))
        for integration in range(SIZE[0]):
            psfs.read_images(integration)
            psfs.read_errors(integration, numbers)
            psfs.read_flags(integration, numbers)


def subtract(folder: Path) -> None:
    """Subtract the star."""
    subtract_psf(folder / CLEAN_SCIENCE, folder / PRODUCT, folder / SUBTRACTED)


def seconds(work: Callable[[Path], None], folder: Path) -> float:
    """Return the CPU time of a piece of work, without that of replacing an output."""
    (folder / SUBTRACTED).unlink(missing_ok=True)
    start = time.process_time()
    work(folder)
    return time.process_time() - start


def main() -> None:
    """Measure both by turns, after a first time that does not count."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("subtraction", "Subtracting the star, beyond reading", [])
    report.say(
        "{}×{} planes of {}×{}; CPU seconds, medians of {} rounds.".format(*SIZE, ROUNDS), ""
    )
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        folder = Path(name)
        prepare(folder)
        rounds = [[seconds(work, folder) for work in (subtract, read)] for _ in range(ROUNDS + 1)]
    whole, reading = zip(*rounds[1:], strict=True)
    beyond = [one - other for one, other in zip(whole, reading, strict=True)]
    medians = (f"{median(values):.2f}" for values in (whole, reading, beyond))
    report.table(COLUMNS, [(*medians, f"{min(beyond):.2f}–{max(beyond):.2f}")])
    report.write()


if __name__ == "__main__":
    main()
