"""
Subtract the demo's star by psf images alone, and by the other roll, too; look at its planet.

Both rolls of the NIRCam star are combined north up. The planet is at a known place; the scatter is
that of what is left in the rest of its ring.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from cases import demo_cases
from report import Report
from runs import Steps, align, pin_to_one_core

from psfalign.files.north_up import NorthUp
from psfalign.files.subtracted import MODES
from psfalign.images.arrays import References
from psfalign.simulate import CAMPAIGN
from psfalign.steps.combine import combine_rolls
from psfalign.steps.rolls import Roll
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf

COLUMNS = ("references", "modes", "planet", "scatter", "ratio", "throughput", "limit (mJy)")
LEGEND = (
    "Planet: the brightest pixel within 0.1 arcsec of where it is; scatter: the standard deviation",
    "in a ring of 0.2 arcsec around the star, without 0.4 arcsec around the planet; MJy/sr.",
    "Throughput and limit (five sigma over throughput): those of `_contrast.ecsv` there.",
)
NEAR, RING, AWAY = 0.1, 0.1, 0.4  # arcsec
MODES_SHOWN = (1, 2, 5, 9, 13)
PLANET = CAMPAIGN[0].separation, CAMPAIGN[0].angle
Image = NDArray[np.float64]


def subtract(rolls: list[Steps], references: References, folder: Path) -> tuple[Path, Path]:
    """Subtract and combine the rolls."""
    folder.mkdir()
    options = SubtractionOptions(references=references, modes=MODES_SHOWN)
    outputs = []
    for number, steps in enumerate(rolls):
        outputs.append(folder / f"{number}_psfsub.fits")
        others = [Roll(other.science, other.shifts) for other in rolls if other is not steps]
        subtract_psf(steps.science, steps.product, outputs[-1], rolls=others, options=options)
    northup, contrast = folder / "northup.fits", folder / "contrast.ecsv"
    combine_rolls(outputs, northup, contrast)
    return northup, contrast


def look(picture: Image, scale: float) -> tuple[float, float]:
    """Return the planet's brightest pixel, and the scatter in the rest of its ring."""
    rows, columns = (np.indices(picture.shape) - picture.shape[0] // 2) * scale
    angle = np.radians(PLANET[1])
    place = -PLANET[0] * np.sin(angle), PLANET[0] * np.cos(angle)  # east is left
    distance = np.hypot(columns - place[0], rows - place[1])
    ring = np.abs(np.hypot(columns, rows) - PLANET[0]) < RING
    rest = ring & (distance > AWAY) & np.isfinite(picture)
    return float(np.nanmax(picture[distance < NEAR])), float(picture[rest].std())


def rows_of(references: References, northup: Path, contrast: Path) -> list[tuple[object, ...]]:
    """Return the lines of one choice of references."""
    curves, rows = Table.read(contrast, format="ascii.ecsv"), []
    with NorthUp(northup) as combined:
        for plane, mode in enumerate(combined.modes):
            planet, scatter = look(combined.read_science(plane), combined.scale)
            own = curves[curves["stage"] == f"{MODES}{mode}"]
            kept, limit = (
                np.interp(PLANET[0], own["separation"], own[name])
                for name in ("throughput", "limit")
            )
            numbers = planet, scatter, planet / scatter, kept, limit * 1e3
            rows.append((references, mode, *(f"{number:.3g}" for number in numbers)))
    return rows


def main() -> None:
    """Compare both choices."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("rolls", "The other roll as psf images", [])
    report.say(*LEGEND, "")
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        folder = Path(name)
        cases = demo_cases(folder / "demo")[: len(CAMPAIGN[0].sciences)]
        rolls = [align(case, folder / str(number)) for number, case in enumerate(cases)]
        rows = []
        for references in ("stars", "stars+rolls"):
            made = subtract(rolls, references, folder / references)
            rows += rows_of(references, *made)
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
