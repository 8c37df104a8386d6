"""Compare psfalign's psfstack with that of StackRefsStep of jwst 1.15.1, pixel by pixel."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from cases import Case, chosen_cases
from report import Report
from runs import run_peer, stack

RELEASE = "1.15.1"
EXTENSIONS = ("SCI", "ERR", "DQ")


def compare_case(case: Case, folder: Path) -> tuple[str, ...]:
    """Stack the psf exposures of a case with both, and count the pixels that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = stack(case, folder), folder / "jwst_psfstack.fits"
    run_peer(RELEASE, "stack_refs", theirs, *case.psfs, folder=folder)
    differing = []
    for name in EXTENSIONS:
        own, other = (fits.getdata(path, name) for path in (ours, theirs))
        same = own.shape == other.shape and np.array_equal(own, other, equal_nan=name != "DQ")
        differing.append("equal" if same else f"{np.sum(own != other)} differ")
    shape = " × ".join(map(str, fits.getdata(ours, "SCI").shape))
    return case.name, str(len(case.psfs)), shape, *differing


def main() -> None:
    """Compare all cases whose psf images are not stacked yet."""
    report = Report("stack", f"psfstacks of psfalign and jwst {RELEASE}", [RELEASE])
    with chosen_cases(__doc__) as (cases, folder):
        unstacked = [case for case in cases if len(case.psfs) > 1]
        rows = [compare_case(case, folder / str(i)) for i, case in enumerate(unstacked)]
    report.table(("case", "exposures", "planes × rows × columns", *EXTENSIONS), rows)
    report.write()


if __name__ == "__main__":
    main()
