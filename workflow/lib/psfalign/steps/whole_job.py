"""Run all steps of one exposure, from calibrated files to the product, without Snakemake."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import PsfalignError
from ..fit.integration import FitOptions
from ..images.arrays import Errors
from ..system.process import temporary_folder
from .align import align_exposure
from .clean import clean_exposure
from .fit import fit_exposure
from .resolve import resolve_psfmask
from .stack import stack_psfs


def align_files(
    science: Path,
    psfs: Sequence[Path],
    psfmask: str,
    output: Path,
    *,
    convention: str = "auto",
    cleaning: dict[str, Any] | None = None,
    fitting: dict[str, Any] | None = None,
    errors: Errors = "variance",
    candidate: str = "",
    association: Path | None = None,
    threads: int = 1,
) -> None:
    """
    Make the product of one exposure, with intermediate files in a temporary folder.

    Parameters
    ----------
    science
        The calibrated science exposure.
    psfs
        One psfstack, or calibrated psf exposures to stack in this order.
    psfmask
        The mask file, or ``N/A``.
    output
        The product to write.
    convention
        See `psfalign.steps.resolve.resolve_psfmask`.
    cleaning
        Options of `psfalign.steps.clean.clean_exposure`.
    fitting
        Options of `psfalign.fit.integration.FitOptions` and `psfalign.steps.fit.fit_exposure`.
    errors, candidate, association
        See `psfalign.steps.align.align_exposure`.
    threads
        How many processes fit and shift. The written bytes do not depend on it.
    """
    rest = dict(fitting or {})
    options = FitOptions.take(rest)
    with temporary_folder("psfalign-") as folder:
        mask, shifts = folder / "psfmask.json", folder / "shifts.ecsv"
        bad_bits = {k: v for k, v in (cleaning or {}).items() if k == "bad_bits"}
        resolve_psfmask(science, mask, psfmask=psfmask, convention=convention, **bad_bits)
        stack = psfs[0]
        if len(psfs) > 1:
            stack = folder / "psfstack.fits"
            stack_psfs(psfs, stack)
        clean_science, clean_psfs = folder / "science.fits", folder / "psfs.fits"
        clean_exposure(science, clean_science, **(cleaning or {}))
        clean_exposure(stack, clean_psfs, **(cleaning or {}))
        with named_as({clean_science: science, clean_psfs: psfs[0]}):
            fit_exposure(
                clean_science, clean_psfs, mask, shifts, options=options, threads=threads, **rest
            )
            align_exposure(
                clean_psfs,
                shifts,
                mask,
                output,
                candidate=candidate,
                association=association,
                errors=errors,
                threads=threads,
            )


@contextmanager
def named_as(originals: Mapping[Path, Path]) -> Iterator[None]:
    """Name in errors the files that temporary ones were made from."""
    try:
        yield
    except PsfalignError as error:
        for temporary, original in originals.items():
            error.problem = error.problem.replace(str(temporary), str(original))
            if error.file is not None:
                error.file = str(error.file).replace(str(temporary), str(original))
        raise
