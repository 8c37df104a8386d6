"""Write small calints, psfstack, mask and association files, as a user would have them."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from forks import run_engine
from numpy.typing import NDArray
from patience import PATIENCE

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.plan import Plan
from psfalign.campaign.settings import Settings
from psfalign.campaign.targets import list_results
from psfalign.errors import PsfalignError

ROOT = Path(__file__).parents[1]
SHAPE = 32, 40  # rows, columns
PSF_STEPS = ((0.0, 0.0), (0.4, -0.3), (-0.7, 0.6))  # (dx, dy) of the psf images, pixels
SCIENCE_STEPS = ((0.2, 0.1), (-0.3, 0.5))
NOISE = 0.05  # standard deviation; the brightest pixel of a scene has about 100
SELECTORS = {
    "INSTRUME": "NIRCAM",
    "FILTER": "F335M",
    "CORONMSK": "MASKA335R",
    "SUBARRAY": "SUB320A335R",
}
PRIMARY = {
    "TELESCOP": "JWST",
    **SELECTORS,
    "DETECTOR": "NRCALONG",
    "EXP_TYPE": "NRC_CORON",
    "DATAMODL": "CubeModel",
    "DATE-OBS": "2023-06-01",
    "TIME-OBS": "12:00:00.000",
}
MASK_PRIMARY = {
    "TELESCOP": "JWST",
    **SELECTORS,
    "REFTYPE": "PSFMASK",
    "USEAFTER": "2022-07-01T00:00:00",
    "PEDIGREE": "DUMMY",
    "AUTHOR": "tests",
    "DESCRIP": "ring",
    "DATAMODL": "PsfMaskModel",
}
# Of SCI: where the star and north are.
SKY = {"CRPIX1": 20.0, "CRPIX2": 15.0, "PA_APER": 30.0, "PIXAR_A2": 0.0039}
# (column, row, height) of the speckles, and their width: well sampled, and far from the edges.
SPECKLES = ((13, 12, 100.0), (26, 11, 60.0), (24, 21, 80.0), (14, 20, 40.0), (19, 8, 30.0))
WIDTH = 1.5


def scene(steps: Sequence[tuple[float, float]], *, seed: int = 1, noise: float = NOISE) -> Any:
    """Speckles moved by each step, (steps, rows, columns) float32; the shifts are exact."""
    row, column = np.indices(SHAPE)
    images = [
        sum(
            height * np.exp(-((column - x - dx) ** 2 + (row - y - dy) ** 2) / (2 * WIDTH**2))
            for x, y, height in SPECKLES
        )
        for dx, dy in steps
    ]
    noisy = np.array(images) + np.random.default_rng(seed).normal(0, noise, (len(images), *SHAPE))
    return noisy.astype(np.float32)


def primary_hdu(cards: dict[str, Any]) -> fits.PrimaryHDU:
    """Cards with the value None are left out."""
    hdu = fits.PrimaryHDU()
    for keyword, value in cards.items():
        if value is not None:
            hdu.header[keyword] = value
    return hdu


def exposure_hdus(
    science: Any = None, *, error: Any = None, dq: Any = None, **cards: Any
) -> fits.HDUList:
    """An exposure with SCI, ERR and DQ, and an ASDF extension as JWST files have."""
    science = scene(SCIENCE_STEPS) if science is None else science
    error = np.full(science.shape, NOISE, np.float32) if error is None else error
    dq = np.zeros(science.shape, np.uint32) if dq is None else dq
    tree = np.zeros(1, dtype=[("ASDF_METADATA", "u1", 12)])
    tree["ASDF_METADATA"] = list(b"#ASDF 1.0.0\n")
    keywords = {key.replace("_OBS", "-OBS"): value for key, value in cards.items()}
    hdus = fits.HDUList(
        [
            primary_hdu({**PRIMARY, "NINTS": len(science), **keywords}),
            fits.ImageHDU(science, name="SCI"),
            fits.ImageHDU(error, name="ERR"),
            fits.ImageHDU(dq, name="DQ"),
            fits.BinTableHDU(tree, name="ASDF"),
        ]
    )
    hdus["SCI"].header["BUNIT"] = "MJy/sr"
    hdus["SCI"].header["HISTORY"] = "one"
    hdus["SCI"].header["HISTORY"] = "two"
    return hdus


def write(hdus: fits.HDUList, path: Path) -> Path:
    """Write a file with checksums that do not depend on the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for hdu in hdus:
        hdu.add_checksum(when="")
    hdus.writeto(path, overwrite=True)
    return path


def write_exposure(path: Path, science: Any = None, **keywords: Any) -> Path:
    return write(exposure_hdus(science, **keywords), path)


def write_psfs(path: Path, science: Any = None, **keywords: Any) -> Path:
    return write_exposure(
        path, scene(PSF_STEPS, seed=2) if science is None else science, **keywords
    )


def ring() -> Any:
    """A weight: 1 but for a disk in the middle, float32."""
    row, column = np.indices(SHAPE)
    centre = SHAPE[0] / 2, SHAPE[1] / 2
    return (np.hypot(row - centre[0], column - centre[1]) > 3).astype(np.float32)


def mask_hdus(mask: Any = None, **cards: Any) -> fits.HDUList:
    mask = ring() if mask is None else mask
    return fits.HDUList([primary_hdu({**MASK_PRIMARY, **cards}), fits.ImageHDU(mask, name="SCI")])


def write_mask(path: Path, mask: Any = None, **cards: Any) -> Path:
    return write(mask_hdus(mask, **cards), path)


def write_association(path: Path, members: Sequence[tuple[str, str]], **entries: Any) -> Path:
    content = {
        "asn_type": "coron3",
        "asn_id": "a3001",
        "program": "09999",
        "products": [
            {
                "name": "jw09999-a3001_t001_nircam",
                "members": [{"expname": name, "exptype": kind} for name, kind in members],
            }
        ],
        **entries,
    }
    path.write_text(json.dumps(content))
    return path


def write_campaign(folder: Path) -> dict[str, Any]:
    """Write a science exposure, a psfstack, a mask and their configuration."""
    science = write_exposure(folder / "jw1_calints.fits")
    psfs = write_psfs(folder / "star_psfstack.fits")
    mask = write_mask(folder / "mask.fits")
    return campaign(folder, science, psfs, mask)


def campaign(folder: Path, science: Path, psfs: Any, mask: Path | None) -> dict[str, Any]:
    psfs = [str(path) for path in psfs] if isinstance(psfs, list) else str(psfs)
    return {
        "output_dir": str(folder / "results"),
        "exposures": [{"science": str(science), "psfs": psfs, "asn_id": "a3001"}],
        "psfmask": {"references": [str(mask)] if mask else []},
    }


def completed(config: dict[str, Any]) -> Settings:
    return complete_config(config)


def refused(message: str, kind: type[PsfalignError] = PsfalignError) -> Any:
    """Expect an error whose whole text is this line."""
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all files below a folder."""
    return {str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()}


def pixels(path: Path, name: str = "SCI") -> NDArray[Any]:
    with fits.open(path, memmap=False) as hdus:
        return hdus[name].data.copy()


def psfalign(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return _run([sys.executable, "-m", "psfalign", *map(str, arguments)], Path.cwd())


def snakemake(
    folder: Path, *arguments: object, address_space: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the workflow of this checkout in another working directory, with limited memory."""
    command = ["-s", str(ROOT / "Snakefile"), "--cores", "1", *map(str, arguments)]
    if address_space is None:
        return run_engine(command, folder=folder, env=_environment())
    limited = ["prlimit", f"--as={address_space}", sys.executable, "-m", "snakemake"]
    return _run([*limited, *command], folder)


def _environment() -> dict[str, str]:
    own = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "workflow/lib")}
    return {**os.environ, **own}


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def error_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    output = result.stdout + result.stderr
    return [line for line in output.splitlines() if line.startswith("psfalign: error:")]


def touch_results(plan: Plan) -> None:
    """Make an empty file for each result of a campaign."""
    for path in list_results(plan):
        file = plan.settings.output_dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
