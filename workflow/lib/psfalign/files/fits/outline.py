"""
Read the headers of a FITS file that psfalign wrote, in a millisecond.

`structure` checks each card of files from elsewhere. Here a header is accepted if its checksum is
correct, which is computed from the header and from DATASUM, without reading the data.
"""

import math
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ...errors import MAKE_AGAIN, InputError
from .checksums import ALL_ONES, add
from .structure import BLOCK, CARD, MAX_HEADER_BLOCKS, START

VALUE = slice(8, 10)  # of a card, where "= " says that a value follows


class Outline(NamedTuple):
    """An HDU: the values of its cards as they are written, and where its data are, in bytes."""

    cards: dict[str, str]
    data_start: int
    data_size: int
    end: int

    @property
    def name(self) -> str:
        """EXTNAME; empty where there is none."""
        return self.text("EXTNAME")

    def text(self, keyword: str) -> str:
        """Return a short text."""
        value = self.cards.get(keyword, "")
        return value.split("'")[1].strip() if "'" in value else ""

    def number(self, keyword: str, default: int = 0) -> int:
        """Return an integer."""
        value = self.cards.get(keyword)
        return default if value is None else int(value.partition("/")[0])


def outline(path: Path) -> list[Outline]:
    """
    List the HDUs of a file that psfalign wrote.

    Raises
    ------
    InputError
        If the file is empty, truncated or longer than its HDUs, or a header was changed.
    """
    size = path.stat().st_size
    hdus: list[Outline] = []
    with open(path, "rb") as stream:
        if stream.read(len(START)) != START:
            raise _damaged(path, "is not a FITS file")
        while not hdus or hdus[-1].end < size:
            try:
                hdus.append(_read(stream, hdus[-1].end if hdus else 0))
            except ValueError as error:
                raise _damaged(path, f"is damaged: {error}") from error
    if hdus[-1].end != size:
        raise _damaged(path, f"has {size} bytes, expected {hdus[-1].end}")
    return hdus


def _read(stream: BinaryIO, start: int) -> Outline:
    raw = _header(stream, start)
    lines = [raw[i : i + CARD] for i in range(0, len(raw), CARD)]
    cards = {
        line[:8].decode("ascii").rstrip(): line[10:].decode("ascii")
        for line in lines
        if line[VALUE] == b"= "
    }
    header = Outline(cards, start + len(raw), 0, 0)
    axes = [header.number(f"NAXIS{axis}") for axis in range(1, header.number("NAXIS") + 1)]
    pixels = header.number("GCOUNT", 1) * (header.number("PCOUNT") + math.prod(axes))
    data_size = abs(header.number("BITPIX")) // 8 * pixels if axes else 0
    if data_size < 0:
        raise ValueError(f"the header at byte {start} has a negative size")
    if not cards.keys().isdisjoint(("CHECKSUM", "DATASUM")):
        words = int(np.frombuffer(raw, ">u4").sum(dtype=np.uint64))
        if add(words, int(header.text("DATASUM") or "0")) not in (0, ALL_ONES):
            raise ValueError(f"the header at byte {start} is not the one that was written")
    end = header.data_start + math.ceil(data_size / BLOCK) * BLOCK
    return header._replace(data_size=data_size, end=end)


def _header(stream: BinaryIO, start: int) -> bytes:
    stream.seek(start)
    raw = b""
    while len(raw) < MAX_HEADER_BLOCKS * BLOCK:
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            break
        raw += block
        if any(block[i : i + CARD].rstrip() == b"END" for i in range(0, BLOCK, CARD)):
            return raw
    raise ValueError(f"the header at byte {start} has no END")


def read_rows(path: Path, hdu: Outline) -> list[tuple[str, ...]]:
    """
    Read a binary table of which all columns are text.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    try:
        forms = [hdu.text(f"TFORM{i}") for i in range(1, hdu.number("TFIELDS") + 1)]
        dtype = np.dtype([(f"c{i}", f"S{int(form.rstrip('A'))}") for i, form in enumerate(forms)])
        with open(path, "rb") as stream:
            stream.seek(hdu.data_start)
            content = stream.read(hdu.end - hdu.data_start)
        words = int(np.frombuffer(content, ">u4").sum(dtype=np.uint64))
        if add(words) != add(int(hdu.text("DATASUM"))):
            raise ValueError("its checksum does not hold")
        rows = np.frombuffer(content[: hdu.data_size], dtype)
        return [tuple(cell.decode("ascii").rstrip() for cell in row) for row in rows.tolist()]
    except ValueError as error:
        raise _damaged(path, f"has a damaged table {hdu.name}: {error}") from error


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(problem, file=path, remedy=MAKE_AGAIN)
