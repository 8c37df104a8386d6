"""The exposures that are compared: those in a folder of calibrated exposures, and the demo's."""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from psfalign.simulate import simulate_campaign

DATA = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Case:
    """A science exposure with its psf images, one stack or several calints, and its mask."""

    name: str
    science: Path
    psfs: tuple[Path, ...]
    psfmask: Path


@contextmanager
def chosen_cases(description: str | None) -> Iterator[tuple[list[Case], Path]]:
    """Read the command line; return the cases and a temporary folder to work in."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="a folder of calibrated exposures; optional"
    )
    data = parser.parse_args().data
    if not data.is_dir():
        print(f"no folder {data}: simulated exposures only")
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        folder = Path(name)
        yield [*folder_cases(data), *demo_cases(folder / "demo")], folder


def folder_cases(data: Path) -> list[Case]:
    """List the campaigns in a folder: each sub-folder with a psfmask and calints is one."""
    cases = []
    for mask in sorted(data.rglob("psfmask_*.fits")):
        exposures = sorted(mask.parent.glob("*_calints.fits"))
        psfs = sorted(mask.parent.glob("*_psfstack.fits")) or [*filter(_is_psf, exposures)]
        for science in (exposure for exposure in exposures if exposure not in psfs):
            name = f"{mask.parent.name} {science.name.split('_')[0]}"
            cases.append(Case(name, science, tuple(psfs), mask))
    return cases


def demo_cases(folder: Path) -> list[Case]:
    """Simulate the demo campaign and list its exposures."""
    simulate_campaign(folder)
    truth = json.loads((folder / "truth.json").read_text())["exposures"]
    cases = []
    for name, entry in truth.items():
        root, _, _ = name.rpartition("_")
        science = folder / f"{root}_calints.fits"
        stack, mask = folder / entry["psfstack"], folder / entry["psfmask"]
        cases.append(Case(f"demo {root.split('_')[0]}", science, (stack,), mask))
    return cases


def _is_psf(exposure: Path) -> bool:
    return bool(fits.getheader(exposure).get("IS_PSF", False))
