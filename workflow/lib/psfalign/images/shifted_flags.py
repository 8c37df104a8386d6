"""Shift data quality flags."""

import math
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Flags
from .dq_flags import DO_NOT_USE
from .fourier import Shift

ROUNDING = 1e-6  # pixels; a shift that is closer to a whole number counts as whole


class Motion(NamedTuple):
    """
    The effect of a shift on flags along one axis, which is the same for many shifts.

    Attributes
    ----------
    nearest
        Offsets from a pixel to the pixels within one pixel of its origin.
    first, last
        The pixels [first, last) come from inside the image.
    """

    nearest: range
    first: int
    last: int

    @classmethod
    def along(cls, size: int, shift: float) -> "Motion":
        """Return the motion along an axis of ``size`` pixels for a shift in pixels."""
        nearest = range(math.ceil(-shift - 1 - ROUNDING), math.floor(-shift + 1 + ROUNDING) + 1)
        first = math.ceil(shift - ROUNDING)
        last = math.floor(size - 1 + shift + ROUNDING) + 1
        return cls(nearest, min(max(first, 0), size), min(max(last, 0), size))


def flag_motion(shape: tuple[int, ...], shift: Shift) -> tuple[Motion, Motion]:
    """Return the motions along the row axis and along the column axis."""
    return Motion.along(shape[0], shift.dy), Motion.along(shape[1], shift.dx)


def move_flags(dq: Flags, shift: Shift) -> Flags:
    """
    Return the flags of a shifted image.

    Parameters
    ----------
    dq : (rows, columns) uint32
        Flags before the shift.
    shift
        The shift of the image, as in `psfalign.images.fourier.shift_image`.

    Returns
    -------
    (rows, columns) uint32
        Each pixel gets the flags of all pixels that are within one pixel of its origin along both
        axes. If its origin is outside the image, so that its content was wrapped around an edge,
        it gets DO_NOT_USE.
    """
    return move_along(dq, flag_motion(dq.shape, shift))


def move_along(dq: Flags, motion: tuple[Motion, Motion]) -> Flags:
    """Return the flags as `move_flags` does, for a motion instead of a shift."""
    rows, columns = motion
    moved = _spread(_spread(dq, rows.nearest).T, columns.nearest).T
    for edge in (np.s_[: rows.first], np.s_[rows.last :]):
        moved[edge] |= np.uint32(DO_NOT_USE)
    for edge in (np.s_[: columns.first], np.s_[columns.last :]):
        moved[:, edge] |= np.uint32(DO_NOT_USE)
    return moved


def find_wrapped(shape: tuple[int, ...], shift: Shift) -> Bools:
    """Return the pixels of a shifted image that come from outside the image."""
    wrapped = np.ones(shape, dtype=bool)
    rows, columns = flag_motion(shape, shift)
    wrapped[rows.first : rows.last, columns.first : columns.last] = False
    return wrapped


def _spread(dq: Flags, nearest: range) -> Flags:
    """Combine, along the first axis, the flags at all offsets by bitwise or."""
    spread = np.zeros_like(dq)
    size = len(dq)
    for offset in nearest:
        length = max(0, size - abs(offset))
        source, target = max(0, offset), max(0, -offset)
        spread[target : target + length] |= dq[source : source + length]
    return spread
