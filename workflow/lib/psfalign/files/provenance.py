"""The binary table PROVENANCE: the records of all steps that led to a file."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import InputError
from ..records import Record, Records
from .structure import Hdu

NAME = "PROVENANCE"
DESCRIPTIONS = {
    "step": "step of the workflow",
    "kind": "input, parameter, mask, code or software",
    "name": "file, option, or package",
    "value": "SHA-256, value as JSON, text, or version",
}
TEXT = re.compile(r"([0-9]+)A")  # TFORM of a column of text


def provenance_hdu(records: Sequence[Record]) -> tuple[fits.Header, bytes]:
    """Give the header and the bytes of the table."""
    widths = [max([1, *map(len, column)]) for column in zip(*records, strict=True)] or [1] * 4
    dtype = [(name, f"S{width}") for name, width in zip(Record._fields, widths, strict=True)]
    rows = np.array([tuple(record) for record in records], dtype=dtype)
    header = fits.BinTableHDU(rows, name=NAME).header
    for index, description in enumerate(DESCRIPTIONS.values(), start=1):
        header.comments[f"TTYPE{index}"] = description
    return header, rows.tobytes()


def is_provenance(hdu: Hdu) -> bool:
    """Tell whether an HDU is such a table, and not another one of the same name."""
    header = hdu.header
    names = [header.get(f"TTYPE{index}") for index in range(1, len(Record._fields) + 1)]
    return (
        hdu.name == NAME
        and header.get("TFIELDS") == len(Record._fields)
        and names == list(Record._fields)
    )


def read_records(path: Path, hdus: Sequence[Hdu]) -> Records:
    """
    Read the records of a file; none where it has no such table.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    found = [hdu for hdu in hdus if is_provenance(hdu)]
    if not found:
        return []
    with open(path, "rb") as stream:
        stream.seek(found[-1].data_start)
        content = stream.read(found[-1].data_size)
    try:
        rows = np.frombuffer(content, _row_type(found[-1])).tolist()
        return [Record(*(text.decode("ascii") for text in row)) for row in rows]
    except ValueError as error:
        problem, remedy = "is damaged", "make the file again"
        raise InputError(problem, file=f"{path}[{NAME}]", remedy=remedy) from error


def _row_type(hdu: Hdu) -> list[tuple[str, str]]:
    forms = [TEXT.fullmatch(str(hdu.header.get(f"TFORM{i}", "")).strip()) for i in range(1, 5)]
    if not all(forms):
        raise ValueError("a column is no text")
    return [(name, f"S{form[1]}") for name, form in zip(Record._fields, forms, strict=True) if form]
