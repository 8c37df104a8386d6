"""Written files are valid and reproducible FITS, with correct checksums."""

import io
import itertools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import exposure_hdus, write

from psfalign.files.fits.structure import scan
from psfalign.files.fits.writer import (
    FitsWriter,
    checksummed,
    encode_checksum,
    set_text,
    without_data,
)

SHAPE = (3, 2, 5, 7)  # the last two are those of a plane
ENCODER = fits.PrimaryHDU()


def opened(content: bytes) -> fits.HDUList:
    """Open with verified checksums; pytest turns astropy's warning about a wrong one to an error."""
    hdus = fits.open(io.BytesIO(content), checksum=True)
    for hdu in hdus:
        assert hdu.verify_checksum() == hdu.verify_datasum() == 1
    return hdus


def written(add: Callable[[FitsWriter], None], before: bytes = b"") -> bytes:
    """Return what a writer writes to a file, after HDUs were added to it."""
    with tempfile.TemporaryFile() as stream:
        stream.write(before)
        writer = FitsWriter(stream)
        add(writer)
        writer.finish()
        stream.seek(0)
        return stream.read()


def write_planes(data: Any, order: Any, header: fits.Header | None = None) -> bytes:
    def add(writer: FitsWriter) -> None:
        writer.add(fits.PrimaryHDU().header)
        image = writer.add_image(
            header or fits.Header([("EXTNAME", "SCI")]), data.shape, data.dtype
        )
        planes = data.reshape(-1, *data.shape[-2:])
        for index in order:
            image.write(index, planes[index])

    return written(add)


def random_data(dtype: str, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if dtype == "u4":
        return rng.integers(0, 2**32, SHAPE, dtype=np.uint32)
    return rng.normal(0, 1e3, SHAPE).astype(dtype)


def random_header(rng: np.random.Generator) -> fits.Header:
    """Long texts with CONTINUE, comments, histories, blanks, duplicates and all types."""
    header = fits.Header([("EXTNAME", "SCI")])
    letters = [chr(c) for c in range(32, 127)]
    for number in range(int(rng.integers(0, 40))):
        text = "".join(rng.choice(letters, int(rng.integers(0, 150)))).strip()
        value = [text, float(rng.normal()), int(rng.integers(-(2**40), 2**40)), True, None]
        header[f"KEY{number}"] = value[int(rng.integers(5))]
        header["HISTORY"] = text[:70]
    return header


@pytest.mark.parametrize("seed", range(12))
def test_checksums_hold_for_random_headers_and_data(seed: int) -> None:
    header = random_header(np.random.default_rng(seed))
    data = random_data(("f4", "f8", "u4")[seed % 3], seed)
    hdus = opened(write_planes(data, range(6), header))
    np.testing.assert_array_equal(hdus[1].data, data)
    kept, given = (
        [str(card) for card in h.cards if card.keyword.startswith(("KEY", "HIST"))]
        for h in (hdus[1].header, header)
    )
    assert kept == given


def test_a_wrong_bit_would_be_noticed() -> None:
    content = bytearray(write_planes(random_data("f4", 0), range(6)))
    content[-2880] ^= 1  # the first byte of the last block is data
    with pytest.raises(Warning, match="verification failed"):
        opened(bytes(content))


@pytest.mark.parametrize("value", [0, 1, 255, 256, 2**31, 2**32 - 1, 0x3A5B60, 0x5D5D5D5D])
def test_encoding_of_special_values_is_that_of_astropy(value: int) -> None:
    assert encode_checksum(value) == ENCODER._char_encode(value)


def test_encoding_of_every_byte_is_that_of_astropy() -> None:
    values = np.random.default_rng(5).integers(0, 2**32, 1000).tolist()
    values += [byte << shift for byte in range(256) for shift in (0, 24)]
    for value in values:
        assert encode_checksum(value) == ENCODER._char_encode(value)


def test_header_is_not_modified() -> None:
    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0)])
    before = header.tostring()
    assert checksummed(header, 2**40 + 17) == checksummed(header, 2**40 + 17)
    assert header.tostring() == before


@pytest.mark.parametrize("dtype", ["f4", "u4"])
def test_planes_in_any_order_give_the_same_bytes(dtype: str) -> None:
    data = random_data(dtype, 1)
    expected = write_planes(data, range(6))
    for order in itertools.islice(itertools.permutations(range(6)), 1, 720, 97):
        assert write_planes(data, order) == expected


def test_several_planes_at_once_are_those_one_by_one() -> None:
    data = random_data("f4", 2)

    def add(writer: FitsWriter) -> None:
        writer.add(fits.PrimaryHDU().header)
        image = writer.add_image(fits.Header([("EXTNAME", "SCI")]), data.shape, data.dtype)
        image.write(2, data[1:])
        image.write(0, data[0])

    assert written(add) == write_planes(data, range(6))


def test_two_images_and_a_table_between_planes() -> None:
    data, flags = random_data("f4", 3), random_data("u4", 4)
    table = np.zeros(5, dtype=[("a", ">i8")])

    def add(writer: FitsWriter) -> None:
        writer.add(fits.PrimaryHDU().header)
        science = writer.add_image(fits.Header([("EXTNAME", "SCI")]), SHAPE, np.float32)
        dq = writer.add_image(fits.Header([("EXTNAME", "DQ")]), SHAPE, np.uint32)
        dq.write(0, flags.reshape(-1, 5, 7))
        writer.add(fits.BinTableHDU(table, name="TAB").header, table.tobytes())
        science.write(0, data.reshape(-1, 5, 7))

    hdus = opened(written(add))
    assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "DQ", "TAB"]
    np.testing.assert_array_equal(hdus["SCI"].data, data)
    np.testing.assert_array_equal(hdus["DQ"].data, flags)
    assert hdus["DQ"].data.dtype == np.uint32
    assert len(hdus["TAB"].data) == 5


def test_plane_that_was_never_written_is_zero_with_a_checksum_that_holds() -> None:
    data = random_data("f4", 6)
    hdus = opened(write_planes(data, [0, 5]))
    assert not hdus[1].data.reshape(-1, 5, 7)[1:5].any()


def test_big_endian_and_strided_planes_are_written_as_native_ones() -> None:
    data = random_data("f4", 7)
    expected = write_planes(data, range(6))
    swapped = np.ascontiguousarray(data.swapaxes(2, 3)).swapaxes(2, 3)
    assert not swapped.flags.c_contiguous
    assert write_planes(swapped, range(6)) == expected


def test_what_was_in_the_stream_before_is_cut_off() -> None:
    content = written(lambda writer: writer.add(fits.PrimaryHDU().header), before=b"x" * 100_000)
    assert len(content) == 2880


def test_copied_hdus_keep_their_bytes(tmp_path: Path) -> None:
    path = write(exposure_hdus(), tmp_path / "a.fits")

    def add(writer: FitsWriter) -> None:
        with open(path, "rb") as source:
            for hdu in scan(path):
                writer.copy(source, hdu)

    assert written(add) == path.read_bytes()


@pytest.mark.parametrize(("length", "kept"), [(8, True), (61, True), (62, False), (68, False)])
def test_comment_is_kept_where_there_is_room(length: int, kept: bool) -> None:
    header = fits.Header()
    set_text(header, "RAWFILE", "x" * length, "file")
    again = fits.Header.fromstring(header.tostring())
    assert again["RAWFILE"] == "x" * length
    assert again.comments["RAWFILE"] == ("file" if kept else "")
    assert len(header.cards[0].image) == 80


def test_text_that_is_longer_than_a_card_goes_on_in_the_next() -> None:
    header = fits.Header()
    set_text(header, "RAWFILE", "x" * 200, "file")
    assert fits.Header.fromstring(header.tostring())["RAWFILE"] == "x" * 200


@pytest.mark.parametrize(
    ("text", "stored"),
    [("é b.fits", r"\xe9 b.fits"), ("a\nb", r"a\nb"), ("星.fits", r"\u661f.fits"), ("o'x", "o'x")],
)
def test_item_53_names_that_are_not_ascii_are_escaped(text: str, stored: str) -> None:
    header = fits.Header()
    set_text(header, "RAWFILE", text)
    assert fits.Header.fromstring(header.tostring())["RAWFILE"] == stored


def test_header_of_a_primary_without_data_keeps_all_else() -> None:
    header = fits.PrimaryHDU(np.zeros((3, 4), np.int16)).header
    header["BSCALE"], header["FILTER"], header["HISTORY"] = 2.0, "F335M", "one"
    header["HISTORY"] = "two"
    empty = without_data(header)
    assert (empty["NAXIS"], empty["FILTER"]) == (0, "F335M")
    assert "NAXIS1" not in empty
    assert "BSCALE" not in empty
    assert list(empty["HISTORY"]) == ["one", "two"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits.PrimaryHDU(header=empty).verify("exception")
