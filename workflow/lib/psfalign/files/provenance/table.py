"""Read and write the binary table PROVENANCE, the records of all steps of a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from ..fits.structure import Hdu
from ..fits.tables import read_table, table_hdu
from .records import Record, Records

NAME = "PROVENANCE"
DESCRIPTIONS = {
    "step": "step of the workflow",
    "kind": "input, parameter, mask, code or software",
    "name": "file, option, or package",
    "value": "SHA-256, value as JSON, text, or version",
}


def provenance_hdu(records: Sequence[Record]) -> tuple[Header, bytes]:
    """Return the header and the bytes of the table."""
    widths = [max([1, *map(len, column)]) for column in zip(*records, strict=True)] or [1] * 4
    dtype = [(name, f"S{width}") for name, width in zip(Record._fields, widths, strict=True)]
    rows = np.array([tuple(record) for record in records], dtype=dtype)
    return table_hdu(rows, NAME, descriptions=DESCRIPTIONS)


def is_provenance(hdu: Hdu) -> bool:
    """Return whether an HDU is a PROVENANCE table of psfalign."""
    if hdu.name != NAME:
        return False
    names = {hdu.header.get(f"TTYPE{i + 1}") for i in range(hdu.header.get("TFIELDS", 0))}
    return names >= set(Record._fields)


def read_records(path: Path, hdus: Sequence[Hdu]) -> Records:
    """
    Return the records of a file; none if it has no such table.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    found = [hdu for hdu in hdus if is_provenance(hdu)]
    if not found:
        return []
    columns = read_table(path, found[-1])
    return [
        Record(*map(str, row)) for row in zip(*(columns[n] for n in Record._fields), strict=True)
    ]
