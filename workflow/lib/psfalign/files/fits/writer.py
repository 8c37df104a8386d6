"""Write FITS files as a stream, with CHECKSUM and DATASUM in every HDU."""

import os
import string
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ...system.disk import reserve, start_writing
from .checksums import add
from .structure import BLOCK, CARD, Hdu, plain_text

COPY_CHUNK = 1 << 22  # bytes
EAGER = 1 << 24  # bytes of an image to collect before the disk is told to write them
UINT32_ZERO = 2**31  # BZERO by which FITS stores unsigned 32-bit integers
_LETTERS = frozenset((string.digits + string.ascii_letters).encode())


class FitsWriter:
    """
    Write HDUs one after the other to a file that is open for binary writing.

    Only one plane is in memory at a time: the space of an image is reserved with its header, its
    planes are written in any order, and its checksums when `finish` is called.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._end = 0
        self._images: list[ImageWriter] = []

    def copy(self, source: BinaryIO, hdu: Hdu) -> None:
        """Copy an HDU of another file as it is."""
        source.seek(hdu.start)
        self._stream.seek(self._end)
        for start in range(hdu.start, hdu.end, COPY_CHUNK):
            self._stream.write(source.read(min(COPY_CHUNK, hdu.end - start)))
        self._end += hdu.end - hdu.start

    def add(self, header: Header, data: bytes = b"") -> None:
        """Write a small HDU: a header that describes the data, and its big-endian bytes."""
        data += bytes(-len(data) % BLOCK)
        words = np.frombuffer(data, ">u4").sum(dtype=np.uint64)
        self._stream.seek(self._end)
        self._stream.write(checksummed(header, int(words)) + data)
        self._end = self._stream.tell()

    def add_image(self, header: Header, shape: tuple[int, ...], dtype: Any) -> "ImageWriter":
        """
        Reserve an image extension.

        Parameters
        ----------
        header
            Its keywords, EXTNAME among them; those of the structure are set here.
        shape
            Axes in NumPy's order; the last two are those of a plane.
        dtype
            float32, float64 or uint32.
        """
        image = ImageWriter(self._stream, self._end, _image_header(header, shape, dtype), shape)
        self._images.append(image)
        self._end = image.end
        return image

    def reserve(self) -> None:
        """Reserve the disk space of all that was added, before any plane is computed."""
        reserve(self._stream.fileno(), self._end)

    def finish(self) -> None:
        """Write the checksums, which need all planes, and the last padding."""
        for image in self._images:
            image.finish()
        self._stream.truncate(self._end)  # or extend: the padding of the last image


class Stored(NamedTuple):
    """The bytes of planes as FITS has them, and the sum of their 32-bit words."""

    content: memoryview
    words: int


class ImageWriter:
    """The planes of an image extension that is being written."""

    def __init__(
        self, stream: BinaryIO, start: int, header: Header, shape: tuple[int, ...]
    ) -> None:
        self._stream = stream
        self._start = start
        self._header = header
        self._dtype = np.dtype(
            f">{'f' if header['BITPIX'] < 0 else 'i'}{abs(header['BITPIX']) // 8}"
        )
        self._plane_size = int(np.prod(shape[-2:])) * self._dtype.itemsize
        self._data_start = start + len(checksummed(header, 0))
        self._sum = 0
        self._waiting = 0
        size = int(np.prod(shape)) * self._dtype.itemsize
        self.end = self._data_start + size + -size % BLOCK

    def write(self, index: int, planes: NDArray[Any]) -> None:
        """Write one plane, or several that follow each other, from a position counted in planes."""
        stored = self.store(planes)
        self.put(index, stored)
        self.count(stored.words)

    def store(self, planes: NDArray[Any]) -> "Stored":
        """Convert planes to the bytes that are written."""
        if self._dtype.kind == "i":
            native = planes.astype(np.uint32, copy=False) ^ np.uint32(UINT32_ZERO)
        else:
            native = np.ascontiguousarray(planes, self._dtype.newbyteorder("="))
        stored = native.astype(native.dtype.newbyteorder(">")).reshape(-1)
        words = native.view(np.uint32).sum(dtype=np.uint64)  # of either byte order the same
        return Stored(stored.view(np.uint8).data, int(words))

    def put(self, index: int, stored: "Stored") -> None:
        """Write what `store` returned, without its checksum; several processes may at a time."""
        content, position = stored.content, self._data_start + index * self._plane_size
        while content:
            n_written = os.pwrite(self._stream.fileno(), content, position)
            content, position = content[n_written:], position + n_written
        self._waiting += len(stored.content)
        if self._waiting >= EAGER:
            start_writing(self._stream.fileno())
            self._waiting = 0

    def count(self, words: int) -> None:
        """Add the sum of the written words to the checksum."""
        self._sum += words

    def set(self, keyword: str, value: int) -> None:
        """Set the number of a keyword that the header already has."""
        self._header[keyword] = value

    def finish(self) -> None:
        """Write the header with its checksums."""
        self._stream.seek(self._start)
        self._stream.write(checksummed(self._header, self._sum))


def checksummed(header: Header, words: int) -> bytes:
    """
    Render a header with the checksums of its HDU.

    Parameters
    ----------
    header
        Not modified.
    words
        Sum of the data, taken as big-endian 32-bit words; it need not be folded.
    """
    header = header.copy()
    datasum = add(words)
    header.set("CHECKSUM", "0" * 16, "HDU checksum")
    header.set("DATASUM", str(datasum), "data unit checksum")
    text = header.tostring().encode("ascii")
    total = add(int(np.frombuffer(text, ">u4").sum(dtype=np.uint64)), datasum)
    header["CHECKSUM"] = encode_checksum(~total & 0xFFFFFFFF)
    return header.tostring().encode("ascii")


def encode_checksum(value: int) -> str:
    """
    Write a 32-bit number as the 16 letters and digits of a CHECKSUM card.

    Each byte becomes four characters whose offsets from "0" add up to it; pairs of them are moved
    apart until none is punctuation (FITS standard 4.0, appendix J).
    """
    columns = []
    for byte in value.to_bytes(4, "big"):
        quotient, remainder = divmod(byte, 4)
        codes = [quotient + 48 + remainder, quotient + 48, quotient + 48, quotient + 48]
        while not _LETTERS.issuperset(codes):
            for i in (0, 2):
                if not _LETTERS.issuperset(codes[i : i + 2]):
                    codes[i] += 1
                    codes[i + 1] -= 1
        columns.append(codes)
    letters = "".join(chr(columns[byte][i]) for i in range(4) for byte in range(4))
    return letters[-1] + letters[:-1]


def _image_header(template: Header, shape: tuple[int, ...], dtype: Any) -> Header:
    kind = np.dtype(dtype)
    header = Header([("XTENSION", "IMAGE", "Image extension")])
    header["BITPIX"] = -8 * kind.itemsize if kind.kind == "f" else 8 * kind.itemsize
    header["NAXIS"] = len(shape)
    for axis, length in enumerate(reversed(shape), start=1):
        header[f"NAXIS{axis}"] = length
    header["PCOUNT"] = 0
    header["GCOUNT"] = 1
    if kind.kind == "u":
        header["BSCALE"] = 1
        header["BZERO"] = UINT32_ZERO
    header.extend(without_structure(template), end=True)
    return header


def set_text(header: Header, keyword: str, text: str, comment: str = "") -> None:
    """
    Set a card, with its comment only where there is room for it beside the text.

    FITS headers are printable ASCII; any other character of a file's name is escaped.
    """
    text = plain_text(text)
    room = CARD - len("KEYWORD = '' / ") - len(text) - len(comment)
    header.set(keyword, text, comment if room >= 0 else "")


def without_data(header: Header) -> Header:
    """Copy a primary header for an HDU that holds no data."""
    empty = Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    empty.extend(without_structure(header), end=True)
    return empty


def without_structure(header: Header) -> Header:
    """Copy a header without the cards that describe how its data are stored."""
    kept = header.copy(strip=True)
    for keyword in ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM", "XTENSION", "SIMPLE"):
        kept.remove(keyword, ignore_missing=True, remove_all=True)
    return kept
