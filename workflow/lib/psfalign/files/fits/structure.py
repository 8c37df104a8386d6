"""
Check the structure of a FITS file, byte by byte, before data are read from it.

A reader that trusts headers can hang on an absurd axis, and a reader that stops at the last
complete HDU does not detect a file that was truncated there. Here, HDUs must fill the file to its
last byte.
"""

import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from astropy.io.fits import Header
from astropy.io.fits.verify import VerifyError

from ...errors import InputError

BLOCK = 2880  # bytes, the unit of a FITS file
START = b"SIMPLE  ="  # of each file
CARD = 80  # bytes, one header line
MAX_HEADER_BLOCKS = 1000  # 36,000 cards; real JWST headers have some hundred
MAX_AXES = 999  # of the FITS standard
# Extensions whose cards are used; other extensions are copied, if at all.
READ = ("SCI", "ERR", "DQ", "SHIFTS", "WEIGHT", "PSFMASK", "PSFORIG", "PROVENANCE")
PRINTABLE = frozenset(range(32, 127))  # ASCII, as the standard restricts headers to
BITPIX = (8, 16, 32, 64, -32, -64)
DESCRIBES_DATA = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|[PG]COUNT|BSCALE|BZERO|BLANK|EXTNAME|ZIMAGE|CHECKSUM|DATASUM"
)
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"PK": "zip", b"\xfd7zXZ": "xz"}


@dataclass(frozen=True)
class Hdu:
    """
    One header and data unit.

    Attributes
    ----------
    header
        Its header.
    start, data_start, end
        Offsets in the file, in bytes: of the header, of the data, and behind the padding.
    data_size
        Bytes of data without padding.
    unreadable
        The text of cards that cannot be read; only extensions that are not used may have some.
    """

    header: Header
    start: int
    data_start: int
    data_size: int
    end: int
    unreadable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """EXTNAME in capitals, PRIMARY for the first where it has none."""
        default = "PRIMARY" if self.start == 0 else ""
        return str(self.header.get("EXTNAME", default)).strip().upper()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Axes in NumPy's order."""
        n_axes = int(self.header["NAXIS"])
        return tuple(int(self.header[f"NAXIS{axis}"]) for axis in range(n_axes, 0, -1))


def text_of(header: Header, keyword: str) -> str:
    """Return a value without surrounding blanks; empty if it is missing or undefined."""
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def scan(path: Path) -> list[Hdu]:
    """
    List the HDUs of a FITS file.

    Raises
    ------
    InputError
        If the file is missing, not readable, not FITS, compressed, truncated, or followed by other
        bytes, or if it has a header that the FITS standard does not allow.
    """
    check_regular_file(path)
    size = path.stat().st_size
    try:
        with open(path, "rb") as stream:
            return _scan_stream(stream, path, size)
    except OSError as error:
        raise InputError.unreadable(error, path) from error


def looks_complete(path: Path) -> bool:
    """Return whether the beginning and the size of a file are those of a FITS file."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        return stream.read(len(START)) == START and size % BLOCK == 0


def check_regular_file(path: Path) -> os.stat_result:
    """Raise `InputError` unless a path is a readable, regular file; return its status."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError("no such file", file=path, remedy="check the path") from error
    except OSError as error:
        raise InputError.unreadable(error, path) from error
    except ValueError as error:
        raise InputError("is not a file name", file=path, remedy="name a file") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError("is a folder", file=path, remedy="name a file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is not a regular file", file=path, remedy="name a regular file")
    if not os.access(path, os.R_OK):
        raise InputError("no permission to read it", file=path, remedy="change its mode")
    return status


def read_exactly(stream: BinaryIO, path: Path, start: int, size: int) -> bytes:
    """Read a part of a file that `scan` found there; processes may share the stream."""
    try:
        content = os.pread(stream.fileno(), size, start)
    except OSError as error:
        raise InputError.unreadable(error, path) from error
    if len(content) < size:
        raise InputError("the file shrank while it was read", file=path, remedy="run again")
    return content


def _scan_stream(stream: BinaryIO, path: Path, size: int) -> list[Hdu]:
    _check_start(stream.read(BLOCK), path, size)
    hdus: list[Hdu] = []
    while not hdus or hdus[-1].end < size:
        hdus.append(_read_hdu(stream, path, hdus[-1].end if hdus else 0, size))
    return hdus


def _check_start(first: bytes, path: Path, size: int) -> None:
    if size == 0:
        raise InputError("is empty", file=path, remedy="fetch it again")
    for magic, name in COMPRESSED.items():
        if first.startswith(magic):
            raise InputError(f"is compressed with {name}", file=path, remedy="decompress it first")
    if not first.startswith(START):
        raise InputError("is not a FITS file", file=path, remedy="name a FITS file")


def _read_hdu(stream: BinaryIO, path: Path, start: int, size: int) -> Hdu:
    stream.seek(start)
    raw = bytearray()
    while not _has_end(raw):
        block = stream.read(BLOCK)
        if start > 0 and not raw and not block.startswith(b"XTENSION="):
            problem = f"{size - start} bytes after the last HDU are no extension"
            raise InputError(problem, file=path, remedy="fetch the file again")
        if len(block) < BLOCK or len(raw) >= MAX_HEADER_BLOCKS * BLOCK:
            problem = f"the header at byte {start} has no END; the file is cut short or damaged"
            raise InputError(problem, file=path, remedy="fetch it again")
        raw += block
    _check_nothing_behind_end(raw, path, start)
    header, unreadable = _parse(bytes(raw), path, start)
    data_start = start + len(raw)
    data_size = _data_size(header, path)
    end = data_start + math.ceil(data_size / BLOCK) * BLOCK
    if end > size:
        problem = f"needs {end} bytes but has {size}; it is cut short"
        raise InputError(problem, file=path, remedy="fetch it again")
    return Hdu(header, start, data_start, data_size, end, unreadable)


def _has_end(raw: bytearray) -> bool:
    return any(
        raw[i : i + CARD].rstrip() == b"END"
        for i in range(max(0, len(raw) - BLOCK), len(raw), CARD)
    )


def _check_nothing_behind_end(raw: bytearray, path: Path, start: int) -> None:
    """Raise `InputError` if a header has cards after its END, which readers would ignore."""
    cards = [bytes(raw[i : i + CARD]).rstrip() for i in range(0, len(raw), CARD)]
    if any(cards[cards.index(b"END") + 1 :]):
        problem = f"the header at byte {start} has cards behind its END"
        raise InputError(problem, file=path, remedy="fetch the file again")


def _parse(raw: bytes, path: Path, start: int) -> tuple[Header, tuple[str, ...]]:
    """Read a header, and return its unreadable cards, if the extension is not used."""
    lines = [raw[i : i + CARD] for i in range(0, len(raw), CARD)]
    garbled = [line for line in lines if not PRINTABLE.issuperset(line)]
    try:
        header = Header.fromstring(b"".join(map(_printable, lines)) if garbled else raw)
        for keyword in ("BITPIX", "NAXIS"):
            header[keyword]
        name = str(header.get("EXTNAME", "")).strip().upper()
    except (VerifyError, ValueError, KeyError) as error:
        problem = f"the header at byte {start} is damaged: {error}"
        raise InputError(problem, file=path, remedy="fetch the file again") from error
    is_read = start == 0 or name in READ
    if garbled and (is_read or any(DESCRIBES_DATA.match(_text_of_line(x)) for x in garbled)):
        problem = f"the header at byte {start} has characters that are not printable ASCII"
        raise _unreadable(problem, path, name, _text_of_line(garbled[0]))
    unreadable = [*map(_text_of_line, garbled)]
    for keyword in _unreadable_keywords(header):
        card = next((x for x in map(_text_of_line, lines) if x.startswith(keyword)), keyword)
        if is_read or DESCRIBES_DATA.fullmatch(keyword):
            raise _unreadable("its value cannot be read", path, name, card, keyword)
        unreadable.append(card)
    return header, tuple(unreadable)


def _unreadable_keywords(header: Header) -> Iterator[str]:
    for card in header.cards:
        try:
            _ = card.value  # astropy reads it only now
        except (VerifyError, ValueError):
            yield card.keyword


def _unreadable(
    problem: str, path: Path, name: str, card: str, keyword: str | None = None
) -> InputError:
    return InputError(
        f"{problem}: {card!r}",
        file=f"{path}[{name or 'PRIMARY'}]",
        keyword=keyword,
        remedy="fetch the file again, or correct that line",
    )


def _printable(line: bytes) -> bytes:
    return bytes(code if code in PRINTABLE else ord("?") for code in line)


def _text_of_line(line: bytes) -> str:
    return plain_text(line.decode("latin-1").rstrip())


def _data_size(header: Header, path: Path) -> int:
    _check_once(header, path)
    bitpix = header["BITPIX"]
    if bitpix not in BITPIX:
        raise _bad_card(path, header, "BITPIX", "is not one of 8, 16, 32, 64, -32, -64")
    n_axes = _count(header, "NAXIS", path)
    if n_axes > MAX_AXES:
        raise _bad_card(path, header, "NAXIS", "is more than the 999 axes of FITS")
    axes = [_count(header, f"NAXIS{axis}", path) for axis in range(1, n_axes + 1)]
    if not axes:
        return 0
    pcount, gcount = (_count(header, key, path, default=n) for key, n in _GROUP_DEFAULTS)
    return abs(int(bitpix)) // 8 * gcount * (pcount + math.prod(axes))


def _check_once(header: Header, path: Path) -> None:
    """Raise `InputError` for two cards of one property, of which readers may use either."""
    if header.get("SIMPLE", True) is not True:
        raise _bad_card(path, header, "SIMPLE", "says that this is not a standard FITS file")
    for keyword, count in Counter(header.keys()).items():
        if count > 1 and DESCRIBES_DATA.fullmatch(keyword):
            raise _bad_card(path, header, keyword, "is there more than once")


_GROUP_DEFAULTS = (("PCOUNT", 0), ("GCOUNT", 1))


def _count(header: Header, keyword: str, path: Path, default: int | None = None) -> int:
    value = header.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _bad_card(path, header, keyword, "is not a count")
    return value


def _bad_card(path: Path, header: Header, keyword: str, problem: str) -> InputError:
    value = header.get(keyword, "(missing)")
    return InputError(
        problem, file=path, keyword=keyword, value=value, remedy="fetch the file again"
    )


def plain_text(text: str) -> str:
    """Write text as the printable ASCII that FITS allows; any other character is escaped."""
    return "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)
