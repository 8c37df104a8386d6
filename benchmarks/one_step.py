"""
One step of the workflow in a process of its own, which prints its peak memory and CPU time.

Run as ``one_step.py STEP FOLDER OPTIONS``: a folder that ``scenes.py`` wrote, and options in JSON.
"""

import json
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import snakemake.iocontainers
import snakemake.script  # noqa: F401 - a script of the workflow begins by loading it

from psfalign.system.process import prepare_process

prepare_process()

from scenes import PSFMASK, PSFS, SCIENCE


def run(step: str, folder: Path, options: dict[str, Any]) -> None:
    """Run a step; each imports what it needs and nothing else, as the workflow's scripts do."""
    science, psfs = folder / "science_clean.fits", folder / "psfs_clean.fits"
    mask, shifts = folder / "psfmask.json", folder / "shifts.ecsv"
    if step == "resolve_psfmask":
        from psfalign.steps.resolve import resolve_psfmask

        resolve_psfmask(folder / SCIENCE, mask, psfmask=str(folder / PSFMASK))
    elif step == "stack_psfs":
        from psfalign.steps.stack import stack_psfs

        stack_psfs([folder / SCIENCE, folder / PSFS], folder / "stack.fits")
    elif step in ("clean_science", "clean_psfs"):
        from psfalign.steps.clean import clean_exposure

        is_science = step == "clean_science"
        clean_exposure(folder / (SCIENCE if is_science else PSFS), science if is_science else psfs)
    elif step == "fit_shifts":
        from psfalign.fit.integration import FitOptions
        from psfalign.steps.fit import fit_exposure

        how = {name: options.pop(name) for name in ("method", "weighting") if name in options}
        fit_exposure(science, psfs, mask, shifts, options=FitOptions(**how), **options)
    elif step == "align_psfs":
        from psfalign.steps.align import align_exposure

        align_exposure(psfs, shifts, mask, folder / "product.fits", **options)
    elif step == "subtract_psf":
        from psfalign.steps.subtract import subtract_psf

        subtract_psf(science, folder / "product.fits", folder / "psfsub.fits")
    elif step == "combine_rolls":
        from psfalign.steps.combine import combine_rolls

        combine_rolls([folder / "psfsub.fits"], folder / "northup.fits", folder / "contrast.ecsv")
    elif step == "plot_exposure":
        from psfalign.report.exposure import Pages, plot_exposure

        pages = Pages(*(folder / f"page{number}" for number in range(len(fields(Pages)))))
        plot_exposure(science, psfs, shifts, mask, pages, name="scene")
    else:
        sys.exit(f"no step {step}")


def peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell a process's peak memory")


if __name__ == "__main__":
    name, place, settings = sys.argv[1:]
    run(name, Path(place), json.loads(settings))
    print(json.dumps({"peak": peak(), "cpu": time.process_time()}))
