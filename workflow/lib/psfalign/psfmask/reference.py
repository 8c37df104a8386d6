"""Write a PSFMASK reference file for an exposure from the geometry of its coronagraph."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from ..files.circles import circle_on
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.fits.writer import FitsWriter, set_text, without_data
from ..files.selectors import FULL, check_selectors, read_selectors
from ..files.sky import Sky, read_star
from ..images.arrays import Image
from ..images.circles import Circle
from ..images.mask_weight import LEAST_WEIGHT
from ..system.atomic_file import publishing
from .catalogue import parse_useafter
from .file import STATED
from .maker import CORONAGRAPHS, STAR_ON_BAR, make_weight
from .uniform import non_science_area

# A made mask serves all exposures, as the geometry has not changed: JWST was launched on this day.
LAUNCH = "2021-12-25T00:00:00"
EDGE = 2  # pixels; what a shift of a pixel or two moves across the edges
# Side of a pixel in arcsec where the header has no PIXAR_A2; JDox.
PIXELS = {"SHORT": 0.031, "LONG": 0.063, "MIRI": 0.110}
# What a mask has in common with the exposure it is for, besides what selects it.
COPIED = (
    *("DETECTOR", "CHANNEL", "MODULE", "EXP_TYPE", "FASTAXIS", "SLOWAXIS"),
    *("SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2"),
)
NAME_STAR = "name its place with --star COLUMN,ROW"


def make_psfmask(
    science: Path,
    output: Path,
    *,
    star: tuple[float, float] | None = None,
    edge: int = EDGE,
    exclude: Iterable[Circle] = (),
    exclude_sky: Sequence[tuple[float, float, float]] = (),
    useafter: str | None = None,
) -> Image:
    """
    Make the mask of an exposure and write it as a PSFMASK reference file; 1 means use.

    Parameters
    ----------
    science
        The exposure, whose keywords select the mask.
    output
        The file to write.
    star
        Column and row of the star, counted from 0; by default those of the header.
    edge
        Width of the border without weight, in pixels.
    exclude
        Circles without weight.
    exclude_sky
        Circles without weight, by separation from the star in arcsec, position angle in degrees
        from north towards east, and radius in arcsec.
    useafter
        The mask serves exposures that start at this time or later; by default all.

    Returns
    -------
    The weight, (rows, columns) float64.

    Raises
    ------
    InputError
        If the exposure cannot be used, or its coronagraph or the place of its star is not known.
    """
    exposure = Exposure(science)
    selectors = read_selectors(exposure.primary)
    check_selectors(selectors, science)
    name = selectors["CORONMSK"]
    if name not in CORONAGRAPHS:
        raise InputError(
            "is not a coronagraph whose geometry is known",
            file=science,
            keyword="CORONMSK",
            value=name,
            remedy=f"name a mask for the exposure, or uniform; known are {', '.join(CORONAGRAPHS)}",
        )
    pixel = read_pixel(exposure)
    middle = locate_occulter(exposure, star, pixel)
    circles = [*exclude, *_on_image(exposure, star, exclude_sky)]
    weight = make_weight(
        exposure.shape[1:],
        CORONAGRAPHS[name],
        middle,
        pixel=pixel,
        is_full_frame=selectors["SUBARRAY"] == FULL,
        edge=edge,
        exclude=circles,
    )
    weight[non_science_area(exposure)] = 0.0
    _check_weight(weight, science)
    notes = [
        f"made from the geometry of {name} for {science.name}",
        f"occulter at column {middle[0]:.2f}, row {middle[1]:.2f}, counted from 0",
        f"pixels of {pixel:.4f} arcsec; {edge} pixels along each edge without weight",
        *(f"no weight around {circle}" for circle in circles),
    ]
    _write(output, weight, _primary(exposure, selectors, output, useafter, notes), middle)
    return weight


def _check_weight(weight: Image, science: Path) -> None:
    if weight.mean() < LEAST_WEIGHT:
        problem = f"the mask would leave {weight.mean():.2%} of the pixels"
        raise InputError(problem, file=science, remedy="check --star, --edge and --exclude")


def read_pixel(exposure: Exposure) -> float:
    """Return the side of a pixel in arcsec: of its area PIXAR_A2, or what the instrument has."""
    area = exposure.science.header.get("PIXAR_A2")
    if isinstance(area, int | float) and 0 < area < math.inf:
        return math.sqrt(area)
    header = exposure.primary
    is_miri = text_of(header, "INSTRUME").upper() == "MIRI"
    is_long = text_of(header, "DETECTOR").upper().endswith(("LONG", "5"))
    return PIXELS["MIRI" if is_miri else "LONG" if is_long else "SHORT"]


def locate_occulter(
    exposure: Exposure, star: tuple[float, float] | None, pixel: float
) -> tuple[float, float]:
    """
    Return column and row of the middle of the occulter, counted from 0.

    It is the position of the star, see `psfalign.files.sky.read_star`. For a bar, the name of the
    aperture gives the offset of the star from the middle (`STAR_ON_BAR`).

    Raises
    ------
    InputError
        If the position of the star is not known.
    """
    column, row = _find_star(exposure, star)
    places = STAR_ON_BAR.get(read_selectors(exposure.primary).get("CORONMSK", ""), {})
    names = [text_of(exposure.primary, keyword).upper() for keyword in ("PPS_APER", "APERNAME")]
    offset = next(
        (places[end] for name in names if (end := name.rpartition("_")[2]) in places), 0.0
    )
    return column - offset / pixel, row


def _find_star(exposure: Exposure, star: tuple[float, float] | None) -> tuple[float, float]:
    try:
        return read_star(exposure, star or "auto")
    except InputError as error:
        error.remedy = NAME_STAR
        if star is not None:
            error.keyword = "--star"
        raise


def _on_image(
    exposure: Exposure,
    star: tuple[float, float] | None,
    places: Sequence[tuple[float, float, float]],
) -> list[Circle]:
    """Find circles on the sky in the image."""
    if not places:
        return []
    sky = Sky.of(exposure, star or "auto")
    return [circle_on(sky, *place) for place in places]


def _primary(
    exposure: Exposure,
    selectors: dict[str, str],
    output: Path,
    useafter: str | None,
    notes: list[str],
) -> Header:
    header = without_data(Header())
    texts = {
        "TELESCOP": "JWST",
        **selectors,
        "REFTYPE": "PSFMASK",
        "DATAMODL": "PsfMaskModel",
        "FILENAME": output.name,
        "USEAFTER": _useafter(exposure, useafter, output),
        "PEDIGREE": "MODEL",
        "AUTHOR": f"psfalign {__version__}",
        "DESCRIP": "Weight from the geometry of the coronagraph; 1 = use",
        STATED: "weight",
    }
    for keyword, text in texts.items():
        set_text(header, keyword, text)
    for keyword in COPIED:
        if exposure.primary.get(keyword) is not None:
            header[keyword] = exposure.primary[keyword]
    for note in notes:
        header.add_history(note.encode("ascii", "backslashreplace").decode())
    return header


def _useafter(exposure: Exposure, useafter: str | None, output: Path) -> str:
    if useafter is not None:
        return parse_useafter(useafter, output).isoformat()
    started = text_of(exposure.primary, "DATE-OBS")
    return min(LAUNCH, f"{started}T00:00:00") if started else LAUNCH  # simulations may be older


def _write(output: Path, weight: Image, primary: Header, occulter: tuple[float, float]) -> None:
    science = Header([("EXTNAME", "SCI", "extension name")])
    science["CRPIX1"] = (occulter[0] + 1, "column of the occulter, counted from 1")
    science["CRPIX2"] = (occulter[1] + 1, "row of the occulter, counted from 1")
    with publishing(output) as stream:
        writer = FitsWriter(stream)
        writer.add(primary)
        writer.add_image(science, weight.shape, np.float32).write(0, weight)
        writer.reserve()
        writer.finish()
