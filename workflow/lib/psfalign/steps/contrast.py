"""Write the table of noise by separation, for each stage of a subtraction."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..files.circles import find_circles
from ..files.ecsv import Columns, write_ecsv
from ..files.provenance.records import find_parameter
from ..files.provenance.table import read_records
from ..files.sky import Sky, Star, read_solid_angle
from ..files.subtracted import SCIENCE, Subtracted
from ..images.arrays import Bools, Image
from ..images.circles import Circle, cover
from ..images.contrast import aperture_share, aperture_sums, measure_noise
from ..images.injection import REACH, Source
from ..images.north_up import Grid, Placement, Turning

JY = 1e6  # in a MJy
BEFORE = "subtract_psf"  # the step whose records list the excluded circles
UNIT = "MJY/SR"  # the only unit that can be converted to Jy
APART = 5  # FWHM between injected sources, so that none has light of another in its aperture
STEPS = range(-4, 5)  # multiples of that distance from the star along each axis
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
    flux: float,
    hidden: Bools,
    star_flux: float | None,
    meta: Mapping[str, Any],
) -> None:
    """
    Measure the noise in the combined images of all stages, and write the table.

    Parameters
    ----------
    path
        The table to write, ECSV.
    pictures
        The combined image of each stage, (rows, columns) float64 on the grid.
    exposures
        The combined exposures; the throughput is the mean of theirs.
    grid
        The grid of the combined images.
    fwhm
        Width of a point source in arcsec.
    flux
        Flux in Jy of a point source whose pixels in an aperture sum to 1, see `flux_of_aperture`.
    hidden : (rows, columns) bool
        Pixels that do not count as noise, such as those of a known companion.
    star_flux
        Flux of the star in Jy; without it the contrast is NaN.
    meta
        Metadata of the table.
    """
    shown = {stage: np.where(hidden, np.nan, picture) for stage, picture in pictures.items()}
    rows = list(_rows(shown, exposures, grid, fwhm, flux, star_flux))
    settings = {"fwhm_arcsec": fwhm, "star_flux_jy": star_flux}
    write_ecsv(path, COLUMNS, rows, {**meta, **settings})


def _rows(
    pictures: Mapping[str, Image],
    exposures: Sequence[Subtracted],
    grid: Grid,
    fwhm: float,
    flux: float,
    star_flux: float | None,
) -> Iterator[tuple[Any, ...]]:
    star, width = (float(grid.reach), float(grid.reach)), fwhm / grid.scale
    for stage, picture in pictures.items():
        found = measure_noise(picture, star, width)
        separations = found.separation * grid.scale
        noise = found.limit * flux
        kept = np.mean([e.read_throughput(e.stage_like(stage), separations) for e in exposures], 0)
        if stage == SCIENCE:
            kept = np.ones_like(noise)
        limit = noise / kept
        contrast = limit / star_flux if star_flux else np.full_like(limit, np.nan)
        columns = (separations, found.n_samples, found.factor, noise, kept, limit, contrast)
        yield from zip([stage] * len(noise), *(c.tolist() for c in columns), strict=True)


def find_hidden(
    exposures: Sequence[Subtracted], skies: Sequence[Sky], star: Star, grid: Grid
) -> Bools:
    """Return the pixels of the grid in circles that the subtraction excluded from its fit."""
    circles = []
    for exposure, sky in zip(exposures, skies, strict=True):
        places = find_parameter(read_records(exposure.path, exposure.hdus), BEFORE, "exclude")
        for circle in find_circles(exposure, places or [], star):
            east, north = map(float, sky.to_offset(circle.column, circle.row))
            middle = grid.reach - east / grid.scale, grid.reach + north / grid.scale
            circles.append(Circle(*middle, circle.radius * sky.scale / grid.scale))
    return cover(circles, grid.shape)


def flux_of_aperture(
    exposures: Sequence[Subtracted], skies: Sequence[Sky], grid: Grid, fwhm: float
) -> float:
    """
    Return the flux in Jy of a point source whose pixels in an aperture of one FWHM sum to 1.

    The aperture holds about half of the light of a Gaussian. Interpolation blurs the image and
    reduces this share by a few hundredths. NaN if the exposures are not in MJy/sr.
    """
    if exposures[0].unit.replace(" ", "").upper() != UNIT:
        return np.nan
    shapes = [exposure.shape[1:] for exposure in exposures]
    shares = [_turned_share(*pair, grid, fwhm) for pair in zip(skies, shapes, strict=True)]
    known = [share for share in shares if np.isfinite(share)]
    share = float(np.mean(known)) if known else aperture_share(fwhm / grid.scale)
    return JY * read_solid_angle(exposures[0]) / share


def _turned_share(sky: Sky, shape: tuple[int, ...], grid: Grid, fwhm: float) -> float:
    """Return the mean share of light in the apertures of rotated sources; NaN without sources."""
    apart = math.ceil(APART * fwhm / grid.scale)
    image, put = np.zeros(shape), []
    for row, column in product((apart * step for step in STEPS), repeat=2):
        distance, angle = math.hypot(row, column), math.degrees(math.atan2(-column, row))
        x, y = map(float, sky.to_pixel(grid.scale * distance, angle))
        width, within = fwhm / sky.scale, max(abs(row), abs(column)) < grid.reach
        if within and Source(x, y, 2 * REACH * width).is_inside(shape):
            pixels, light, _ = Source(x, y, width).on(shape)
            image.ravel()[pixels] += light
            put.append((grid.reach + row, grid.reach + column, light.sum()))
    if not put:
        return np.nan
    rows, columns, lights = map(np.array, zip(*put, strict=True))
    turned = Turning(Placement(sky.column, sky.row, sky.matrix), grid).turn(image)
    held = aperture_sums(turned, fwhm / grid.scale)[rows, columns]
    return float(np.mean(held / lights)) * (grid.scale / sky.scale) ** 2
