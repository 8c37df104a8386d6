"""A FITS file is a row of HDUs that fill it to its last byte, or it is refused."""

import bz2
import gzip
import io
import lzma
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from files import exposure_hdus, refused, write, write_exposure

from psfalign.errors import InputError
from psfalign.files.exposure import Exposure
from psfalign.files.fits.structure import BLOCK, CARD, MAX_HEADER_BLOCKS, scan
from psfalign.steps.clean import clean_exposure

AGAIN = "fetch it again"
FILE_AGAIN = "fetch the file again"
MEND = "fetch the file again, or correct that line"
CUT = "is not a FITS file|cut short|has no END|are no extension"
NOBODY = 65534  # user id without rights


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_exposure(tmp_path / "a_calints.fits")


def with_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_card(path: Path, keyword: str, card: str, *, occurrence: int = 0) -> Path:
    """Overwrite a header card, byte for byte."""
    content = path.read_bytes()
    places = [m.start() for m in re.finditer(re.escape(keyword.ljust(8).encode()), content)]
    start = [place for place in places if place % CARD == 0][occurrence]
    return with_bytes(path, content[:start] + card.ljust(CARD).encode() + content[start + CARD :])


def one_line(card: str) -> str:
    """A card as an error has it, which joins blanks."""
    return " ".join(card.split())


def refused_as(path: Path, problem: str, remedy: str) -> object:
    return refused(f"{path}: {problem}; {remedy}", InputError)


def test_offsets_agree_with_astropy(good: Path) -> None:
    with fits.open(good) as hdus:
        expected = [(h.name, h._header_offset, h._data_offset, h.size) for h in hdus]
        found = [(h.name, h.start, h.data_start, h.data_size) for h in scan(good)]
        assert found == expected
        assert scan(good)[1].shape == hdus["SCI"].data.shape
    assert scan(good)[-1].end == good.stat().st_size


@pytest.mark.parametrize("content", ["missing", "folder", "loop", "fifo", "dangling"])
def test_item_18_not_a_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    if content == "folder":
        path.mkdir()
    elif content == "fifo":
        os.mkfifo(path)
    elif content in ("loop", "dangling"):
        path.symlink_to(path if content == "loop" else tmp_path / "nowhere")
    message = {
        "missing": "no such file; check the path",
        "dangling": "no such file; check the path",
        "folder": "is a folder; name a file",
        "fifo": "is not a regular file; name a regular file",
        "loop": "cannot be read: Too many levels of symbolic links; check the path",
    }
    with refused(f"{path}: {message[content]}", InputError):
        scan(path)


def test_item_18_device_is_not_read_for_ever() -> None:
    with refused("/dev/zero: is not a regular file; name a regular file", InputError):
        scan(Path("/dev/zero"))


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and the rights of a user who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        user = os.geteuid()
        if user == 0:
            os.setresuid(NOBODY, NOBODY, 0)
        yield folder
        if user == 0:
            os.setresuid(0, 0, 0)


def test_item_18_no_permission(good: Path, unprivileged: Path) -> None:
    path = unprivileged / "x.fits"
    if os.geteuid() == NOBODY:
        os.setresuid(0, 0, NOBODY)
        path.write_bytes(b"SIMPLE")
        path.chmod(0)
        os.setresuid(NOBODY, NOBODY, 0)
    else:
        path.write_bytes(b"SIMPLE")
        path.chmod(0)
    with refused_as(path, "no permission to read it", "change its mode"):
        scan(path)


def test_no_name_of_a_file() -> None:
    path = Path("a\0.fits")
    with refused(r"a\x00.fits: is not a file name; name a file", InputError):
        scan(path)


def test_item_18_no_permission_for_the_folder(unprivileged: Path) -> None:
    path = unprivileged / "closed" / "x.fits"
    if os.geteuid() == NOBODY:
        os.setresuid(0, 0, NOBODY)
        path.parent.mkdir(mode=0)
        os.setresuid(NOBODY, NOBODY, 0)
    else:
        path.parent.mkdir(mode=0)
    with refused_as(path, "cannot be read: Permission denied", "change the permissions"):
        scan(path)


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        (b"", "is empty", AGAIN),
        (b"hello\n", "is not a FITS file", "name a FITS file"),
        (b"<!DOCTYPE html><html>404</html>" * 200, "is not a FITS file", "name a FITS file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5000), "is not a FITS file", "name a FITS file"),
        (bytes(BLOCK), "is not a FITS file", "name a FITS file"),
        (b"SIMPLE  =", "the header at byte 0 has no END; the file is cut short or damaged", AGAIN),
    ],
)
def test_item_19_not_fits(content: bytes, problem: str, remedy: str, tmp_path: Path) -> None:
    path = with_bytes(tmp_path / "x.fits", content)
    with refused_as(path, problem, remedy):
        scan(path)


def test_item_20_cut_anywhere(good: Path, tmp_path: Path) -> None:
    """Only a cut at a boundary of HDUs leaves a FITS file, one with fewer of them."""
    whole, path = good.read_bytes(), tmp_path / "cut.fits"
    hdus = scan(good)
    boundaries = {hdu.end for hdu in hdus}
    cuts = {hdu.start + 1 for hdu in hdus} | {hdu.data_start for hdu in hdus}
    cuts |= {hdu.end - 1 for hdu in hdus} | {hdu.data_start + 100 for hdu in hdus}
    cuts |= set(range(1, len(whole), BLOCK - 1))
    for cut in sorted(cuts - boundaries):
        with_bytes(path, whole[:cut])
        with pytest.raises(InputError, match=CUT) as caught:
            scan(path)
        assert str(caught.value).startswith(f"{path}: ")
    for number, hdu in enumerate(hdus[:-1], start=1):
        assert len(scan(with_bytes(path, whole[: hdu.end]))) == number


def test_item_20_cut_in_the_data_says_how_much_is_there(good: Path) -> None:
    size = good.stat().st_size
    with_bytes(good, good.read_bytes()[: size - BLOCK])
    with refused_as(good, f"needs {size} bytes but has {size - BLOCK}; it is cut short", AGAIN):
        scan(good)


@pytest.mark.parametrize("tail", [b"\0", bytes(BLOCK), b"garbage" * 1000, b" " * BLOCK])
def test_item_21_trailing_bytes(tail: bytes, good: Path) -> None:
    with_bytes(good, good.read_bytes() + tail)
    problem = f"{len(tail)} bytes after the last HDU are no extension"
    with refused_as(good, problem, FILE_AGAIN):
        scan(good)


@pytest.mark.filterwarnings("ignore:The following header keyword is invalid")
@pytest.mark.parametrize("hdu", [0, 1, 4])
def test_item_21_no_end(hdu: int, good: Path) -> None:
    with_card(good, "END", "NOEND", occurrence=hdu)
    problem = "are no extension|has no END|not printable ASCII|more than once"
    with pytest.raises(InputError, match=rf"^{good}.*: .*({problem}).*; fetch "):
        scan(good)


def bytes_read() -> int:
    """Return what this process has read of all files; 0 where the system does not tell."""
    path = Path("/proc/self/io")
    return int(path.read_text().split()[1]) if path.exists() else 0


def test_item_21_no_end_in_a_huge_file_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    with open(path, "wb") as stream:
        stream.write(b"SIMPLE  =".ljust(BLOCK))
        stream.truncate(1 << 40)
    before = bytes_read()
    problem = "the header at byte 0 has no END; the file is cut short or damaged"
    with refused_as(path, problem, AGAIN):
        scan(path)
    assert bytes_read() - before < 2 * BLOCK * MAX_HEADER_BLOCKS  # of a terabyte


@pytest.mark.parametrize("byte", [b"\xe9", b"\0", b"\n", b"\x7f"])
def test_item_21_header_is_not_ascii(byte: bytes, good: Path) -> None:
    content = good.read_bytes()
    place = content.index(b"F335M")
    with_bytes(good, content[:place] + byte + content[place + 1 :])
    text = f"FILTER  = '{ascii(byte.decode('latin-1'))[1:-1]}335M   '"
    problem = "the header at byte 0 has characters that are not printable ASCII: "
    problem += repr(one_line(text))
    with refused(f"{good}[PRIMARY]: {problem}; {MEND}", InputError):
        scan(good)


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.fits", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress), ("zip", _zip)],
)
def test_item_22_compressed(name: str, pack: object, good: Path) -> None:
    with_bytes(good, pack(good.read_bytes()))  # type: ignore[operator]
    with refused_as(good, f"is compressed with {name}", "decompress it first"):
        scan(good)


ABSURD = {
    "NAXIS1": ("NAXIS1  =            999999999999", "needs "),
    "NAXIS": (
        "NAXIS   =             99999999",
        "NAXIS=99999999: is more than the 999 axes of FITS",
    ),
    "NAXIS2": ("NAXIS2  =                  -32", "NAXIS2=-32: is not a count"),
    "NAXIS3": ("NAXIS3  =                  2.0", "NAXIS3=2.0: is not a count"),
    "BITPIX": (
        "BITPIX  =                   24",
        "BITPIX=24: is not one of 8, 16, 32, 64, -32, -64",
    ),
    "PCOUNT": ("PCOUNT  =                   -1", "PCOUNT=-1: is not a count"),
    "GCOUNT": ("GCOUNT  = 'one     '", "GCOUNT=one: is not a count"),
}


@pytest.mark.parametrize("keyword", ABSURD)
def test_item_32_absurd_structure_is_refused_at_once(keyword: str, good: Path) -> None:
    card, problem = ABSURD[keyword]
    # The first header with NAXIS1, PCOUNT is SCI's; of the others it is the second.
    in_every_hdu = keyword in ("NAXIS", "BITPIX")
    with_card(good, keyword, card, occurrence=int(in_every_hdu))
    before = bytes_read()
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        scan(good)
    assert bytes_read() - before < 2 * BLOCK * MAX_HEADER_BLOCKS  # and none of the many gigabytes
    assert str(caught.value).startswith(f"{good}")
    assert str(caught.value).endswith(("; fetch it again", f"; {FILE_AGAIN}"))


@pytest.mark.parametrize("keyword", ["NAXIS1", "NAXIS3"])
def test_item_33_structural_keyword_missing(keyword: str, good: Path) -> None:
    with_card(good, keyword, "COMMENT nothing here")
    with refused(f"{good} {keyword}=(missing): is not a count; {FILE_AGAIN}", InputError):
        scan(good)


@pytest.mark.parametrize("keyword", ["BITPIX", "NAXIS"])
def test_item_33_first_keyword_missing(keyword: str, good: Path) -> None:
    with_card(good, keyword, "COMMENT nothing here", occurrence=1)
    with pytest.raises(
        InputError, match=rf"^{good}: the header at byte \d+ is damaged: .*{keyword}"
    ):
        scan(good)


@pytest.mark.parametrize("card", ["FILTER  = 'F335M", "FILTER  = @@@@", "FILTER  = 1.2.3"])
def test_item_33_value_that_cannot_be_read(card: str, good: Path) -> None:
    with_card(good, "FILTER", card)
    message = f"{good}[PRIMARY] FILTER: its value cannot be read: {one_line(card)!r}; {MEND}"
    with refused(message, InputError):
        scan(good)


@pytest.mark.parametrize("name", ["SCI", "ERR", "DQ"])
def test_item_33_value_of_an_extension_that_is_read(name: str, good: Path) -> None:
    hdus = exposure_hdus()
    hdus[name].header["MYCARD"] = 1.0
    card = "MYCARD  = 1.2.3"
    with_card(write(hdus, good), "MYCARD", card)
    message = f"{good}[{name}] MYCARD: its value cannot be read: {one_line(card)!r}; {MEND}"
    with refused(message, InputError):
        scan(good)


@pytest.mark.parametrize("keyword", ["CHECKSUM", "DATASUM"])
def test_item_33_checksum_that_cannot_be_read_where_nobody_reads_the_rest(
    keyword: str, good: Path
) -> None:
    hdus = exposure_hdus()
    hdus.append(fits.ImageHDU(np.ones((3, 4), np.float32), name="AREA"))
    content = write(hdus, good).read_bytes()
    place = content.rindex(f"{keyword:8}= ".encode())
    card = f"{keyword:8}= 1.2.3"
    good.write_bytes(content[:place] + card.ljust(80).encode() + content[place + 80 :])
    message = f"{good}[AREA] {keyword}: its value cannot be read: {one_line(card)!r}; {MEND}"
    with refused(message, InputError):
        scan(good)


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (b"MYCARD  = 1.2.3", "MYCARD  = 1.2.3"),
        (b"MYCARD  = 'no end", "MYCARD  = 'no end"),
        (b"MYCARD  = 'caf\xe9'", r"MYCARD  = 'caf\xe9'"),
        (b"MYCARD  = 'a\0b'", r"MYCARD  = 'a\x00b'"),
    ],
)
def test_card_that_cannot_be_read_where_nobody_reads_it(
    card: bytes, text: str, good: Path, tmp_path: Path
) -> None:
    """Such an extension is passed on byte for byte, and the card is said."""
    hdus = exposure_hdus()
    area = fits.ImageHDU(np.ones((3, 4), np.float32), name="AREA")
    area.header["MYCARD"] = 1.0
    path = write(fits.HDUList([*hdus, area]), good)
    content = path.read_bytes()
    place = content.index(b"MYCARD  =")
    content = content[:place] + card.ljust(80) + content[place + 80 :]
    path.write_bytes(content.replace(b"CHECKSUM", b"OLDCKSUM").replace(b"DATASUM ", b"OLDDSUM "))
    found = scan(path)
    assert [hdu.unreadable for hdu in found] == [(), (), (), (), (), (text,)]
    assert Exposure(path).unreadable == [f"[AREA]: {text!r}"]
    clean_exposure(path, tmp_path / "clean.fits")
    copied = next(hdu for hdu in scan(tmp_path / "clean.fits") if hdu.name == "AREA")
    original, copy = path.read_bytes(), (tmp_path / "clean.fits").read_bytes()
    assert copy[copied.start : copied.end] == original[found[5].start : found[5].end]


@pytest.mark.parametrize("card", [b"NAXIS1  = @", b"BITPIX  = \xe9"])
def test_item_33_structure_of_an_extension_that_nobody_reads(card: bytes, good: Path) -> None:
    hdus = exposure_hdus()
    area = fits.ImageHDU(np.ones((3, 4), np.float32), name="AREA")
    path = write(fits.HDUList([*hdus, area]), good)
    content = path.read_bytes()
    place = content.rindex(card[:9])
    path.write_bytes(content[:place] + card.ljust(80) + content[place + 80 :])
    with pytest.raises(InputError, match=rf"^{path}.*(NAXIS1|BITPIX).*; fetch "):
        scan(path)


def test_item_36_no_wcs_and_no_table_is_built(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers are read, data of extensions are not: nothing is there to be deserialised."""
    hdus = exposure_hdus()
    hdus["SCI"].header["CTYPE1"] = "PICKLE--NOT-A-WCS"
    path = write(hdus, good)
    used = []
    monkeypatch.setattr(fits, "open", lambda *a, **k: used.append("open"))
    monkeypatch.setattr(WCS, "__init__", lambda *a, **k: used.append("WCS"))
    assert [hdu.name for hdu in scan(path)] == ["PRIMARY", "SCI", "ERR", "DQ", "ASDF"]
    clean_exposure(path, good.with_name("clean.fits"))
    assert used == []
    WCS()
    assert used == ["WCS"]  # it would have been noticed


def test_item_21_what_stands_behind_end_is_not_ignored(good: Path) -> None:
    """A reader that stops at END would not see the filter, and no checksum would notice."""
    content = good.read_bytes()
    end = content.index(b"END" + b" " * 77)
    filter_card = content.index(b"FILTER  =")
    swapped = bytearray(content)
    swapped[filter_card : filter_card + 80] = content[end : end + 80]
    swapped[end : end + 80] = content[filter_card : filter_card + 80]
    good.write_bytes(swapped)
    with refused(f"{good}: the header at byte 0 has cards behind its END; fetch the file again"):
        scan(good)


@pytest.mark.parametrize(
    "card", ["BITPIX  =                   16", "NAXIS1  =                    2"]
)
def test_item_33_structure_said_twice(card: str, good: Path) -> None:
    content = good.read_bytes()
    start = content.index(b"BUNIT   =")
    good.write_bytes(content[:start] + card.ljust(80).encode() + content[start + 80 :])
    keyword = card[:8].strip()
    with pytest.raises(InputError, match=f" {keyword}=.*: is there more than once; "):
        scan(good)


def test_item_19_file_that_denies_being_standard_fits(good: Path) -> None:
    with_card(good, "SIMPLE", "SIMPLE  =                    F")
    with refused(
        f"{good} SIMPLE=False: says that this is not a standard FITS file; {FILE_AGAIN}", InputError
    ):
        scan(good)
