"""Measure the share of a point source that a subtraction keeps, by separation from the star."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files.sky import Matrix, Sky
from ..images.arrays import Bools, Image
from ..images.injection import Injection, Planted, Source, measure_shares
from ..images.klip import PsfLibrary

ANGLES = np.arange(0.0, 360.0, 45.0)  # degrees, position angles of the injected sources
SIGMA = 5.0  # peak of an injected source, in units of the scatter of the residual on its ring


class Throughput(NamedTuple):
    """Share of a point source that is kept, (separations, stages), by separation in arcsec."""

    separations: NDArray[np.float64]
    kept: NDArray[np.float64]


def measure_throughput(
    library: PsfLibrary,
    science: Image,
    left: Image,
    *,
    sky: Sky,
    fwhm: float,
    turned: Sequence[tuple[Matrix, slice]] = (),
) -> Throughput:
    """
    Inject sources around the star, on rings one FWHM apart, and measure what is kept of each.

    Parameters
    ----------
    library
        The psf images that are subtracted.
    science, left : (rows, columns) float64
        The science image, and the residual of the last stage. The scatter of the residual sets the
        brightness of the sources, which matters only if psf images contain them, too.
    sky
        Position of the star and direction of north in the science image.
    fwhm
        Width of a point source in arcsec.
    turned
        For each other roll among the psf images, the matrix from its pixels to the sky, and which
        psf images, used or not, come from it. The star is at the same place in all of them.

    Returns
    -------
    Throughput
        The mean over the position angles, for the rings where a source is inside the image.
    """
    distances = sky.separations(science.shape)
    rings = np.arange(1, distances.max() / fwhm) * fwhm
    members = [_among_used(library, of_roll) for _, of_roll in turned]
    skies = [sky, *(Sky(sky.column, sky.row, matrix) for matrix, _ in turned)]
    injection = Injection(library, science) if turned else None
    kept = np.full((len(rings), library.n_stages), np.nan)
    for ring, row in zip(rings, kept, strict=True):
        places = zip(*(_put(one, ring, fwhm) for one in skies), strict=True)
        around = [each for each in places if each[0].is_inside(science.shape)]
        if not around:
            continue
        if injection is None:
            found = measure_shares(library, [own for (own,) in around])
        else:
            flux = SIGMA * float(left[np.abs(distances - ring) < fwhm / 2].std()) or 1.0
            found = np.array(
                [
                    injection.kept(own, flux, list(map(Planted, members, others)))
                    for own, *others in around
                ]
            )
        row[:] = found.mean(axis=0)
    known = np.isfinite(kept).all(axis=1)
    return Throughput(rings[known], kept[known])


def _put(sky: Sky, separation: float, fwhm: float) -> list[Source]:
    columns, rows = sky.to_pixel(separation, ANGLES)
    width = fwhm / sky.scale
    return [Source(*place, width) for place in zip(columns.tolist(), rows.tolist(), strict=True)]


def _among_used(library: PsfLibrary, members: slice) -> Bools:
    chosen: Bools = np.zeros(library.used.size, dtype=bool)
    chosen[members] = True
    return chosen[library.used]
