"""Read exposures: cubes of integrations with errors, flags and headers, one plane at a time."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..images.arrays import Flags, Image
from ..images.dq_flags import ALL_FLAGS
from .fits.planes import FitsPlanes
from .fits.structure import Hdu, text_of

LARGEST = 1e35  # the largest sum that single precision holds; larger values count as infinite
DIMENSIONS = 3  # integrations, rows, columns


class Exposure(FitsPlanes):
    """
    A FITS file with the planes of an exposure, or of a stack of exposures.

    Parameters
    ----------
    path
        The file, with a 3D extension SCI. ERR and DQ of the same shape are optional: without ERR,
        errors are NaN (unknown); without DQ, no pixel is flagged. Other extensions are not read.

    Attributes
    ----------
    path, hdus, primary, unprotected
        See `FitsPlanes`.
    shape : tuple
        Integrations, rows, columns.

    Raises
    ------
    InputError
        If the file or its SCI, ERR or DQ extension cannot be used.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.science = self._find_science()
        self.shape: tuple[int, int, int] = _check_cube(self.science, path)
        self.error = self._extension("ERR")
        self.dq = self._extension("DQ")
        for hdu in (self.error, self.dq):
            _check_same_shape(hdu, self.shape, path)
        _check_integer(self.dq, path)

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
        """Unreadable cards in extensions that are not used, with the name of the extension."""
        return [f"[{hdu.name}]: {card!r}" for hdu in self.hdus for card in hdu.unreadable]

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
        # Unsigned integers are stored with BZERO; in signed ones, the highest bit is a flag, too.
        # Both are correct modulo 2³², the arithmetic of uint32.
        flags: Flags = self._read_raw(self.dq, integration)[0].astype(np.uint32)
        flags += np.uint32(int(self.dq.header.get("BZERO", 0)) & ALL_FLAGS)
        flags &= np.uint32((1 << int(self.dq.header["BITPIX"])) - 1 & ALL_FLAGS)
        return flags

    def _read_floats(self, hdu: Hdu, integration: int) -> Image:
        values = self._read_scaled(hdu, integration)
        too_large = (values > LARGEST) | (values < -LARGEST)
        if too_large.any():
            values[too_large] = np.inf
        return values

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
