"""
Compare cleaned science images with those of jwst 1.15.1, pixel by pixel.

Where psfalign differs on purpose: in the first row and column, where jwst's box is empty; where the
box holds no good pixel, which jwst sets to 0; and where a NaN has no flag.
"""

from pathlib import Path

import numpy as np
from astropy.io import fits

from cases import Case, chosen_cases
from report import Report
from runs import align, run_peer

RELEASE = "1.15.1"
COLUMNS = ("case", "pixels", "bad", "good that differ", "bad that differ", "0 in jwst's")


def compare_case(case: Case, folder: Path) -> tuple[str, ...]:
    """Clean the science exposure of a case with both, and count the pixels that differ."""
    ours, theirs = align(case, folder).science, folder / "jwst_clean.npy"
    run_peer(RELEASE, "clean", case.science, theirs, folder=folder)
    own, other = fits.getdata(ours, "SCI"), np.load(theirs)
    flagged = (fits.getdata(case.science, "DQ") & 1) != 0
    bad = flagged | ~np.isfinite(fits.getdata(case.science, "SCI"))
    differs = ~((own == other) | (np.isnan(own) & np.isnan(other)))
    counts = (own.size, bad.sum(), (differs & ~bad).sum(), (differs & bad).sum())
    zeros = (differs & bad & (other == 0)).sum()
    return case.name, *map(str, (*counts, zeros))


def main() -> None:
    """Compare all cases."""
    report = Report("clean", f"Bad pixels replaced by psfalign and jwst {RELEASE}", [RELEASE])
    with chosen_cases(__doc__) as (cases, folder):
        rows = [compare_case(case, folder / str(i)) for i, case in enumerate(cases)]
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
