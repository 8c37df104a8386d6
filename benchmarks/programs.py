"""
Open psfalign's products in the programs that people subtract with, and compare what is left.

The 4D product (align_to: each) goes to KlipStep of jwst 1.15.1, the 3D product (align_to: first) to
that of jwst 1.16.1 and 3.0.0 and to pyKLIP, each with the cleaned science exposure; psfalign
subtracts the same products itself, in the whole image, as they do.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from cases import Case, chosen_cases
from klip import subtract
from report import Report
from runs import Steps, align, pin_to_one_core, run_own_command, run_peer

PYKLIP = "pyklip 2.10.1"
RELEASES = ("1.15.1", "1.16.1", "3.0.0", PYKLIP)
PRODUCTS = (
    ("each", "1.15.1"),
    ("first", "1.16.1"),
    ("first", "3.0.0"),
)  # align_to, and the jwst that takes its result
PARITY = ("case", "product", "jwst", "science", "left by psfalign", "by jwst", "difference")
PARITY_LEGEND = (
    "Root mean square of the science image, and of what psfalign (region: image) and KlipStep of",
    "jwst leave, in the unit of the file. The difference is the largest of a pixel, over the",
    "brightest pixel of the science image.",
)
RINGS = ("case", "psfs", "science", "psfalign", "pyKLIP", "center_include_offset=False")
STARS = ("case", "file", "CRPIX1, CRPIX2", "STARCENX, STARCENY", "XOFFSET, YOFFSET")
STARS_LEGEND = (
    "What the headers say of the star (pixels of the array, from 1) and of the target's offset",
    "(arcsec), which pyKLIP adds; psfs is the first exposure or the stack of the psf images.",
)
RINGS_LEGEND = (
    "Root mean square between {} and {} pixels from the star, which pyKLIP shifts to the middle",
    "and turns north up, with all psf images of the 3D product. The last two columns agree where",
    "the headers say where the images of the product are.",
)
INNER, OUTER = 6, 30  # pixels from the star
Image = NDArray[np.float64]


def own(steps: Steps) -> Path:
    """Subtract a product with psfalign, in the whole image; it is not done twice."""
    output = steps.product.with_name(f"{steps.product.stem}_psfsub.fits")
    files = {"science": steps.science, "product": steps.product}
    run_own_command("subtract", **files, region="image", output=output)
    return output


def compare_klip(case: Case, folder: Path, align_to: str, release: str) -> tuple[object, ...]:
    """Compare psfalign's subtraction of a product with that of jwst."""
    steps = align(case, folder, align_to=align_to)
    science = _read(steps.science)
    left = _read(own(steps))
    theirs = subtract(steps.science, steps.product, release, folder).residual
    difference = np.abs(left - theirs).max() / np.abs(science).max()
    scatters = (f"{np.sqrt(np.mean(image**2)):.4g}" for image in (science, left, theirs))
    return case.name, "4D" if align_to == "each" else "3D", release, *scatters, f"{difference:.1e}"


def compare_pyklip(case: Case, folder: Path) -> tuple[object, ...]:
    """Compare psfalign's subtraction of the 3D product with pyKLIP's, in a ring."""
    steps = align(case, folder, align_to="first")
    arguments = (steps.science, steps.product, INNER, OUTER, folder)
    found: dict[str, Any] = run_peer(PYKLIP, "subtract_pyklip", *arguments, folder=folder)
    left = _read(own(steps))
    header = fits.getheader(steps.science, "SCI")
    rows, columns = np.indices(left.shape[1:])
    radius = np.hypot(columns - header["CRPIX1"] + 1, rows - header["CRPIX2"] + 1)
    ring = left[:, (radius >= INNER) & (radius < OUTER)]
    own_scatter = np.sqrt(np.mean(ring**2))
    numbers = found["science"], own_scatter, found["default"], found["without_offsets"]
    return case.name, found["psfs"], *(f"{number:.4g}" for number in numbers)


def locate_star(case: Case, folder: Path) -> list[tuple[object, ...]]:
    """Return what the headers of a case and of its products say of the star."""
    steps = align(case, folder, align_to="first")
    files = {"science": case.science, "psfs": case.psfs[0]}
    files |= {"_clean": steps.science, "_psfalign": steps.product, "_psfsub": own(steps)}
    return [(case.name, kind, *_star(path)) for kind, path in files.items()]


def _star(path: Path) -> tuple[str, ...]:
    header = fits.getheader(path, "SCI")
    header.extend(fits.getheader(path))
    pairs = (("CRPIX1", "CRPIX2"), ("STARCENX", "STARCENY"), ("XOFFSET", "YOFFSET"))
    return tuple(
        ", ".join(f"{header[key]:.4g}" for key in pair if key in header) or "none" for pair in pairs
    )


def first_of_each_mask(cases: Iterable[Case]) -> list[Case]:
    """Return the first case of each mask: enough, as the headers of the others are alike."""
    return list({case.psfmask: case for case in reversed([*cases])}.values())[::-1]


def _read(path: Path) -> Image:
    return np.asarray(fits.getdata(path, "SCI"), dtype=np.float64)


def main() -> None:
    """Compare all cases."""
    pin_to_one_core()
    report = Report("programs", "psfalign's products in other programs", RELEASES)
    with chosen_cases(__doc__) as (cases, folder):
        places = [(case, folder / case.name) for case in first_of_each_mask(cases)]
        rows = [compare_klip(*place, *product) for place in places for product in PRODUCTS]
        report.say("## KlipStep of jwst", "", *PARITY_LEGEND, "")
        report.table(PARITY, rows)
        report.say("## pyKLIP", "", *"\n".join(RINGS_LEGEND).format(INNER, OUTER).split("\n"), "")
        located = [place for place in places if "CRPIX1" in fits.getheader(place[0].science, "SCI")]
        report.table(RINGS, [compare_pyklip(*place) for place in located])
        report.say("## Where the star is", "", *STARS_LEGEND, "")
        report.table(STARS, [row for place in places for row in locate_star(*place)])
    report.write()


if __name__ == "__main__":
    main()
