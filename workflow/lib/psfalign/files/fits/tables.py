"""
Read and write binary tables whose columns have one number, flag or text in each row.

`astropy.io.fits.BinTableHDU` makes the same headers, but imports astropy's tables, which takes
longer than most steps.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ...errors import InputError
from .structure import Hdu, read_exactly, text_of

FORM = re.compile(r"1?([BIJKEDL])|([0-9]+)(A)")  # TFORM
STORED = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "L": "S1"}
FORMS = {"i8": "K", "f8": "D", "b1": "L"}  # by the kind of a column and its bytes
CARD, VALUE_END = 80, 30  # characters of a card, and those that its keyword and value fill at least
NOTHING: Mapping[str, str] = MappingProxyType({})


def table_hdu(
    rows: NDArray[np.void],
    name: str,
    *,
    descriptions: Mapping[str, str] = NOTHING,
    units: Mapping[str, str] = NOTHING,
) -> tuple[Header, bytes]:
    """
    Return the header and the bytes of a table.

    Parameters
    ----------
    rows : (rows,) structured
        Columns of int64, float64, bool or bytes.
    name
        EXTNAME.
    descriptions, units
        Descriptions and units of columns, by name.
    """
    types: dict[str, np.dtype[Any]] = {key: rows.dtype[key] for key in rows.dtype.names or ()}
    # FITS is big-endian, and writes logical values as letters.
    stored = np.zeros(
        len(rows),
        [(key, "S1" if t.kind == "b" else t.newbyteorder(">")) for key, t in types.items()],
    )
    for key, kind in types.items():
        stored[key] = np.where(rows[key], b"T", b"F") if kind.kind == "b" else rows[key]
    header = _structure(len(rows), stored.dtype.itemsize, len(types))
    for index, (key, kind) in enumerate(types.items(), start=1):
        text = descriptions.get(key, "")
        is_short = len(text) <= _room_beside(key)
        header.set(f"TTYPE{index}", key, text if is_short else None)
        header.set(f"TFORM{index}", _form(kind))
        if not is_short:
            header.set(f"TCOMM{index}", text)  # on as many cards as it takes
        if units.get(key):
            header.set(f"TUNIT{index}", units[key])
    header.set("EXTNAME", name, "extension name")
    return header, stored.tobytes()


def _structure(n_rows: int, row_size: int, n_columns: int) -> Header:
    return Header(
        [
            ("XTENSION", "BINTABLE", "binary table extension"),
            ("BITPIX", 8, "array data type"),
            ("NAXIS", 2, "number of array dimensions"),
            ("NAXIS1", row_size, "length of dimension 1"),
            ("NAXIS2", n_rows, "length of dimension 2"),
            ("PCOUNT", 0, "number of group parameters"),
            ("GCOUNT", 1, "number of groups"),
            ("TFIELDS", n_columns, "number of table fields"),
        ]
    )


def _room_beside(name: str) -> int:
    """Return how many characters of a comment the card with the name of a column holds."""
    return CARD - max(VALUE_END, len("TTYPE1  = ''") + len(name)) - len(" / ")


def _form(kind: np.dtype[Any]) -> str:
    return f"{kind.itemsize}A" if kind.kind == "S" else FORMS[f"{kind.kind}{kind.itemsize}"]


def read_table(path: Path, hdu: Hdu) -> dict[str, NDArray[Any]]:
    """
    Read all columns by name: native numbers, bool, and text.

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
