"""Make a weight without a mask: 1 in all pixels that show the sky."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..files.exposure import Exposure
from ..images.arrays import Bools, Image
from ..images.dq_flags import NON_SCIENCE


@dataclass(frozen=True)
class Area:
    """
    The pixels of an image that have weight, in a compact form for psfmask.json.

    Attributes
    ----------
    rows, columns
        The size of the image.
    zeros
        The pixels without weight, counted from 0 along the rows: numbers and ranges, such as
        ``0-319,645``.
    """

    rows: int
    columns: int
    zeros: str

    @classmethod
    def of(cls, area: Bools) -> Self:
        """Return the form of a (rows, columns) image that is true where a pixel has weight."""
        padded = np.concatenate(([False], ~area.ravel(), [False]))
        bounds = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2).tolist()
        zeros = ",".join(f"{a}-{b - 1}" if b - a > 1 else f"{a}" for a, b in bounds)
        rows, columns = area.shape
        return cls(rows, columns, zeros)

    def weight(self) -> Image:
        """
        Return the weight, (rows, columns) float64 of 0 and 1.

        Raises
        ------
        ValueError
            If the text is invalid, or a number is not that of a pixel.
        """
        weight = np.ones(self.rows * self.columns)
        for part in filter(None, self.zeros.split(",")):
            first, _, last = part.partition("-")
            start, end = int(first), int(last or first) + 1
            if not 0 <= start < end <= weight.size:
                raise ValueError(f"{part} are no pixels of {self.columns}×{self.rows}")
            weight[start:end] = 0.0
        return weight.reshape(self.rows, self.columns)


def science_area(exposure: Exposure, *, bad_bits: int) -> Bools:
    """
    Find the pixels that show the sky in an exposure.

    Parameters
    ----------
    exposure
        The exposure, which is opened here.
    bad_bits
        DQ flags that make a pixel bad.

    Returns
    -------
    (rows, columns): false where every integration is bad, not finite, or flagged NON_SCIENCE.
    """
    usable = np.zeros(exposure.shape[1:], dtype=bool)
    with exposure:
        for i in range(len(exposure)):
            image, flags = exposure.read_science(i), exposure.read_dq(i)
            usable |= np.isfinite(image) & ((flags & np.uint32(bad_bits | NON_SCIENCE)) == 0)
    return usable


def non_science_area(exposure: Exposure) -> Bools:
    """Find the pixels, (rows, columns), that every integration flags as NON_SCIENCE."""
    outside = np.ones(exposure.shape[1:], dtype=bool)
    with exposure:
        for i in range(len(exposure)):
            outside &= (exposure.read_dq(i) & np.uint32(NON_SCIENCE)) != 0
    return outside


def read_area(entries: Any) -> Area | None:
    """
    Read what `dataclasses.asdict` made of an area; None for none.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is no area.
    """
    if entries is None:
        return None
    area = Area(int(entries["rows"]), int(entries["columns"]), str(entries["zeros"]))
    area.weight()
    return area
