"""Read binary table extensions whose columns are numbers, flags or text of one value a row."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .structure import Hdu, read_exactly, text_of

FORM = re.compile(r"1?([KDL])|([0-9]+)(A)")  # TFORM
STORED = {"K": ">i8", "D": ">f8", "L": "S1"}


def read_table(path: Path, hdu: Hdu) -> dict[str, NDArray[Any]]:
    """
    Read all columns by name: native int64 and float64, bool, and text.

    Raises
    ------
    InputError
        If the header does not describe such a table.
    """
    try:
        rows = np.frombuffer(_read(path, hdu), _row_type(hdu))
        names = enumerate(rows.dtype.names or (), start=1)
        return {name: _native(rows[name], hdu, number) for number, name in names}
    except (ValueError, KeyError, TypeError) as error:
        problem, remedy = "is damaged", "make the file again"
        raise InputError(problem, file=f"{path}[{hdu.name}]", remedy=remedy) from error


def _read(path: Path, hdu: Hdu) -> bytes:
    with open(path, "rb") as stream:
        return read_exactly(stream, path, hdu.data_start, hdu.data_size)


def _row_type(hdu: Hdu) -> np.dtype[Any]:
    columns = range(1, int(hdu.header["TFIELDS"]) + 1)
    dtype = np.dtype([(_name(hdu, column), _kind(hdu, column)) for column in columns])
    if hdu.shape[1] != dtype.itemsize:
        raise ValueError("the columns do not fill the row")
    return dtype


def _name(hdu: Hdu, column: int) -> str:
    return str(hdu.header[f"TTYPE{column}"]).strip()


def _kind(hdu: Hdu, column: int) -> str:
    form = FORM.fullmatch(text_of(hdu.header, f"TFORM{column}"))
    if form is None:
        raise ValueError("not a column of one number, flag or text")
    return STORED[form[1]] if form[1] else f"S{form[2]}"


def _native(column: NDArray[Any], hdu: Hdu, number: int) -> NDArray[Any]:
    if text_of(hdu.header, f"TFORM{number}").endswith("L"):
        return np.asarray(column == b"T")
    if column.dtype.kind == "S":
        return np.strings.decode(column, "ascii")
    return column.astype(column.dtype.newbyteorder("="))
