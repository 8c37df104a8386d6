"""Verify the checksums of a FITS file: CHECKSUM and DATASUM of its HDUs."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import InputError
from .structure import CARD, Hdu, read_exactly, text_of

CHUNK = 1 << 22  # bytes, a multiple of the word
WORD = 1 << 32  # one more than the largest word
ALL_ONES = WORD - 1  # the other zero of ones' complement


def check_checksums(path: Path, hdus: Iterable[Hdu]) -> list[str]:
    """
    Verify all checksums of a file.

    They are sums of 32-bit words in ones' complement (FITS standard); an HDU with a correct
    CHECKSUM sums to zero. They detect every changed or missing byte, but not two words that changed
    places.

    Parameters
    ----------
    path, hdus
        The file and its structure.

    Returns
    -------
    list
        The names or numbers of HDUs without checksums.

    Raises
    ------
    InputError
        If a checksum is wrong, with the HDU and the keyword.
    """
    unprotected = []
    with open(path, "rb") as stream:
        for number, hdu in enumerate(hdus):
            name = hdu.name or str(number)
            wanted = [key for key in ("CHECKSUM", "DATASUM") if text_of(hdu.header, key)]
            if not wanted:
                unprotected.append(name)
                continue
            datasum = _sum(stream, path, hdu.data_start, hdu.end)
            total = add(datasum, _sum(stream, path, hdu.start, hdu.data_start))
            right = {
                "CHECKSUM": total in (0, ALL_ONES),
                "DATASUM": text_of(hdu.header, "DATASUM") in (str(datasum), str(_other(datasum))),
            }
            for keyword in wanted:
                if not right[keyword]:
                    raise _wrong(path, name, keyword, text_of(hdu.header, keyword))
    return unprotected


def add(*sums: int) -> int:
    """Add with end-around carry, as the ones' complement sum of FITS does."""
    total = sum(sums)
    while total >= WORD:
        total = total % WORD + total // WORD
    return total


def _other(datasum: int) -> int:
    """Return the other way of writing zero."""
    return {0: ALL_ONES, ALL_ONES: 0}.get(datasum, datasum)


def _sum(stream: BinaryIO, path: Path, start: int, end: int) -> int:
    """Add up the words of a part of a file, both bounds multiples of a block."""
    total = 0
    for position in range(start, end, CHUNK):
        content = read_exactly(stream, path, position, min(CHUNK, end - position))
        total = add(total, int(np.frombuffer(content, ">u4").sum(dtype=np.uint64)))
    return total


def _wrong(path: Path, name: str, keyword: str, value: str) -> InputError:
    return InputError(
        "is not that of its bytes: the file is damaged, or was edited without it",
        file=f"{path}[{name}]",
        keyword=keyword,
        value=value[:CARD],
        remedy="fetch it again, or write the checksums again",
    )
