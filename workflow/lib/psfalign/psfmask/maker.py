"""
Compute the weight of a coronagraph from its geometry, for exposures without a PSFMASK file.

The weight is the transmission of the occulter, and 0 behind neutral density squares and outside the
field. Numbers come from JDox (jwst-docs.stsci.edu, the pages on the NIRCam and MIRI coronagraphs),
or were measured on PSFMASK files of CRDS, as noted for each.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from ..images.arrays import Bools, Image
from ..images.circles import Circle, leave_out

# Arguments at which the transmissions below are a half.
HALF_ROUND = 2.1001  # (1 - (2 J1(x) / x)²)² = 1/2
HALF_BAR = 1.7996  # (1 - (sin x / x)²)² = 1/2

# NIRCam bars: flat ends and a linear taper between them; measured on jwst_nircam_psfmask_0003.
TAPER = 15.0  # arcsec

# MIRI quadrants.
TILT = 4.8  # degrees, of the cross against the detector, clockwise; JDox, and V3I_YANG
# Across a line of the cross the weight is 1 - depth exp(-d² / 2 width²); both were measured on a
# mask of 4QPM_1140 made in flight, whose lines go down to 0.3 and 0.5 and are ±4 pixels wide.
LINE_DEPTH = 0.7
LINE_WIDTH = 0.30  # arcsec

# NIRCam neutral density squares, in arcsec from the occulter; measured on jwst_nircam_psfmask_0019
# and 0003. The squares of 5 and 2 arcsec lie between two occulters of the row, or whole at its end.
BETWEEN_LARGE, BETWEEN_SMALL = (7.5, 12.5), (9.0, 11.0)
END_LARGE, END_SMALL = (5.0, 10.0), (8.0, 10.0)
ROWS_LARGE, ROWS_SMALL = (-10.0, -5.0), (8.0, 10.0)
NIRCAM_FIELD = 10.0  # arcsec, half the distance between two occulters; JDox
QUADRANTS_FIELD = 12.0  # arcsec, half of 24; JDox
LYOT_FIELD = 14.9  # arcsec, half of 30 in JDox; measured on jwst_miri_psfmask_0009
LYOT_SPOT = 2.17  # arcsec, radius; JDox has 2.16, measured on jwst_miri_psfmask_0009

Transmission = Callable[[Image, Image], Image]  # of x and y in arcsec from the occulter


@dataclass(frozen=True)
class Box:
    """A rectangle, in arcsec from the occulter: its bounds in columns (x) and rows (y)."""

    x: tuple[float, float]
    y: tuple[float, float]

    def covers(self, x: Image, y: Image) -> Bools:
        """Return which positions are inside."""
        inside: Bools = (x >= self.x[0]) & (x <= self.x[1]) & (y >= self.y[0]) & (y <= self.y[1])
        return inside


@dataclass(frozen=True)
class Coronagraph:
    """
    A coronagraph.

    Attributes
    ----------
    transmission
        The transmission of its occulter, a function of x and y in arcsec from the occulter.
    reach
        Half the side of its square field in arcsec.
    is_framed
        Whether a subarray includes the edges of the field; a full frame always does.
    squares
        Its neutral density squares.
    """

    transmission: Transmission
    reach: float
    is_framed: bool = False
    squares: tuple[Box, ...] = ()


def _round(x: Image, y: Image, *, half_radius: float) -> Image:
    """Return the transmission of a sombrero-squared spot (Krist et al. 2009, SPIE 7440)."""
    from scipy.special import j1  # slow to import, and needed nowhere else

    argument = np.maximum(np.hypot(x, y) * HALF_ROUND / half_radius, 1e-6)
    return np.asarray((1 - (2 * j1(argument) / argument) ** 2) ** 2)


def _bar(x: Image, y: Image, *, half_widths: tuple[float, float]) -> Image:
    """Return the transmission of a sinc-squared bar (ibid.); its left and right half-widths."""
    left, right = half_widths
    half_width = np.interp(x, (-TAPER / 2, TAPER / 2), (left, right))
    # NumPy's sinc contains π.
    return np.asarray((1 - np.sinc(y / half_width * (HALF_BAR / np.pi)) ** 2) ** 2)


def _quadrants(x: Image, y: Image, *, disk: float) -> Image:
    """Return a weight for four quadrants: a tilted cross, and a disk of this radius."""
    angle = np.deg2rad(TILT)
    across = x * np.cos(angle) - y * np.sin(angle)
    along = x * np.sin(angle) + y * np.cos(angle)
    distance = np.minimum(np.abs(across), np.abs(along))
    weight = 1 - LINE_DEPTH * np.exp(-0.5 * (distance / LINE_WIDTH) ** 2)
    return np.where(np.hypot(x, y) <= disk, 0.0, weight)


def _spot(x: Image, y: Image, *, radius: float) -> Image:
    """Return the transmission of an opaque spot; delivered masks have no weight for its struts."""
    return np.where(np.hypot(x, y) <= radius, 0.0, 1.0)


def _squares(left: str, right: str) -> tuple[Box, ...]:
    """List the squares on both sides: ``between`` two occulters, or whole at the ``end``."""
    large = {"between": BETWEEN_LARGE, "end": END_LARGE}
    small = {"between": BETWEEN_SMALL, "end": END_SMALL}
    boxes = []
    for columns, rows in ((large, ROWS_LARGE), (small, ROWS_SMALL)):
        low, high = columns[left]
        boxes += [Box((-high, -low), rows), Box(columns[right], rows)]
    return tuple(boxes)


def _nircam(
    transmission: Transmission, left: str = "between", right: str = "between"
) -> Coronagraph:
    return Coronagraph(transmission, NIRCAM_FIELD, squares=_squares(left, right))


def _miri(disk: float) -> Coronagraph:
    return Coronagraph(partial(_quadrants, disk=disk), QUADRANTS_FIELD, is_framed=True)


# By CORONMSK. Radii and half-widths at half transmission in arcsec, disks of 1 λ/D; JDox. From low
# to high columns, the row of NIRCam occulters is 210R, 335R, 430R, SWB, LWB.
CORONAGRAPHS: Mapping[str, Coronagraph] = MappingProxyType(
    {
        "MASKA210R": _nircam(partial(_round, half_radius=0.40), left="end"),
        "MASKA335R": _nircam(partial(_round, half_radius=0.63)),
        "MASKA430R": _nircam(partial(_round, half_radius=0.81)),
        "MASKASWB": _nircam(partial(_bar, half_widths=(0.13, 0.39))),
        "MASKALWB": _nircam(partial(_bar, half_widths=(0.87, 0.29)), right="end"),
        "4QPM_1065": _miri(0.33),
        "4QPM_1140": _miri(0.36),
        "4QPM_1550": _miri(0.49),
        "LYOT_2300": Coronagraph(partial(_spot, radius=LYOT_SPOT), LYOT_FIELD, is_framed=True),
    }
)

# Where the star stands on a bar, in arcsec from its middle along the columns, by the last part of
# the aperture's name: V2 of the apertures NRCA5_MASKLWB_* and NRCA4_MASKSWB_* in the SIAF.
STAR_ON_BAR: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "MASKALWB": MappingProxyType(
            {
                "F250M": 6.565,
                "F277W": 4.917,
                "F300M": 5.042,
                "F335M": 3.875,
                "F356W": 2.327,
                "F360M": 3.057,
                "F410M": 1.622,
                "F430M": 0.998,
                "F444W": -0.723,
                "F460M": -0.094,
                "F480M": -0.854,
                "NARROW": 8.302,
            }
        ),
        "MASKASWB": MappingProxyType(
            {
                "F182M": -1.743,
                "F187N": -1.544,
                "F200W": 0.196,
                "F210M": -0.034,
                "F212N": 0.144,
                "NARROW": -8.053,
            }
        ),
    }
)


def make_weight(
    shape: tuple[int, int],
    coronagraph: Coronagraph,
    occulter: tuple[float, float],
    *,
    pixel: float,
    is_full_frame: bool = False,
    edge: int = 0,
    exclude: Iterable[Circle] = (),
) -> Image:
    """
    Compute the weight of a coronagraphic image.

    Parameters
    ----------
    shape
        Rows and columns.
    coronagraph
        One of `CORONAGRAPHS`.
    occulter
        Column and row of the middle of its occulter, in pixels from 0.
    pixel
        The side of a pixel in arcsec.
    is_full_frame
        Whether the image shows the whole detector, and so the fields of other coronagraphs.
    edge
        How many pixels along each edge have no weight.
    exclude
        Circles without weight.

    Returns
    -------
    (rows, columns) float64 between 0 (leave out) and 1.
    """
    rows, columns = np.indices(shape, dtype=np.float64)
    x, y = (columns - occulter[0]) * pixel, (rows - occulter[1]) * pixel
    weight = np.clip(coronagraph.transmission(x, y), 0.0, 1.0)
    for square in coronagraph.squares:
        weight[square.covers(x, y)] = 0.0
    if coronagraph.is_framed or is_full_frame:
        weight[np.maximum(np.abs(x), np.abs(y)) > coronagraph.reach] = 0.0
    weight = leave_out(weight, exclude)
    inner = (slice(edge, size - edge) for size in shape)
    is_inner = np.zeros(shape, dtype=bool)
    is_inner[tuple(inner)] = True
    return np.where(is_inner, weight, 0.0)
