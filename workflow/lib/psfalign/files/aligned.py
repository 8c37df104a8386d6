"""Read psf images that were aligned to a science exposure, many at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Image
from .circles import WHOLE_MASK
from .exposure import DIMENSIONS
from .fits.planes import FitsPlanes
from .fits.structure import Hdu, text_of
from .fits.tables import read_table
from .shifts import with_absent

Indices = Sequence[int] | NDArray[np.intp]
Singles = NDArray[np.float32]
"""Planes in the precision of the file, (planes, rows, columns)."""

Planes = TypeVar("Planes", Singles, NDArray[np.int32])

FEW = 4  # planes that are read at a time
NAME_A_PRODUCT = "name a product of psfalign"


class AlignedPsfs(FitsPlanes):
    """
    The psf images of a psfalign product, which may be unaligned (S_PSFALI = SKIPPED).

    Attributes
    ----------
    shared
        Whether all integrations have the same psf images: the product is 3D.
    applies
        Whether the psf images were aligned.

    Raises
    ------
    InputError
        If the file is not a psfalign product.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.applies = text_of(self.primary, "S_PSFALI") == "COMPLETE"
        self._science, self._error, self._dq = (
            self._needed(name, remedy=NAME_A_PRODUCT) for name in ("SCI", "ERR", "DQ")
        )
        weight = self._needed("WEIGHT", remedy=NAME_A_PRODUCT) if self.applies else None
        self._weight = self._extension(WHOLE_MASK) or weight
        self._shape = self._science.shape
        self.shared = len(self._shape) == DIMENSIONS

    def __len__(self) -> int:
        return self._shape[-3]

    @property
    def integrations(self) -> int | None:
        """Number of science integrations with psf images of their own; None if they share them."""
        return None if self.shared else self._shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self._shape[-2:]

    def read_shifts(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the table of shifts; none if the images were not aligned."""
        found = [hdu for hdu in self.hdus if hdu.name == "SHIFTS"]
        return with_absent(read_table(self.path, found[0])) if found else {}

    def read_weight(self) -> Image | None:
        """Return the weight of the mask, (rows, columns) float64; None without alignment."""
        return None if self._weight is None else self._read_scaled(self._weight, 0)

    def read_images(self, integration: int) -> Singles:
        """Return the psf images of an integration, (psfs, rows, columns)."""
        return self._floats(self._science, integration, range(len(self)))

    def read_errors(self, integration: int, psfs: Indices) -> Singles:
        """Return the errors of some psf images of an integration, (psfs, rows, columns)."""
        return self._floats(self._error, integration, psfs)

    def read_flags(self, integration: int, psfs: Indices) -> NDArray[np.int32]:
        """
        Return flags of some of its psf images, (psfs, rows, columns).

        The highest bit is inverted, because BZERO of unsigned integers is not applied.
        """
        planes = np.empty((len(psfs), *self.shape), np.int32)
        return self._fill(planes, self._dq, integration, psfs)

    def _floats(self, hdu: Hdu, integration: int, psfs: Indices) -> Singles:
        planes = np.empty((len(psfs), *self.shape), np.float32)
        return self._fill(planes, hdu, integration, psfs)

    def _fill(self, planes: Planes, hdu: Hdu, integration: int, psfs: Indices) -> Planes:
        """Read planes into an array, a few at a time, so that they stay in the cache."""
        first = 0 if self.shared else integration * len(self)
        for start in range(0, len(psfs), FEW):
            few = np.asarray(psfs[start : start + FEW])
            raw = self._read_raw(hdu, first + int(few[0]), int(few[-1] - few[0]) + 1)
            planes[start : start + FEW] = raw if len(raw) == len(few) else raw[few - few[0]]
        return planes
