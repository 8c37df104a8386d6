"""Results of a small campaign, and what `verify` says about them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from files import SCIENCE_STEPS, scene, write_exposure, write_mask, write_psfs

from psfalign.cli import main
from psfalign.fit.integration import FitOptions
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask

NAME = "sci_a3001"
NO_CRATE = (
    "psfalign: warning: results/ro-crate-metadata.json: is not there, so that no file is missed; "
    "write it with psfalign crate"
)
PRODUCT = f"results/{NAME}/{NAME}_psfalign.fits"


def make_results(folder: Path, psfmask: str = "mask.fits") -> None:
    """Make the results of a campaign of one exposure with an empty second integration."""
    science = scene(SCIENCE_STEPS)
    science[1] = np.nan
    write_exposure(folder / "data/sci_calints.fits", science)
    write_psfs(folder / "data/star_psfstack.fits")
    write_mask(folder / "data/mask.fits")
    results = folder / "results"
    stem = results / NAME / NAME
    mask, clean, shifts = (
        Path(f"{stem}_{end}") for end in ("psfmask.json", "clean.fits", "shifts.ecsv")
    )
    psfs = results / "psfstacks/star_clean.fits"
    named = psfmask if psfmask == "N/A" else str(folder / "data" / psfmask)
    resolve_psfmask(folder / "data/sci_calints.fits", mask, psfmask=named)
    clean_exposure(folder / "data/sci_calints.fits", clean)
    clean_exposure(folder / "data/star_psfstack.fits", psfs)
    fit_exposure(clean, psfs, mask, shifts, options=FitOptions(max_shift=4))
    align_exposure(psfs, shifts, mask, folder / PRODUCT, candidate="a3001")
    config = {
        "output_dir": "results",
        "exposures": [
            {
                "science": "data/sci_calints.fits",
                "psfs": "data/star_psfstack.fits",
                "asn_id": "a3001",
            }
        ],
        "psfmask": {"references": ["data/mask.fits"]},
        "align_refs": {"max_shift": 4},
    }
    (results / "configuration.json").write_text(json.dumps(config))


def verify(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """Return the exit code, what is said, and what is wrong besides the crate that is not there."""
    capsys.readouterr()
    code = main(["verify", *(arguments or ("results",))])
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line != NO_CRATE]
    return code, said.out.splitlines(), errors


def rewrite(change: Callable[[fits.HDUList], None], path: str = PRODUCT) -> None:
    """Edit a file, and renew its checksums."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        for hdu in hdus:
            hdu.add_checksum(when="")
        hdus.writeto(path, overwrite=True)
