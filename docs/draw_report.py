"""
Draw the figures of reports that README and tutorial show into docs/images.

`python docs/draw_report.py` draws demo.png, of the simulated demo; with the name of a folder, also
au_mic.png, of its exposures of AU Mic with NIRCam (program 1184) and their psf mask. The picture of
the whole report, report.png, is a screenshot that tests/workflow/test_report.py takes.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "lib"))

from psfalign.report.association import AssociationPages, plot_association  # noqa: E402
from psfalign.report.exposure import Pages, plot_exposure  # noqa: E402
from psfalign.simulate import CAMPAIGN, simulate_campaign  # noqa: E402
from psfalign.steps.align import align_exposure  # noqa: E402
from psfalign.steps.clean import clean_exposure  # noqa: E402
from psfalign.steps.combine import combine_rolls  # noqa: E402
from psfalign.steps.fit import fit_exposure  # noqa: E402
from psfalign.steps.resolve import resolve_psfmask  # noqa: E402
from psfalign.steps.stack import stack_psfs  # noqa: E402
from psfalign.steps.subtract import subtract_psf  # noqa: E402

IMAGES = ROOT / "docs" / "images"
ROLLS, EXPOSURES = "jw0118400[12]*.fits", "jw01184*.fits"  # of AU Mic, and of all stars


def align(science: Path, psfs: Path, psfmask: Path, folder: Path) -> dict[str, Path]:
    """Take an exposure up to its product."""
    folder.mkdir()
    kinds = {"mask": "json", "science": "fits", "psfs": "fits", "shifts": "ecsv", "product": "fits"}
    made = {name: folder / f"{name}.{kind}" for name, kind in kinds.items()}
    mask, clean, clean_psfs, shifts, product = made.values()
    resolve_psfmask(science, mask, psfmask=str(psfmask))
    clean_exposure(science, clean)
    clean_exposure(psfs, clean_psfs)
    fit_exposure(clean, clean_psfs, mask, shifts)
    align_exposure(clean_psfs, shifts, mask, product)
    return made


def draw_demo(folder: Path, images: Path) -> None:
    """Draw the images of the first exposure of the demo into a folder; another one is for files."""
    simulate_campaign(folder / "data")
    observation = CAMPAIGN[0]
    science, psfs, mask = (
        folder / "data" / name
        for name in (observation.sciences[0].name, observation.psfs.name, observation.mode.psfmask)
    )
    made = align(science, psfs, mask, folder / "demo")
    inputs = (made[name] for name in ("science", "psfs", "shifts", "mask"))
    names = ("summary.json", "table.html", "images.png", "shifts.png", "checks.png")
    name = science.name.replace("_calints.fits", f"_{observation.asn_id}")
    plot_exposure(*inputs, Pages(*(folder / "demo" / end for end in names)), name=name)
    shutil.copy(folder / "demo" / "images.png", images / "demo.png")


def draw_au_mic(data: Path, folder: Path) -> None:
    """Draw both rolls of AU Mic, north up."""
    rolls = sorted(data.glob(ROLLS))
    psfs = [path for path in sorted(data.glob(EXPOSURES)) if path not in rolls]
    (mask,) = data.glob("psfmask*.fits")
    stack_psfs(psfs, folder / "stack.fits")
    subtracted = [_subtract(roll, folder / "stack.fits", mask, folder) for roll in rolls]
    northup, contrast = folder / "northup.fits", folder / "contrast.ecsv"
    combine_rolls(subtracted, northup, contrast)
    pages = AssociationPages(IMAGES / "au_mic.png", folder / "curve.png")
    plot_association(northup, contrast, pages, name="AU Mic")


def _subtract(science: Path, psfs: Path, mask: Path, folder: Path) -> Path:
    made = align(science, psfs, mask, folder / science.stem)
    subtracted = folder / science.stem / "subtracted.fits"
    subtract_psf(made["science"], made["product"], subtracted)
    return subtracted


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the data are there for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="folder with the exposures of AU Mic")
    data = parser.parse_args(arguments).data
    with tempfile.TemporaryDirectory(prefix="psfalign-") as name:
        draw_demo(Path(name), IMAGES)
        if data is not None:
            draw_au_mic(data, Path(name))


if __name__ == "__main__":
    main()
