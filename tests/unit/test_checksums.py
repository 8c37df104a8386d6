"""Checksums detect every changed byte; files without checksums are accepted."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from files import digest, exposure_hdus, refused, write_exposure, write_mask

from psfalign.errors import InputError
from psfalign.files.exposure import Exposure
from psfalign.files.fits.checksums import add, check_checksums
from psfalign.files.fits.structure import scan
from psfalign.psfmask.file import read_mask

WRONG = (
    "is not that of its bytes: the file is damaged, or was edited without it; "
    "fetch it again, or write the checksums again"
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_exposure(tmp_path / "a_calints.fits")


def change(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_item_23_what_astropy_writes_holds(good: Path) -> None:
    before = digest(good)
    assert check_checksums(good, scan(good)) == []
    assert digest(good) == before


def test_item_23_without_checksums_a_file_is_taken_and_said_to_have_none(tmp_path: Path) -> None:
    hdus = exposure_hdus()
    hdus["SCI"].add_checksum(when="")
    path = tmp_path / "a_calints.fits"
    hdus.writeto(path)
    assert check_checksums(path, scan(path)) == ["PRIMARY", "ERR", "DQ", "ASDF"]


@pytest.mark.parametrize("name", ["SCI", "ERR", "DQ", "ASDF"])
def test_item_23_one_bit_of_the_data(name: str, good: Path) -> None:
    hdu = next(hdu for hdu in scan(good) if hdu.name == name)
    change(good, hdu.data_start + hdu.data_size - 1)
    wrong = hdu.header["CHECKSUM"]
    message = f"{good}[{name}] CHECKSUM={wrong}: {WRONG}"
    with refused(message, InputError), Exposure(good):
        pass


def test_item_23_one_letter_of_a_header(good: Path) -> None:
    good.write_bytes(good.read_bytes().replace(b"'F335M   '", b"'F335N   '"))
    with pytest.raises(InputError, match=r"a_calints.fits\[PRIMARY\] CHECKSUM="), Exposure(good):
        pass


@pytest.mark.parametrize("datasum", ["1", "one", "-4"])
def test_item_23_datasum_alone(datasum: str, tmp_path: Path) -> None:
    hdus = exposure_hdus()
    hdus["SCI"].header["DATASUM"] = datasum
    path = tmp_path / "a_calints.fits"
    hdus.writeto(path)
    with refused(f"{path}[SCI] DATASUM={datasum}: {WRONG}", InputError), Exposure(path):
        pass


def test_item_23_mask(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "mask.fits")
    change(path, scan(path)[1].data_start + 3)
    with pytest.raises(InputError, match=r"mask.fits\[SCI\] CHECKSUM="):
        read_mask(path)


def test_item_35_a_file_that_shrinks_behind_the_scan(good: Path) -> None:
    hdus = scan(good)
    good.write_bytes(good.read_bytes()[:-2880])
    with refused(f"{good}: the file shrank while it was read; run again", InputError):
        check_checksums(good, hdus)


def test_sums_agree_with_astropy_for_large_data(tmp_path: Path) -> None:
    """More than one chunk, and words whose plain sum passes 32 bits many times."""
    data = np.random.default_rng(1).integers(0, 2**32, (3, 700, 900), dtype=np.uint32)
    hdu = fits.ImageHDU(data, name="SCI")
    hdu.add_checksum(when="")
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    assert check_checksums(path, scan(path)) == ["PRIMARY"]


def test_carry_goes_around() -> None:
    assert add(2**32 - 1, 1) == 1
    assert add(2**32 - 1, 2**32 - 1) == 2**32 - 1
    assert add(2**40) == 256
