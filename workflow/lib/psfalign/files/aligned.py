"""Read psf images that were aligned to a science exposure, many at a time."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ..errors import InputError
from ..images.arrays import Cube, Image
from .exposure import DIMENSIONS, read_plane, scale
from .fits.structure import scan, text_of

Indices = Sequence[int] | NDArray[np.intp]


class AlignedPsfs:
    """
    The psf images of a psfalign product, also of one that passed them on as they were.

    Planes are read within a with block.

    Attributes
    ----------
    path, hdus, primary
        The file, its HDUs, and the header of the first.
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
        self.path = path
        self.hdus = scan(path)
        self.primary: Header = self.hdus[0].header
        self._named = {hdu.name: hdu for hdu in self.hdus}
        self.applies = text_of(self.primary, "S_PSFALI") == "COMPLETE"
        needed = ("SCI", "ERR", "DQ", *(("WEIGHT",) if self.applies else ()))
        for name in needed:
            if name not in self._named:
                remedy = "name a product of psfalign"
                raise InputError("no such extension", file=f"{path}[{name}]", remedy=remedy)
        self._shape = self._named["SCI"].shape
        self.shared = len(self._shape) == DIMENSIONS
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._stream = open(self.path, "rb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def __len__(self) -> int:
        return self._shape[-3]

    @property
    def integrations(self) -> int | None:
        """How many science integrations have psf images of their own; None where they share."""
        return None if self.shared else self._shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self._shape[-2:]

    def read_weight(self) -> Image | None:
        """Return the weight of the fit, (rows, columns) float64; None without alignment."""
        return self._floats("WEIGHT", [0])[0] if self.applies else None

    def read_images(self, integration: int) -> Cube:
        """Return the psf images of an integration, (psfs, rows, columns) float64."""
        return self._floats("SCI", self._planes(integration, range(len(self))))

    def read_errors(self, integration: int, psfs: Indices) -> Cube:
        """Return errors of some of its psf images, (psfs, rows, columns) float64."""
        return self._floats("ERR", self._planes(integration, psfs))

    def read_flagged(self, integration: int, psfs: Indices, bit: int) -> NDArray[np.bool_]:
        """Return the pixels of some of its psf images with a flag, (psfs, rows, columns) bool."""
        flagged = np.empty((len(psfs), *self._shape[-2:]), dtype=bool)
        for place, index in zip(flagged, self._planes(integration, psfs), strict=True):
            # BZERO of unsigned integers turns the highest bit round, and no other.
            place[:] = (self._read("DQ", index) & np.array(bit, ">i4")) != 0
        return flagged

    def _planes(self, integration: int, psfs: Indices) -> list[int]:
        first = 0 if self.shared else integration * len(self)
        return [first + int(psf) for psf in psfs]

    def _floats(self, name: str, planes: Sequence[int]) -> Cube:
        cube = np.empty((len(planes), *self._shape[-2:]))
        header = self._named[name].header
        for place, index in zip(cube, planes, strict=True):
            place[:] = scale(self._read(name, index), header)
        return cube

    def _read(self, name: str, index: int) -> NDArray[Any]:
        if self._stream is None:
            raise ValueError("read planes inside a with block")
        return read_plane(self._stream, self.path, self._named[name], index)
