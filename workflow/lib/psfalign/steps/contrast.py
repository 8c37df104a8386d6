"""The table of noise by separation, for each stage of a subtraction."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..files.ecsv import Columns, write_ecsv
from ..files.sky import ARCSEC
from ..files.subtracted import SCIENCE, Subtracted
from ..images.arrays import Image
from ..images.contrast import aperture_share, measure_noise
from ..images.north_up import Grid

JY = 1e6  # in a MJy
SR = np.radians(1 / ARCSEC) ** 2  # in an arcsec²
COLUMNS: Columns = MappingProxyType(
    {
        "stage": ("string", "", "what was subtracted: nothing (science), the mean, or components"),
        "separation": ("float64", "arcsec", "distance from the star"),
        "n_samples": ("int64", "", "apertures of one FWHM on the ring"),
        "factor": ("float64", "", "correction for their small number (Mawet et al. 2014)"),
        "noise": ("float64", "Jy", "five sigma, of a point source as bright"),
        "throughput": ("float64", "", "share of a point source that the stage keeps"),
        "limit": ("float64", "Jy", "noise over throughput"),
        "contrast": ("float64", "", "limit over the flux of the star"),
    }
)


def write_contrast(
    path: Path,
    pictures: Mapping[str, Image],
    exposures: Sequence[Subtracted],
    *,
    grid: Grid,
    fwhm: float,
    star_flux: float | None,
    meta: Mapping[str, Any],
) -> None:
    """
    Measure the noise in pictures of all stages, and write it.

    Parameters
    ----------
    path
        The table to write, ECSV.
    pictures
        By stage, (rows, columns) float64 in MJy/sr on the grid.
    exposures
        What they were made of; the throughput is the mean of theirs.
    grid
        The pixels of the pictures.
    fwhm
        Width of a point source in arcsec.
    star_flux
        Flux of the star in Jy; without it the contrast is NaN.
    meta
        Where the table comes from.
    """
    rows = list(_rows(pictures, exposures, grid, fwhm, star_flux))
    settings = {"fwhm_arcsec": fwhm, "star_flux_jy": star_flux}
    write_ecsv(path, COLUMNS, rows, {**meta, **settings})


def _rows(
    pictures: Mapping[str, Image],
    exposures: Sequence[Subtracted],
    grid: Grid,
    fwhm: float,
    star_flux: float | None,
) -> Iterator[tuple[Any, ...]]:
    star, width = (float(grid.reach), float(grid.reach)), fwhm / grid.scale
    # Of a point source, an aperture of one FWHM holds about one half.
    unit = JY * SR * grid.scale**2 / aperture_share(width)
    for stage, picture in pictures.items():
        found = measure_noise(picture, star, width)
        separations = found.separation * grid.scale
        noise = found.limit * unit
        kept = np.mean([e.read_throughput(e.stage_like(stage), separations) for e in exposures], 0)
        if stage == SCIENCE:
            kept = np.ones_like(noise)
        limit = noise / kept
        contrast = limit / star_flux if star_flux else np.full_like(limit, np.nan)
        columns = (separations, found.n_samples, found.factor, noise, kept, limit, contrast)
        yield from zip([stage] * len(noise), *(c.tolist() for c in columns), strict=True)
