"""Find circles on the image of an exposure that are given in pixels or on the sky."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from ..images.circles import Circle
from .exposure import Exposure
from .sky import Sky, Star

WHOLE_MASK = "PSFMASK"  # extension of a product whose fit left out circles: the mask with them
# One circle: {column, row, radius} in pixels from 0, or {separation, position_angle, radius} from
# the star, in arcsec and degrees from north towards east.
Place = Mapping[str, float]


def is_on_sky(place: Place) -> bool:
    """Return whether a circle is given by its separation from the star."""
    return "separation" in place


def find_circles(exposure: Exposure, exclude: Sequence[Place], star: Star = "auto") -> list[Circle]:
    """
    Return circles in pixels of an exposure.

    Parameters
    ----------
    exposure
        The science exposure, whose headers give the orientation of its pixels on the sky.
    exclude
        The circles.
    star
        Column and row of the star, counted from 0, or ``auto``, see `psfalign.files.sky.Sky.of`.

    Raises
    ------
    InputError
        If a circle is on the sky, and the headers lack the position of the star or north.
    """
    if not any(map(is_on_sky, exclude)):
        return [Circle(**place) for place in exclude]
    try:
        sky = Sky.of(exposure, star)
    except InputError as error:
        error.problem = f"{error.problem}, which circles on the sky need"
        raise
    return [circle_on(sky, **place) if is_on_sky(place) else Circle(**place) for place in exclude]


def say_beside(path: Path, shape: Sequence[int]) -> str:
    """Return the problem with a circle that is outside an image of (rows, columns)."""
    rows, columns = shape
    return f"covers no pixel of {path}, which has {columns} columns, {rows} rows"


def circle_on(sky: Sky, separation: float, position_angle: float, radius: float) -> Circle:
    """
    Return a circle on the sky in pixels.

    Parameters
    ----------
    sky
        Position of the star, and orientation of the pixels on the sky.
    separation
        Distance from the star in arcsec.
    position_angle
        Direction from the star in degrees, from north towards east.
    radius
        Radius in arcsec. On the sky it is a circle only to 2 %, by which the sides of a pixel
        differ.
    """
    column, row = map(float, sky.to_pixel(separation, position_angle))
    return Circle(column, row, radius / sky.scale)
