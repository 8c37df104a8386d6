"""Find the star of an exposure, and the orientation of its pixels on the sky."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ..errors import InputError
from ..images.arrays import Image
from .exposure import Exposure
from .fits.structure import text_of

Star = Literal["auto"] | tuple[float, float]
Floats = float | NDArray[np.floating] | NDArray[np.integer]
Matrix = NDArray[np.float64]

ARCSEC = 3600.0  # in a degree
# What says where the images of an exposure are, by the HDU that has it.
PLACING = {
    "PRIMARY": ("XOFFSET", "YOFFSET", "STARCENX", "STARCENY"),
    "SCI": ("CRPIX1", "CRPIX2", "STARCENX", "STARCENY"),
}
CD = (("CD1_1", "CD1_2"), ("CD2_1", "CD2_2"))
FILTER = re.compile(r"F([0-9]{3,4})[A-Z]")
DIAMETER = 6.5  # metres, of JWST
ALIKE = 0.05  # by which two solid angles of a pixel may differ
FLAT = 1e-6  # area over squared sides of a pixel that is a line
HALF_TURN = 180.0  # degrees
LEAST_TURN = 1.0  # degrees: exposures of one roll differ by less, rolls of JWST by five or so
HALF = 0.5  # pixels, from the middle of a pixel to its edge
USUAL_PARITY = -1  # VPARITY of NIRCam and MIRI
SET_STAR = "set psf_subtraction.star to its [column, row], counted from 0"
ASSIGN_WCS = "run assign_wcs of the jwst pipeline, which writes a CD matrix"


@dataclass(frozen=True)
class Sky:
    """
    The position of the star, and the linear map from pixels to the tangent plane of the sky.

    Columns and rows are counted from 0, and whole numbers are the centres of pixels.

    Attributes
    ----------
    column, row
        Position of the star.
    matrix : (2, 2) float64
        Arcseconds per pixel: the rows are (east, north), the columns (column, row).
    """

    column: float
    row: float
    matrix: Matrix

    @classmethod
    def of(cls, exposure: Exposure, star: Star = "auto") -> "Sky":
        """
        Read the headers of a science exposure.

        The position of the star is STARCENX and STARCENY of SCI or PRIMARY, counted from 1, or else
        CRPIX1 and CRPIX2 of SCI. The map is the CD matrix of SCI (FITS standard 4.0, section 8.1).
        Without it, pixels are squares with an area of PIXAR_A2 arcsec² or PIXAR_SR sr; rows
        increase towards position angle PA_APER, and columns 90° west of it for VPARITY -1, or 90°
        east of it for VPARITY 1. Distortion is neglected: in coronagraphic subarrays, it is less
        than 0.1° and 0.1 %.

        Parameters
        ----------
        exposure
            The science exposure. Headers of psf images describe the orientation of those images.
        star
            ``auto``, or column and row of the star, counted from 0, instead of those of headers.

        Raises
        ------
        InputError
            If a keyword is missing or invalid, or the star is not in the image.
        """
        column, row = read_star(exposure, star)
        return cls(column, row, read_matrix(exposure))

    @property
    def scale(self) -> float:
        """Side of a square as large as a pixel, in arcsec."""
        return math.sqrt(abs(np.linalg.det(self.matrix)))

    @property
    def north_angle(self) -> float:
        """Direction of north in degrees from the direction of rows, positive away from columns."""
        return north_angle(self.matrix)

    def to_offset(self, column: Floats, row: Floats) -> tuple[Image, Image]:
        """Return the offsets (east, north) of pixels from the star, in arcsec."""
        place = np.stack(np.broadcast_arrays(column - self.column, row - self.row))
        east, north = np.tensordot(self.matrix, place, axes=1)
        return east, north

    def to_pixel(self, separation: Floats, position_angle: Floats) -> tuple[Image, Image]:
        """
        Return the columns and rows of positions on the sky.

        Parameters
        ----------
        separation
            Distance from the star in arcsec.
        position_angle
            Direction from the star in degrees, from north towards east.
        """
        angle = np.radians(position_angle)
        place = np.stack(np.broadcast_arrays(np.sin(angle), np.cos(angle))) * separation
        column, row = np.tensordot(np.linalg.inv(self.matrix), place, axes=1)
        return column + self.column, row + self.row

    def separations(self, shape: tuple[int, ...]) -> Image:
        """Return the distance of each pixel from the star in arcsec, (rows, columns)."""
        row, column = np.indices(shape)
        return np.hypot(*self.to_offset(column, row))


def north_angle(matrix: Matrix) -> float:
    """Return the direction of north as `Sky.north_angle` does, for a map of pixels to the sky."""
    d_column, d_row = np.linalg.solve(matrix, (0.0, 1.0))
    return math.degrees(math.atan2(-d_column, d_row))


def turn_between(angle: float, other: float) -> float:
    """Return by how many degrees two directions differ, 0 to 180."""
    return abs((angle - other + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN)


def read_placing(exposure: Exposure) -> dict[str, dict[str, float]]:
    """Return the keywords of `PLACING` that an exposure has, by HDU."""
    headers = {"PRIMARY": exposure.primary, "SCI": exposure.science.header}
    return {
        name: {key: headers[name][key] for key in keywords if key in headers[name]}
        for name, keywords in PLACING.items()
    }


def take_placing(header: Header, name: str, placing: dict[str, dict[str, float]]) -> None:
    """Set position keywords to those of another exposure; remove those that it lacks."""
    for keyword in PLACING[name]:
        header.remove(keyword, ignore_missing=True)
        if keyword in placing[name]:
            header[keyword] = (placing[name][keyword], "of the science exposure")


def read_star(exposure: Exposure, star: Star = "auto") -> tuple[float, float]:
    """Return column and row of the star, counted from 0; parameters as those of `Sky.of`."""
    if star == "auto":
        header, keywords = _star_keywords(exposure)
        column, row = (_number(exposure, header, keyword) - 1 for keyword in keywords)
        file, keyword = f"{exposure.path}[SCI]", " and ".join(keywords)
        value = f"{header[keywords[0]]:g} and {header[keywords[1]]:g}"
    else:
        (column, row), file, keyword = star, str(exposure.path), "psf_subtraction.star"
        value = f"[{column:g}, {row:g}]"
    problem = beside_image(column, row, exposure.shape[1:])
    if problem:
        raise InputError(problem, file=file, keyword=keyword, value=value, remedy=SET_STAR)
    return float(column), float(row)


def beside_image(column: float, row: float, shape: Sequence[int]) -> str:
    """Return the problem with a position of the star on an image; empty if there is none."""
    rows, columns = shape
    if -HALF <= column < columns - HALF and -HALF <= row < rows - HALF:
        return ""
    return f"the star is not in the image of {columns}×{rows} pixels"


def read_target(exposure: Exposure) -> str:
    """Return the name of the target from the proposal; empty if the header has none."""
    names = (text_of(exposure.primary, keyword) for keyword in ("TARGPROP", "TARGNAME"))
    return next(filter(None, names), "").upper()


def read_fwhm(exposure: Exposure) -> float:
    """
    Return the width of a point source in arcsec: λ/D for the wavelength in the name of the filter.

    Names have it in hundredths of a micrometre, F444W 4.44 µm and F1140C 11.4 µm.
    """
    name = text_of(exposure.primary, "FILTER")
    found = FILTER.match(name.upper())
    if found is None:
        problem, remedy = "names no wavelength", "set it to that of the exposure, such as F444W"
        raise InputError(
            problem, file=exposure.path, keyword="FILTER", value=name or None, remedy=remedy
        )
    return math.degrees(float(found[1]) * 1e-8 / DIAMETER) * ARCSEC


def _star_keywords(exposure: Exposure) -> tuple[Header, tuple[str, str]]:
    for header in (exposure.science.header, exposure.primary):
        if "STARCENX" in header and "STARCENY" in header:
            return header, ("STARCENX", "STARCENY")
    return exposure.science.header, ("CRPIX1", "CRPIX2")


def read_matrix(exposure: Exposure) -> Matrix:
    """Return the map of pixels to the sky, see `Sky`."""
    header = exposure.science.header
    if not any(keyword in header for row in CD for keyword in row):
        return _matrix_of_aperture(exposure)
    # An element that is not there is 0, where any of them is.
    matrix = ARCSEC * np.array(
        [[_number(exposure, header, key) if key in header else 0.0 for key in row] for row in CD]
    )
    if abs(np.linalg.det(matrix)) <= FLAT * np.sum(matrix**2):
        raise _useless(exposure, "CD1_1", header.get("CD1_1"), "the matrix gives pixels no area")
    return matrix


def read_solid_angle(exposure: Exposure) -> float:
    """
    Return the solid angle of a pixel in sr by which surface brightness becomes flux.

    It is PIXAR_SR, which belongs to the calibration of jwst in MJy/sr. The area from the map of
    pixels, which differs by half a percent, is used if PIXAR_SR is missing, or if the image was
    binned later.
    """
    mapped = abs(float(np.linalg.det(read_matrix(exposure)))) / math.degrees(ARCSEC) ** 2
    given = exposure.science.header.get("PIXAR_SR")
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return given if is_number and abs(given / mapped - 1) < ALIKE else mapped


def _matrix_of_aperture(exposure: Exposure) -> Matrix:
    header = exposure.science.header
    angle = math.radians(_number(exposure, header, "PA_APER"))
    area, parity = _read_area(exposure), header.get("VPARITY", USUAL_PARITY)
    if area <= 0:
        raise _useless(exposure, "PIXAR_A2", area, "is not the area of a pixel")
    if parity not in (-1, 1):
        raise _useless(exposure, "VPARITY", parity, "is neither -1 nor 1")
    sine, cosine = math.sin(angle), math.cos(angle)
    return math.sqrt(area) * np.array([[parity * cosine, sine], [-parity * sine, cosine]])


def _read_area(exposure: Exposure) -> float:
    """Return the area of a pixel in arcsec²."""
    header = exposure.science.header
    if "PIXAR_A2" not in header and "PIXAR_SR" in header:
        return _number(exposure, header, "PIXAR_SR") * math.degrees(ARCSEC) ** 2
    return _number(exposure, header, "PIXAR_A2")


def _number(exposure: Exposure, header: Header, keyword: str) -> float:
    """Return the value of a keyword of a position or orientation."""
    value = header.get(keyword)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    problem = "missing" if value is None else "is not a number"
    if keyword.startswith(("STARCEN", "CRPIX")):
        problem, remedy = f"{problem}: nothing says where the star is", SET_STAR
    else:
        problem, remedy = f"{problem}: nothing says where north is", ASSIGN_WCS
    raise _useless(exposure, keyword, value, problem, remedy)


def _useless(
    exposure: Exposure, keyword: str, value: object, problem: str, remedy: str = ASSIGN_WCS
) -> InputError:
    file = f"{exposure.path}[SCI]"
    return InputError(problem, file=file, keyword=keyword, value=value, remedy=remedy)
