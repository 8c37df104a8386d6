"""Rolls of a target with a companion, up to the psf images that are aligned to each."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from chain import run
from files import SCIENCE_STEPS, SHAPE, scene, write_exposure, write_mask, write_psfs

STAR = 19.0, 15.0  # column, row: the middle of the mask of tests/files.py is at (20, 16)
SCALE = 0.1
COMPANION = 0.95, 77.0  # arcsec, degrees
FLUX = 20.0
ROWS, COLUMNS = np.indices(SHAPE)


def spot(column: float, row: float, height: float) -> Any:
    """A Gaussian, (rows, columns) float32."""
    square = (COLUMNS - column) ** 2 + (ROWS - row) ** 2
    return (height * np.exp(-square / (2 * 1.3**2))).astype(np.float32)


def companion_at(angle: float) -> tuple[float, float]:
    """Column and row of the companion; east is left."""
    turn = np.radians(COMPANION[1] - angle)
    column = STAR[0] - COMPANION[0] / SCALE * np.sin(turn)
    return float(column), float(STAR[1] + COMPANION[0] / SCALE * np.cos(turn))


def write_roll(
    folder: Path,
    angle: float,
    *,
    n: int = 2,
    steps: Any = SCIENCE_STEPS,
    companion: float = FLUX,
    more: Any = 0.0,
    chain: Any = None,
    **cards: Any,
) -> dict[str, Path]:
    """An exposure with a companion and more light, and all that leads to its product."""
    place, name = folder / f"roll{angle:.0f}", "sci_calints.fits"
    science = scene(steps[:n], seed=int(angle)) + spot(*companion_at(angle), companion)
    science += np.float32(1) * more
    raw = write_exposure(place / name, science, TARGPROP="STAR", ROLL=angle, **cards)
    with fits.open(raw, mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update(
            {"CRPIX1": STAR[0] + 1, "CRPIX2": STAR[1] + 1, "PA_APER": angle, "PIXAR_A2": SCALE**2}
        )
        hdus["SCI"].header.update({"CRVAL1": 200.0, "CRVAL2": -30.0})
        hdus["SCI"].add_checksum(when="")
    write_psfs(place / "star_psfstack.fits")
    write_mask(place / "mask.fits")
    return run(place, place, **(chain or {}))
