"""Carry data quality flags along with a shift."""

import math

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Flags
from .dq import DO_NOT_USE
from .fourier import Shift

ROUNDING = 1e-6  # pixels: a shift this near to a whole number is one


def move_flags(dq: Flags, shift: Shift) -> Flags:
    """
    Give the flags of a shifted image.

    Parameters
    ----------
    dq : (rows, columns) uint32
        Flags before the shift.
    shift
        The shift of the image, as in `psfalign.fourier.shift_image`.

    Returns
    -------
    (rows, columns) uint32
        Each pixel carries the flags of all pixels that lie, along both axes, within one pixel of
        where it came from. Where that is outside the image, so that content was wrapped around
        an edge, it is DO_NOT_USE.
    """
    moved = _spread(_spread(dq, shift.dy, axis=0), shift.dx, axis=1)
    moved[find_wrapped(dq.shape, shift)] |= np.uint32(DO_NOT_USE)
    return moved


def find_wrapped(shape: tuple[int, ...], shift: Shift) -> Bools:
    """Tell which pixels of a shifted image came from outside the image."""
    rows, columns = (_outside(n, d) for n, d in zip(shape, (shift.dy, shift.dx), strict=True))
    return rows[:, None] | columns


def _outside(size: int, shift: float) -> Bools:
    origin = np.arange(size) - shift
    return np.asarray((origin < -ROUNDING) | (origin > size - 1 + ROUNDING))


def _spread(dq: Flags, shift: float, *, axis: int) -> Flags:
    """Or together what comes from each whole-pixel neighbour of the origin along one axis."""
    nearest = range(math.ceil(-shift - 1 - ROUNDING), math.floor(-shift + 1 + ROUNDING) + 1)
    spread = np.zeros_like(dq)
    for offset in nearest:
        source, target = _overlap(dq.shape[axis], offset)
        _along(spread, target, axis)[...] |= _along(dq, source, axis)
    return spread


def _overlap(size: int, offset: int) -> tuple[slice, slice]:
    """Slices of equal length: pixel i + offset of a source goes to pixel i of a target."""
    length = max(0, size - abs(offset))
    source, target = max(0, offset), max(0, -offset)
    return slice(source, source + length), slice(target, target + length)


def _along(array: Flags, section: slice, axis: int) -> NDArray[np.uint32]:
    return array[section] if axis == 0 else array[:, section]
