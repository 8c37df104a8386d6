"""
Let spaceKLIP subtract the folder that docs/own_data.md describes, and compare what is left.

spaceKLIP is no package of PyPI: give a checkout of it. Dummies stand for webbpsf_ext and stpsf,
which need reference data and have no part in this.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from cases import DATA, Case, folder_cases
from programs import first_of_each_mask
from report import Report
from runs import Steps, align, pin_to_one_core, run_own_command, run_peer

from psfalign.steps.combine import combine_rolls

NEEDS = "spaceklip needs"
RINGS = ((6, 12), (12, 25), (25, 50))  # pixels from the star
COLUMNS = ("case", "components", "pixels from the star", "science", "psfalign", "spaceKLIP")
LEGEND = (
    "Root mean square in rings around the star, in the unit of the file, of one science exposure",
    "north up: as it is, less the psf images of the 3D product by psfalign (region: image) and by",
    "spaceKLIP (mode RDI, one annulus). pyKLIP shifts, then turns; psfalign turns at once.",
)


def lay_out(steps: Steps, psfmask: Path, folder: Path) -> None:
    """Lay files as spaceKLIP wants them: calints in their names, STARCENX, a mask for each."""
    folder.mkdir()
    for name, path in (("science", steps.science), ("psfs", steps.product)):
        copy = folder / f"{name}_calints.fits"
        shutil.copy(path, copy)
        shutil.copy(psfmask, folder / f"{name}_calints_psfmask.fits")
        header = fits.getheader(copy, "SCI")
        for star, reference in (("STARCENX", "CRPIX1"), ("STARCENY", "CRPIX2")):
            fits.setval(copy, star, value=header.get(star, header[reference]), extname="SCI")


def scatter(
    image: NDArray[np.floating], inner: float, outer: float, star: NDArray[np.float64]
) -> str:
    """Return the root mean square in a ring."""
    rows, columns = np.indices(image.shape)
    radius = np.hypot(columns - star[0], rows - star[1])
    ring = image[(radius >= inner) & (radius < outer)].astype(np.float64)
    return f"{np.sqrt(np.nanmean(ring**2)):.4g}"


def compare(case: Case, folder: Path, checkout: Path) -> list[tuple[object, ...]]:
    """Subtract a case with both, with one and with all components."""
    steps = align(case, folder, align_to="first")
    modes = [1, fits.getval(steps.product, "NAXIS3", "SCI")]
    left, northup = folder / "psfsub.fits", folder / "northup.fits"
    run_own_command(
        "subtract", science=steps.science, product=steps.product, region="image", output=left
    )
    combine_rolls([left], northup, folder / "contrast.ecsv")
    lay_out(steps, case.psfmask, folder / "input")
    found = run_peer(
        NEEDS, "subtract_spaceklip", checkout, folder / "input", folder / "output", *modes,
        folder=folder,
    )  # fmt: skip
    theirs = fits.getdata(found["file"])
    middle = (np.array(theirs.shape[:0:-1]) - 1) / 2  # where pyKLIP puts the star
    rows = []
    with fits.open(northup) as hdus:
        header = hdus["SCI"].header
        star = np.array([header["CRPIX1"] - 1, header["CRPIX2"] - 1])
        numbers = [header[f"KLMODE{n}"] for n in range(len(hdus["SCI"].data))]
        for n, number in enumerate(modes):
            ours = hdus["SCI"].data[numbers.index(number)]
            for ring in RINGS:
                before = scatter(hdus["STAGES"].data[0], *ring, star)
                pair = scatter(ours, *ring, star), scatter(theirs[n], *ring, middle)
                rows.append((case.name, number, f"{ring[0]}–{ring[1]}", before, *pair))
    return rows


def main() -> None:
    """Compare the first case of each mask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, nargs="?", help="a checkout of spaceKLIP")
    parser.add_argument("--data", type=Path, default=DATA, help="a folder with flight/")
    options = parser.parse_args()
    if options.checkout is None:
        print("no checkout of spaceKLIP, nothing to do")
        return
    pin_to_one_core()
    commit = ["git", "-C", options.checkout, "rev-parse", "--short", "HEAD"]
    report = Report("spaceklip", "A folder of psfalign's files in spaceKLIP", [NEEDS])
    name = subprocess.run(commit, check=True, text=True, capture_output=True).stdout.strip()
    report.say(f"spaceKLIP {name}.", "", *LEGEND, "")
    with tempfile.TemporaryDirectory() as name:
        cases = first_of_each_mask(folder_cases(options.data / "flight"))
        places = [(case, Path(name) / case.name) for case in cases]
        rows = [row for place in places for row in compare(*place, options.checkout.resolve())]
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
