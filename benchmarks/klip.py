"""
Return psfalign's products to the KLIP step of jwst, and compare with what jwst makes of its own.

The 4D product (align_to: each) goes to jwst 1.15.1, the 3D product (align_to: first) to jwst 3.0.0;
with either, the science exposure that psfalign cleaned.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from cases import Case, chosen_cases
from report import Report
from runs import align, pin_to_one_core, run_peer

from psfalign.images.dq_flags import FLUX_ESTIMATED

RELEASES = ("1.15.1", "1.16.1", "3.0.0")
OPENED = ("case", "KLIP of", "product opens as", "axes", "DQ", "complaints", "KLIP", "finite")
RESIDUALS = (
    "case",
    "science",
    "psfalign, each",
    "jwst 1.15.1",
    "difference",
    "psfalign, first",
    "jwst 1.16.1",
    "jwst 3.0.0",
    "difference to 1.16.1",
)
LEGEND = (
    "Root mean square of the science image and of the residuals of KLIP, where the mask has a",
    "weight above 0.5 and the science pixel was not replaced, over all integrations; in the unit",
    "of the file. Columns 3 to 5: KLIP of 1.15.1 with each product, and the rms of the difference",
    "of their residuals; columns 6 to 9: KLIP of 3.0.0 likewise.",
)


@dataclass(frozen=True)
class Subtraction:
    """What KLIP made of a product."""

    summary: dict[str, Any]
    residual: NDArray[np.float64]


def subtract(science: Path, product: Path, release: str, folder: Path) -> Subtraction:
    """Run KLIP of a release on a cleaned exposure and aligned psf images."""
    output = folder / f"{product.stem}_klip.fits"
    summary = run_peer(release, "klip", science, product, output, folder=folder)
    return Subtraction(summary, fits.getdata(output, "SCI").astype(np.float64))


def own(case: Case, folder: Path) -> dict[str, Subtraction]:
    """Subtract psfalign's products, 4D and 3D."""
    results = {}
    for align_to, release in (("each", "1.15.1"), ("first", "3.0.0")):
        steps = align(case, folder, align_to=align_to)
        results[align_to] = subtract(steps.science, steps.product, release, folder)
    return results


def peers(case: Case, folder: Path) -> dict[str, Subtraction]:
    """Subtract what AlignRefsStep of each release makes of the files as they are."""
    steps = align(case, folder)
    results = {}
    for release in RELEASES:
        product = folder / f"jwst_{release.replace('.', '_')}.fits"
        files = case.science, steps.stack, case.psfmask, product
        run_peer(release, "align_refs", *files, folder=folder)
        klip = "1.15.1" if release == "1.15.1" else "3.0.0"
        results[release] = subtract(steps.science, product, klip, folder)
    return results


def opened(case: Case, subtraction: Subtraction, release: str) -> tuple[object, ...]:
    """Return how jwst took a product."""
    psfs, step = subtraction.summary["psfs"], subtraction.summary["step"]
    axes = " × ".join(map(str, psfs["arrays"]["data"]))
    complaints = "; ".join(psfs["complaints"]) or "none"
    finite = "yes" if subtraction.summary["finite"] else "no"
    return case.name, release, psfs["model"], axes, psfs["dtypes"]["dq"], complaints, step, finite


def residuals(case: Case, folder: Path, found: dict[str, Subtraction]) -> tuple[object, ...]:
    """Return the row of a case in the table of residuals."""
    with fits.open(folder / "science_clean.fits") as science:
        good = (science["DQ"].data & FLUX_ESTIMATED) == 0
        seen = good & (fits.getdata(case.psfmask, "SCI") > 0.5)
        images = {"science": science["SCI"].data[seen].astype(np.float64)}
    images |= {name: subtraction.residual[seen] for name, subtraction in found.items()}
    images["four"] = images["each"] - images["1.15.1"]
    images["three"] = images["first"] - images["1.16.1"]
    order = ("science", "each", "1.15.1", "four", "first", "1.16.1", "3.0.0", "three")
    return case.name, *(f"{np.sqrt(np.mean(np.square(images[name]))):.4g}" for name in order)


def main() -> None:
    """Subtract all cases."""
    pin_to_one_core()
    report = Report("klip", "psfalign's products in KLIP of jwst", RELEASES)
    taken, left = [], []
    with chosen_cases(__doc__) as (cases, folder):
        for number, case in enumerate(cases):
            place = folder / str(number)
            found = own(case, place)
            taken += [opened(case, found["each"], "1.15.1"), opened(case, found["first"], "3.0.0")]
            left.append(residuals(case, place, found | peers(case, place)))
    report.say("## Accepted", "")
    report.table(OPENED, taken)
    report.say("## Residuals", "", *LEGEND, "")
    report.table(RESIDUALS, left)
    report.write()


if __name__ == "__main__":
    main()
