"""Step fit_shifts: write the table of shifts between a science exposure and its psf images."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from astropy.io.fits import Header

from .. import __version__
from ..errors import FitError, InputError
from ..files.agreement import Party, check_agreement, force
from ..files.circles import Place, find_circles, is_on_sky
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.frames import CleanFrames
from ..files.provenance.records import Records, record_step, renamed
from ..files.provenance.table import read_records
from ..files.selectors import read_mask_selectors
from ..files.shifts import ShiftTable, say_failures
from ..files.sky import Star, read_placing
from ..fit.exposure import fit_shifts
from ..fit.integration import FitOptions
from ..images.arrays import AlignTo, Image, Shifts
from ..images.circles import Circle, leave_out
from ..images.frames import choose_frames
from ..psfmask.file import read_mask_header
from ..psfmask.resolved import ResolvedMask
from ..system.progress import say_progress
from .clean import CLEANED
from .clean import STEP as CLEAN

STEP = "fit_shifts"
# Keywords that every product needs; psfstacks made by other software may lack them.
LENT = (
    *("TELESCOP", "INSTRUME", "DETECTOR", "CHANNEL", "MODULE", "FILTER", "PUPIL"),
    *("CORONMSK", "SUBARRAY", "EXP_TYPE"),
)


def fit_exposure(
    science: Path,
    psfs: Path,
    psfmask: Path,
    output: Path,
    *,
    options: FitOptions | None = None,
    align_to: AlignTo = "each",
    shifts: Shifts = "pairwise",
    exclude: Sequence[Place] = (),
    star: Star = "auto",
    on_failed_fit: str = "flag",
    threads: int = 1,
) -> ShiftTable:
    """
    Fit all psf images to all integrations of a science exposure.

    Parameters
    ----------
    science, psfs
        The cleaned exposures.
    psfmask
        The psfmask.json of the exposure. If the mask is N/A, the table has no rows.
    output
        The table of shifts to write, ECSV.
    options
        The options of the fit; by default `FitOptions()`.
    align_to
        Align to ``each`` integration, to the ``first``, or to their ``mean``. The last two count
        as integration 0.
    shifts
        ``pairwise``: the shift of each pair from its own fit. ``joint``: the shifts that the
        positions of all images imply, see `psfalign.fit.closure`.
    exclude
        Circles on the science image that get no weight, see `psfalign.files.circles`.
    star
        Position of the star, for circles on the sky; see `psfalign.files.sky.Sky.of`.
    on_failed_fit
        ``flag`` failed fits in the table, or ``stop`` with an error.
    threads
        How many integrations are fitted at the same time.

    Returns
    -------
    ShiftTable
        The table that was written.

    Raises
    ------
    FitError
        If fits failed and ``on_failed_fit`` is ``stop``.
    InputError
        If an exposure is not cleaned, exposures and mask do not agree, or the circles leave no
        pixel with weight.
    """
    options = options or FitOptions()
    mask = ResolvedMask.read(psfmask)
    exposures = Exposure(science), Exposure(psfs)
    _check_parties(*exposures, mask)
    settings = {
        **asdict(options),
        "align_to": align_to,
        "shifts": shifts,
        "exclude": [dict(place) for place in exclude],
        **({"star": star} if any(map(is_on_sky, exclude)) else {}),
        "on_failed_fit": on_failed_fit,
    }
    circles = find_circles(exposures[0], exclude, star) if mask.applies else []
    meta = _meta(*exposures, mask, settings)
    meta |= {"background": options.fitted_background, "excluded": [*map(astuple, circles)]}
    meta |= {"reach": options.reach} if circles else {}
    table = ShiftTable.of([], meta)
    if mask.applies:
        weighting = options.weighting
        weight = _weigh(mask, circles, options, science)
        with (
            CleanFrames(exposures[0], weighting=weighting) as integrations,
            CleanFrames(exposures[1], weighting=weighting) as images,
        ):
            chosen = choose_frames(integrations, align_to)
            fits = fit_shifts(chosen, images, weight, options=options, threads=threads)
            told = say_progress(fits, "integrations fitted", total=len(chosen))
            table = ShiftTable.of(list(told), meta, shifts=shifts)
    if table.n_failed and on_failed_fit == "stop":
        raise FitError(
            f"{table.n_failed} of {len(table)} fits failed: {say_failures(table.count_failures())}",
            file=science,
            keyword="align_refs.on_failed_fit",
            value="stop",
            remedy="look at the exposure, or set it to flag",
        )
    table.write(output)
    return table


def _weigh(
    mask: ResolvedMask, circles: Sequence[Circle], options: FitOptions, science: Path
) -> Image:
    """Return the weight of the mask, with 0 wherever a shift can move an excluded circle."""
    weight = mask.read_weight()
    left = leave_out(weight, circles, reach=options.reach)
    if circles and not left.any():
        problem = f"circles that may move by {options.reach:g} pixels leave no pixel with weight"
        remedy = "make them, or align_refs.max_shift, smaller"
        raise InputError(problem, file=science, keyword="exclude", remedy=remedy)
    return left


def _check_parties(science: Exposure, psfs: Exposure, mask: ResolvedMask) -> None:
    parties = [Party.of("science", science), Party.of("psf", psfs)]
    if mask.is_file:
        path = Path(mask.psfmask)
        header, shape = read_mask_header(path)
        party = Party("psfmask", path, shape, read_mask_selectors(header))
        named = mask.source == "configuration"
        parties.append(force(parties[0], party)[0] if named else party)
    check_agreement(parties)
    for exposure in (science, psfs):
        if CLEANED not in exposure.primary:
            problem, remedy = "its bad pixels were not replaced", "run psfalign clean first"
            raise InputError(problem, file=exposure.path, remedy=remedy)


def _meta(
    science: Exposure, psfs: Exposure, mask: ResolvedMask, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the metadata of the table: its inputs, settings and records."""
    science_header, psf_header = science.primary, psfs.primary
    return {
        "psfalign": __version__,
        "science": str(science_header.get("RAWFILE", science.path.name)),
        "science_sha256": str(science_header.get("RAWSHA", "")),
        "psfs": str(psf_header.get("RAWFILE", psfs.path.name)),
        "psfs_sha256": str(psf_header.get("RAWSHA", "")),
        "placing": read_placing(science),
        "psfmask": mask.file_name,
        "psfmask_sha256": mask.sha256,
        "convention": mask.convention,
        **settings,
        **_lent(science_header, psf_header),
        "provenance": _records(science, psfs, mask)
        + record_step(STEP, __file__, parameters=settings),
    }


def _lent(science: Header, psfs: Header) -> dict[str, dict[str, Any]]:
    """Return the keywords that the psf images lack, from the science exposure."""
    lent = {
        keyword: science[keyword]
        for keyword in LENT
        if not text_of(psfs, keyword) and text_of(science, keyword)
    }
    return {"from_science": lent} if lent else {}


def _records(science: Exposure, psfs: Exposure, mask: ResolvedMask) -> Records:
    """Return the records of the preceding steps."""
    return [
        *mask.records(),
        *renamed(read_records(science.path, science.hdus), CLEAN, "clean_science"),
        *renamed(read_records(psfs.path, psfs.hdus), CLEAN, "clean_psfs"),
    ]
