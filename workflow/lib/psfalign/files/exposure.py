"""Read exposures: cubes of integrations with errors, flags and headers, one plane at a time."""

import math
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from astropy.io.fits import Header

from ..errors import InputError
from ..images.arrays import Flags, Image
from ..images.dq_flags import ALL_FLAGS
from .fits.checksums import check_checksums
from .fits.structure import Hdu, check_regular_file, read_exactly, scan, text_of

# How FITS stores pixels, by BITPIX.
STORED: dict[int, np.dtype[Any]] = {
    8: np.dtype("u1"),
    16: np.dtype(">i2"),
    32: np.dtype(">i4"),
    64: np.dtype(">i8"),
    -32: np.dtype(">f4"),
    -64: np.dtype(">f8"),
}
LARGEST = 1e35  # what products in single precision can hold, even as a sum; more is infinite
DIMENSIONS = 3  # integrations, rows, columns


class Exposure:
    """
    A FITS file with the planes of an exposure, or of a stack of exposures.

    Parameters
    ----------
    path
        The file. Its extension SCI, 3D, is read; ERR and DQ of the same shape where it has them:
        without ERR errors are NaN (unknown), without DQ no pixel is flagged. Other extensions are
        not looked at.

    Attributes
    ----------
    path, hdus, primary
        The file, its HDUs, and the header of the first.
    shape : tuple
        Integrations, rows, columns.
    unprotected : list
        The names of HDUs without checksums, known within a with block.

    Raises
    ------
    InputError
        If the file or its SCI, ERR or DQ extension cannot be used. Checksums are verified when a
        with block is entered, before planes are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_regular_file(path)
        self._signature = _signature(path)
        self.hdus = scan(path)
        self.primary: Header = self.hdus[0].header
        self.science = self._find_science()
        self.shape: tuple[int, int, int] = _check_cube(self.science, path)
        self.error = self._extension("ERR")
        self.dq = self._extension("DQ")
        for hdu in (self.error, self.dq):
            _check_same_shape(hdu, self.shape, path)
        _check_integer(self.dq, path)
        self.unprotected: list[str] = []
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.unprotected = self.check_checksums()
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
        if kind is None and _signature(self.path) != self._signature:
            raise InputError("changed while it was read", file=self.path, remedy="run again")

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def unit(self) -> str:
        """Unit of the images, for people."""
        return text_of(self.science.header, "BUNIT") or "unit of the file"

    @property
    def occulter(self) -> tuple[float, float] | None:
        """Column and row of the reference pixel of SCI, which JWST puts on the occulter."""
        values = [self.science.header.get(keyword) for keyword in ("CRPIX1", "CRPIX2")]
        if not all(isinstance(value, int | float) for value in values):
            return None
        return values[0] - 1.0, values[1] - 1.0

    @property
    def unreadable(self) -> list[str]:
        """The cards that cannot be read, of extensions that nobody reads: extension and text."""
        return [f"[{hdu.name}]: {card!r}" for hdu in self.hdus for card in hdu.unreadable]

    def check_checksums(self) -> list[str]:
        """Refuse a file whose checksums do not hold; give the names of HDUs that have none."""
        return check_checksums(self.path, self.hdus)

    def read_science(self, integration: int) -> Image:
        """Return one plane of SCI, (rows, columns), in the unit of the file."""
        return self._read_floats(self.science, integration)

    def read_error(self, integration: int) -> Image:
        """Return one plane of ERR, (rows, columns); NaN where the file has none."""
        if self.error is None:
            return np.full(self.shape[1:], np.nan)
        return self._read_floats(self.error, integration)

    def read_dq(self, integration: int) -> Flags:
        """Return one plane of DQ, (rows, columns); 0 where the file has none."""
        if self.dq is None:
            return np.zeros(self.shape[1:], dtype=np.uint32)
        # Unsigned integers are stored with BZERO; of signed ones the highest bit is a flag, too.
        # Both come out right modulo 2³², in which uint32 counts.
        flags: Flags = self._read_raw(self.dq, integration).astype(np.uint32)
        flags += np.uint32(int(self.dq.header.get("BZERO", 0)) & ALL_FLAGS)
        flags &= np.uint32((1 << int(self.dq.header["BITPIX"])) - 1 & ALL_FLAGS)
        return flags

    def _read_floats(self, hdu: Hdu, integration: int) -> Image:
        values = scale(self._read_raw(hdu, integration), hdu.header)
        too_large = (values > LARGEST) | (values < -LARGEST)
        if too_large.any():
            values[too_large] = np.inf
        return values

    def _read_raw(self, hdu: Hdu, integration: int) -> Image:
        if self._stream is None:
            raise ValueError("read planes inside a with block")
        return read_plane(self._stream, self.path, hdu, integration)

    def _find_science(self) -> Hdu:
        science = self._extension("SCI")
        if science is None:
            where = "; the pixels are in the primary HDU" if self.hdus[0].shape else ""
            raise InputError(
                f"no such extension{where}",
                file=f"{self.path}[SCI]",
                remedy="name a JWST calints or psfstack file",
            )
        return science

    def _extension(self, name: str) -> Hdu | None:
        found = [hdu for hdu in self.hdus if hdu.name == name]
        if len(found) > 1:
            problem = f"has {len(found)} extensions of this name"
            raise InputError(problem, file=f"{self.path}[{name}]", remedy="keep one of them")
        if not found:
            return None
        check_image(found[0], self.path)
        return found[0]


def _signature(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def check_image(hdu: Hdu, path: Path, *, in_primary: bool = False) -> None:
    """Refuse an HDU that is not an uncompressed image; an extension, but for `in_primary`."""
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


def scale(raw: Image, header: Header) -> Image:
    """Convert stored numbers to native float64: scaled, and NaN where they are BLANK."""
    # Everything is computed in float64: single precision loses the derivatives of the fit.
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
    rows, columns = hdu.shape[-2:]
    dtype = STORED[hdu.header["BITPIX"]]
    size = rows * columns * dtype.itemsize
    content = read_exactly(stream, path, hdu.data_start + index * size, size)
    return np.frombuffer(content, dtype).reshape(rows, columns)


def _check_cube(hdu: Hdu, path: Path) -> tuple[int, int, int]:
    shape = hdu.shape
    axes = " × ".join(map(str, shape[::-1])) or "no"
    if len(shape) != DIMENSIONS:
        problem = f"has {axes} pixels, expected columns × rows × integrations"
        raise InputError(
            problem, file=f"{path}[SCI]", remedy="name a JWST calints or psfstack file"
        )
    if 0 in shape:
        problem = f"is empty: {axes} pixels"
        raise InputError(problem, file=f"{path}[SCI]", remedy="leave the exposure out")
    integrations, rows, columns = shape
    return integrations, rows, columns


def _check_same_shape(hdu: Hdu | None, shape: tuple[int, ...], path: Path) -> None:
    if hdu is not None and hdu.shape != shape:
        own, expected = (" × ".join(map(str, axes[::-1])) for axes in (hdu.shape, shape))
        problem = f"has {own} pixels but SCI has {expected}"
        raise InputError(problem, file=f"{path}[{hdu.name}]", remedy="calibrate the exposure again")


def _check_integer(hdu: Hdu | None, path: Path) -> None:
    if hdu is None:
        return
    bitpix = hdu.header["BITPIX"]
    scaling, zero = hdu.header.get("BSCALE", 1), hdu.header.get("BZERO", 0)
    is_wrong = {
        "BITPIX": (bitpix, bitpix < 0),
        "BSCALE": (scaling, scaling != 1),
        "BZERO": (zero, zero != int(zero)),
    }
    for keyword, (value, wrong) in is_wrong.items():
        if wrong:
            raise InputError(
                "flags are not integers",
                file=f"{path}[DQ]",
                keyword=keyword,
                value=value,
                remedy="store them as 32-bit integers",
            )
