"""All steps of one exposure, as the workflow calls them, on files of `tests/files.py`."""

from pathlib import Path
from typing import Any

import numpy as np
from files import SCIENCE_STEPS, scene, write_exposure, write_mask, write_psfs

from psfalign.fit.integration import FitOptions
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask

OPTIONS = FitOptions(max_shift=4)


def run(inputs: Path, out: Path, **options: Any) -> dict[str, Path]:
    """All steps, as the workflow calls them."""
    names = ("psfmask.json", "sci_clean.fits", "star_clean.fits", "shifts.ecsv", "psfalign.fits")
    paths = dict(
        zip(("mask", "science", "psfs", "shifts", "product"), map(out.joinpath, names), strict=True)
    )
    psfmask = options.pop("psfmask", str(inputs / "mask.fits"))
    errors = options.pop("errors", "variance")
    threads = options.pop("threads", 1)
    resolve_psfmask(inputs / "sci_calints.fits", paths["mask"], psfmask=psfmask)
    clean_exposure(inputs / "sci_calints.fits", paths["science"])
    clean_exposure(inputs / "star_psfstack.fits", paths["psfs"])
    options.setdefault("options", OPTIONS)
    fit_exposure(
        paths["science"], paths["psfs"], paths["mask"], paths["shifts"], threads=threads, **options
    )
    align_exposure(
        paths["psfs"], paths["shifts"], paths["mask"], paths["product"],
        candidate="a3001", errors=errors, threads=threads,
    )  # fmt: skip
    return paths


def failing(tmp_path: Path) -> Path:
    """Inputs with an empty second integration."""
    folder = tmp_path / "in"
    science = scene(SCIENCE_STEPS)
    science[1] = np.nan
    write_exposure(folder / "sci_calints.fits", science)
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    return folder
