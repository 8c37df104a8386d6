"""Read the images of a FITS file plane by plane, and check that it is intact and unchanged."""

import math
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ...errors import InputError
from ...images.arrays import Image
from .checksums import check_checksums
from .structure import Hdu, check_regular_file, read_exactly, scan, text_of

# How FITS stores pixels, by BITPIX.
STORED: dict[int, np.dtype[Any]] = {
    8: np.dtype("u1"),
    16: np.dtype(">i2"),
    32: np.dtype(">i4"),
    64: np.dtype(">i8"),
    -32: np.dtype(">f4"),
    -64: np.dtype(">f8"),
}


class FitsPlanes:
    """
    A FITS file whose planes, the last two axes of an image, are read inside a ``with`` block.

    Attributes
    ----------
    path, hdus, primary
        The file, its HDUs, and the header of the first.
    unprotected : list
        The names of HDUs without checksums; known inside the ``with`` block.

    Raises
    ------
    InputError
        If the file is not intact. Its structure is checked here, its checksums when the ``with``
        block is entered, and at the end of the block whether it has changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_regular_file(path)
        self._signature = _signature(path)
        self.hdus = scan(path)
        self.primary: Header = self.hdus[0].header
        self.unprotected: list[str] = []
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.unprotected = self.check_checksums()
        self._stream = open(self.path, "rb")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if raised[0] is None and _signature(self.path) != self._signature:
            raise InputError("changed while it was read", file=self.path, remedy="run again")

    def check_checksums(self) -> list[str]:
        """Verify the checksums of a file, and return the names of HDUs that have none."""
        return check_checksums(self.path, self.hdus)

    def _extension(self, name: str) -> Hdu | None:
        """Return the image extension of a name, None where there is none."""
        found = [hdu for hdu in self.hdus if hdu.name == name]
        if len(found) > 1:
            problem = f"has {len(found)} extensions of this name"
            raise InputError(problem, file=f"{self.path}[{name}]", remedy="keep one of them")
        if not found:
            return None
        check_image(found[0], self.path)
        return found[0]

    def _needed(self, name: str, *, remedy: str) -> Hdu:
        """Return an image extension that the file must have."""
        found = self._extension(name)
        if found is None:
            raise InputError("no such extension", file=f"{self.path}[{name}]", remedy=remedy)
        return found

    def _read_raw(self, hdu: Hdu, first: int, n_planes: int = 1) -> NDArray[Any]:
        """Return planes one after another, (planes, rows, columns), as they are stored."""
        if self._stream is None:
            raise ValueError("read planes inside a with block")
        return read_planes(self._stream, self.path, hdu, first, n_planes)

    def _read_scaled(self, hdu: Hdu, index: int) -> Image:
        """Return one plane, (rows, columns) float64, NaN where it is BLANK."""
        return scale(self._read_raw(hdu, index)[0], hdu.header)


def _signature(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def check_image(hdu: Hdu, path: Path, *, in_primary: bool = False) -> None:
    """Raise `InputError` if an HDU is not an uncompressed image extension (or primary image)."""
    if hdu.header.get("ZIMAGE") is True:
        problem, remedy = "is a compressed image", "decompress the file with funpack first"
    elif not in_primary and text_of(hdu.header, "XTENSION") != "IMAGE":
        problem, remedy = "is not an image extension", "write the pixels into an image extension"
    elif hdu.data_size != _image_size(hdu):
        problem, remedy = "PCOUNT and GCOUNT are not those of an image", "fetch the file again"
    else:
        _check_scaling(hdu, path)
        return
    raise InputError(problem, file=f"{path}[{hdu.name}]", remedy=remedy)


def _image_size(hdu: Hdu) -> int:
    pixel = STORED[hdu.header["BITPIX"]].itemsize
    return math.prod(hdu.shape) * pixel if hdu.shape else 0


def _check_scaling(hdu: Hdu, path: Path) -> None:
    for keyword in ("BSCALE", "BZERO", "BLANK"):
        value = hdu.header.get(keyword, 0)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise InputError(
                "is not a number",
                file=f"{path}[{hdu.name}]",
                keyword=keyword,
                value=value,
                remedy="fetch the file again",
            )


def scale(raw: NDArray[Any], header: Header) -> Image:
    """Convert stored numbers to native float64: scaled, and NaN where they are BLANK."""
    # Computations need float64, because single precision is not enough for derivatives.
    values = raw.astype(np.float64)
    scaling, zero = float(header.get("BSCALE", 1.0)), float(header.get("BZERO", 0.0))
    if (scaling, zero) != (1.0, 0.0):
        values *= scaling
        values += zero
    if header["BITPIX"] > 0 and "BLANK" in header:
        values[raw == header["BLANK"]] = np.nan
    return values


def read_plane(stream: BinaryIO, path: Path, hdu: Hdu, index: int) -> Image:
    """Read one plane of the last two axes of an image, as it is stored."""
    return read_planes(stream, path, hdu, index, 1)[0]


def read_planes(stream: BinaryIO, path: Path, hdu: Hdu, first: int, n_planes: int) -> NDArray[Any]:
    """Read planes of the last two axes one after another, (planes, rows, columns), as stored."""
    rows, columns = hdu.shape[-2:]
    dtype = STORED[hdu.header["BITPIX"]]
    size = rows * columns * dtype.itemsize
    content = read_exactly(stream, path, hdu.data_start + first * size, n_planes * size)
    return np.frombuffer(content, dtype).reshape(n_planes, rows, columns)
