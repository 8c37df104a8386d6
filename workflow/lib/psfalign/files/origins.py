"""Read and write the table PSFORIG, the origin of each psf image of a stack."""

import re
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .exposure import Exposure
from .fits.structure import Hdu, text_of
from .fits.tables import table_hdu

NAME = "PSFORIG"
# Calints with outliers flagged, crfints, name a candidate besides.
ENDING = re.compile(r"(_calints|(_[oac][0-9]+)?_crfints|_psfstack)$")
NAME_WIDTH = 80  # characters of a file name, unless one is longer


def origins_table(rows: list[tuple[str, int, str]]) -> tuple[Header, bytes]:
    """Return header and bytes of the table for rows of file, integration and SHA-256."""
    width = max([NAME_WIDTH, *(len(name) for name, _, _ in rows)])
    table = np.array([(psf, *row) for psf, row in enumerate(rows)], dtype=_row(width))
    return table_hdu(table, NAME)


def read_origins(exposure: Exposure) -> list[str]:
    """Return the name of the exposure of each psf image, as far as it is known."""
    table = next((hdu for hdu in exposure.hdus if hdu.name == NAME), None)
    source = text_of(exposure.primary, "RAWFILE") or exposure.path.name
    return read_origins_of(exposure.path, table, source, len(exposure))


def read_origins_of(path: Path, table: Hdu | None, source: str, n_psfs: int) -> list[str]:
    """Return the same for a file with a table PSFORIG, or without one but with a known source."""
    files = [source] * n_psfs
    width = -1 if table is None else table.data_size // n_psfs - _row(0).itemsize
    if table is not None and width > 0 and table.data_size == n_psfs * _row(width).itemsize:
        with open(path, "rb") as stream:
            stream.seek(table.data_start)
            rows = np.frombuffer(stream.read(table.data_size), _row(width))
        files = [name.decode("ascii", "replace") for name in rows["file"]]
    return [stem(name) for name in files]


def _row(width: int) -> np.dtype[np.void]:
    return np.dtype(
        [("psf", ">i8"), ("file", f"S{width}"), ("integration", ">i8"), ("sha256", "S64")]
    )


def stem(name: str) -> str:
    """Return the file name of an exposure or a stack without its ending."""
    return ENDING.sub("", name.removesuffix(".fits"))
