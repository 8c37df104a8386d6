"""Step combine_rolls: combine all integrations and rolls of a target, north up and east left."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from ..files.agreement import Party, check_agreement
from ..files.digest import find_repeated, sha256
from ..files.fits.structure import text_of
from ..files.fits.writer import FitsWriter, set_text, without_data
from ..files.provenance.records import Records, record_step
from ..files.provenance.table import provenance_hdu, read_records
from ..files.sky import ARCSEC, Sky, Star, read_fwhm, read_solid_angle, read_target
from ..files.subtracted import MEAN, MODES, SCIENCE, Subtracted
from ..images.arrays import Bools
from ..images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from ..images.north_up import Combined, Grid, Placement, Turning, combine, enclosing_grid
from ..system.atomic_file import publishing
from .contrast import find_hidden, flux_of_aperture, write_contrast

STEP = "combine_rolls"
LEAST_WEIGHT = 0.1  # of the mask; the occulter and neutral density squares have less
SAME = ("INSTRUME", "FILTER", "DETECTOR", "BUNIT")  # of all exposures that are combined
MODEL = "psfalign northup"  # DATAMODL; the jwst pipeline has no model for this file


class Frame(NamedTuple):
    """An integration that is to be rotated onto the grid."""

    exposure: Subtracted
    integration: int
    turning: Turning
    bad: Bools  # (rows, columns) of the grid


def combine_rolls(
    subtracted: Sequence[Path],
    northup: Path,
    contrast: Path,
    *,
    star: Star = "auto",
    star_flux: float | None = None,
) -> None:
    """
    Rotate all integrations north up about the star, and combine them.

    Parameters
    ----------
    subtracted
        The exposures of one target, as subtract_psf wrote them.
    northup
        The image file to write. SCI, ERR and DQ have the axes (modes, rows, columns); the keywords
        KLMODE0, KLMODE1, … give the numbers of principal components. STAGES and STAGEERR hold the
        combined science images, and the combined residuals of the mean psf. NFRAMES is the number
        of integrations that cover each pixel.
    contrast
        The table of noise by separation to write, ECSV.
    star
        ``auto``, or the column and row of the star in all exposures, counted from 0.
    star_flux
        Flux of the star in Jy; with it, the table also has contrasts.

    Raises
    ------
    InputError
        If the headers lack the position of the star or the direction of north, if targets, filters,
        detectors or units differ, if an exposure is given twice, or if no integration has a result.
    """
    exposures = [Subtracted(path) for path in subtracted]
    _check_alike(exposures)
    skies = [Sky.of(exposure, star) for exposure in exposures]
    places = [Placement(sky.column, sky.row, sky.matrix) for sky in skies]
    grid = enclosing_grid([(p, e.shape[1:]) for p, e in zip(places, exposures, strict=True)])
    modes = sorted({mode for exposure in exposures for mode in exposure.modes})
    stages = [SCIENCE, MEAN, *(f"{MODES}{mode}" for mode in modes)]
    with ExitStack() as stack:
        for exposure in exposures:
            stack.enter_context(exposure)
        turnings = [Turning(place, grid) for place in places]
        frames = [
            frame
            for exposure, turning in zip(exposures, turnings, strict=True)
            for frame in _frames(exposure, turning)
        ]
        if not frames:
            raise InputError(
                "no integration has a result",
                file=subtracted[0],
                keyword="NINTFAIL",
                remedy="look at the status of its fits, or leave the exposure out",
            )
        combined = [_combine(frames, stage) for stage in stages]
    records, fwhm = _records(exposures, star, star_flux), read_fwhm(exposures[0])
    _write(northup, exposures, skies[0], grid, modes, combined, records)
    write_contrast(
        contrast,
        {stage: picture.image for stage, picture in zip(stages, combined, strict=True)},
        exposures,
        grid=grid,
        fwhm=fwhm,
        flux=flux_of_aperture(exposures, skies, grid, fwhm),
        hidden=find_hidden(exposures, skies, star, grid),
        star_flux=star_flux,
        meta={"psfalign": __version__, "provenance": records},
    )


def _check_alike(exposures: Sequence[Subtracted]) -> None:
    """
    Raise `InputError` for images that must not be added up.

    These are such of different targets, as explicit exposures may share only a psf library, of
    different filters, detectors or units, and one science exposure that is given twice.
    """
    names = {read_target(exposure) for exposure in exposures}
    if len(names) > 1:
        raise InputError(
            f"{', '.join(sorted(names))} are different targets",
            file=exposures[0].path,
            keyword="TARGPROP",
            remedy="give the exposures of each target an asn_id of their own",
        )
    parties = (Party.of("exposure", exposure) for exposure in exposures)
    shape = exposures[0].shape[1:]  # sizes and subarrays may differ
    check_agreement(
        [
            replace(p, shape=shape, marks={k: p.marks[k] for k in SAME if k in p.marks})
            for p in parties
        ]
    )
    digests = (text_of(e.primary, "RAWSHA") or sha256(e.path) for e in exposures)
    repeated = find_repeated(zip((e.path for e in exposures), digests, strict=True))
    if repeated:
        path, other = repeated
        problem, remedy = f"is of the same science exposure as {other}", "name it once"
        raise InputError(problem, file=path, remedy=remedy)


def _frames(exposure: Subtracted, turning: Turning) -> Iterator[Frame]:
    """Yield the integrations that have a result."""
    weight = exposure.read_weight()
    hidden = np.zeros(exposure.shape[1:], bool) if weight is None else weight < LEAST_WEIGHT
    for integration in range(len(exposure)):
        image = exposure.read_science(integration)
        if np.isfinite(image).any():
            flagged = exposure.read_dq(integration) & np.uint32(DO_NOT_USE | FLUX_ESTIMATED)
            bad = hidden | (flagged != 0) | ~np.isfinite(image)
            yield Frame(exposure, integration, turning, turning.turn_bad(bad))


def _combine(frames: Sequence[Frame], stage: str) -> Combined:
    shape = len(frames), *frames[0].bad.shape
    # Single precision saves memory, as there may be hundreds of frames; files have no more.
    images, variances = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for frame, image, variance in zip(frames, images, variances, strict=True):
        own = frame.exposure.stage_like(stage)
        left, error = frame.exposure.read_stage(own, frame.integration)
        image[:] = frame.turning.turn(np.nan_to_num(left))
        variance[:] = frame.turning.turn_variance(np.nan_to_num(error) ** 2)
        image[frame.bad] = variance[frame.bad] = np.nan
    return combine(images, variances)


def _records(exposures: Sequence[Subtracted], star: Star, star_flux: float | None) -> Records:
    before = dict.fromkeys(record for e in exposures for record in read_records(e.path, e.hdus))
    parameters = {"star": star, "star_flux": star_flux}
    return [*before, *record_step(STEP, __file__, parameters=parameters)]


def _write(
    output: Path,
    exposures: Sequence[Subtracted],
    sky: Sky,
    grid: Grid,
    modes: Sequence[int],
    combined: Sequence[Combined],
    records: Records,
) -> None:
    before, after = combined[:2], combined[2:]
    with publishing(output) as stream:
        writer = FitsWriter(stream)
        writer.add(_primary(exposures, output, combined[0]))
        header = _header(exposures[0], sky, grid)
        for name, planes, keywords in (
            ("SCI", [one.image for one in after], {"KLMODE": modes}),
            ("ERR", [one.error for one in after], {"KLMODE": modes}),
            ("STAGES", [one.image for one in before], {"STAGE": [SCIENCE, MEAN]}),
            ("STAGEERR", [one.error for one in before], {"STAGE": [SCIENCE, MEAN]}),
        ):
            cards = header(name, keywords)
            writer.add_image(cards, (len(planes), *grid.shape), np.float32).write(
                0, np.array(planes)
            )
        empty = np.array([one.n_frames == 0 for one in after])
        flags = np.where(empty, np.uint32(DO_NOT_USE), np.uint32(0))
        writer.add_image(header("DQ", {"KLMODE": modes}), flags.shape, np.uint32).write(0, flags)
        count = combined[0].n_frames
        writer.add_image(header("NFRAMES", {}), count.shape, np.uint32).write(0, count)
        writer.add(*provenance_hdu(records))
        writer.finish()


def _primary(exposures: Sequence[Subtracted], output: Path, combined: Combined) -> Header:
    header = without_data(exposures[0].primary)
    texts = {
        "DATAMODL": (MODEL, "Type of data model"),
        "FILENAME": (output.name, "Name of the file"),
        "COMBVER": (f"psfalign {__version__}", "software that combined it"),
    }
    for number, exposure in enumerate(exposures, start=1):
        texts[f"EXPO{number}"] = (exposure.path.name, "exposure that was combined")
    for keyword, (text, comment) in texts.items():
        set_text(header, keyword, text, comment)
    header["NEXPO"] = (len(exposures), "exposures that were combined")
    header["MAXFRAME"] = (int(combined.n_frames.max()), "most integrations of a pixel")
    return header


def _header(exposure: Subtracted, sky: Sky, grid: Grid) -> Callable[..., Header]:
    """Return the function that makes the header of an image, with world coordinates."""
    science = exposure.science.header
    common = Header()
    for keyword in ("BUNIT", "RADESYS"):
        if keyword in science:
            common[keyword] = science[keyword]
    common["PIXAR_A2"] = (grid.scale**2, "[arcsec2] area of a pixel")
    # The pixels have the size of those of the first exposure, and so its calibration applies.
    common["PIXAR_SR"] = (read_solid_angle(exposure), "[sr] of a pixel, by which it has its flux")
    common["CUNIT1"], common["CUNIT2"] = "deg", "deg"
    common["CRPIX1"], common["CRPIX2"] = grid.reach + 1.0, grid.reach + 1.0
    star = _coordinates(science, sky)
    if star is not None:
        common["CTYPE1"], common["CTYPE2"] = "RA---TAN", "DEC--TAN"
        for keyword, value in zip(("CRVAL1", "CRVAL2"), star, strict=True):
            common[keyword] = (value, "[deg] of the star in the first exposure")
    common["CD1_1"], common["CD1_2"] = -grid.scale / ARCSEC, 0.0
    common["CD2_1"], common["CD2_2"] = 0.0, grid.scale / ARCSEC

    def make(name: str, numbered: Mapping[str, Sequence[object]]) -> Header:
        header = Header([("EXTNAME", name, "extension name")])
        header.update(common)
        for keyword, values in numbered.items():
            header["CTYPE3"] = f"{keyword}S"
            for number, value in enumerate(values):
                header[f"{keyword}{number}"] = value
        return header

    return make


def _coordinates(science: Header, sky: Sky) -> tuple[float, float] | None:
    """Return right ascension and declination of the star in degrees; None if they are not known."""
    names = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2")
    values = [science.get(name) for name in names]
    if not all(isinstance(value, int | float) for value in values):
        return None
    longitude, latitude, column, row = values
    east, north = sky.to_offset(column - 1, row - 1)  # of the reference pixel from the star
    declination = latitude - float(north) / ARCSEC
    ascension = longitude - float(east) / ARCSEC / math.cos(math.radians(declination))
    return ascension % 360.0, declination
