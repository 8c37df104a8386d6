"""Planes of exposures and masks: float64 whatever the file holds, or refused."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import (
    SHAPE,
    digest,
    exposure_hdus,
    mask_hdus,
    refused,
    ring,
    scene,
    write,
    write_exposure,
    write_mask,
)

from psfalign.errors import InputError
from psfalign.files.exposure import Exposure
from psfalign.psfmask.file import read_mask, read_mask_header

CUBE = (2, *SHAPE)
NAME_ONE = "name a JWST calints or psfstack file"
MASK_REMEDY = "write the mask as one 2D image extension SCI of floats"


def science_of(path: Path) -> Any:
    with Exposure(path) as exposure:
        return np.array([exposure.read_science(i) for i in range(len(exposure))])


def dq_of(path: Path) -> Any:
    with Exposure(path) as exposure:
        return np.array([exposure.read_dq(i) for i in range(len(exposure))])


def replaced(name: str, hdu: Any) -> fits.HDUList:
    hdus = exposure_hdus()
    if hdu is None:
        del hdus[name]
    else:
        hdus[name] = hdu
    return hdus


def test_planes_are_those_that_astropy_reads_and_the_file_is_untouched(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    dq = rng.integers(0, 2**32, CUBE, dtype=np.uint32)
    path = write_exposure(tmp_path / "a.fits", dq=dq)
    before = digest(path)
    with Exposure(path) as exposure:
        assert exposure.shape == CUBE
        assert len(exposure) == 2
        for i in range(2):
            np.testing.assert_array_equal(exposure.read_science(i), fits.getdata(path, "SCI")[i])
            np.testing.assert_array_equal(exposure.read_error(i), fits.getdata(path, "ERR")[i])
            np.testing.assert_array_equal(exposure.read_dq(i), dq[i])
    assert digest(path) == before


def test_reading_outside_a_with_block_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    exposure = Exposure(write_exposure(tmp_path / "a.fits"))
    with pytest.raises(ValueError, match="^read planes inside a with block$"):
        exposure.read_science(0)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_item_30_native_float64_from_any_type(dtype: str, tmp_path: Path) -> None:
    values = np.arange(np.prod(CUBE)).reshape(CUBE) % 100
    path = write(
        replaced("SCI", fits.ImageHDU(values.astype(dtype), name="SCI")), tmp_path / "a.fits"
    )
    science = science_of(path)
    assert science.dtype == np.float64
    assert science.dtype.isnative
    np.testing.assert_array_equal(science, values)


def test_item_28_integers_with_scale_zero_and_blank(tmp_path: Path) -> None:
    stored = np.arange(np.prod(CUBE), dtype=np.int16).reshape(CUBE)
    stored[0, 3, 4] = -32768
    hdu = fits.ImageHDU(stored, name="SCI")
    path = write(replaced("SCI", hdu), tmp_path / "a.fits")
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        header = hdus["SCI"].header
        header["BSCALE"], header["BZERO"], header["BLANK"] = 0.5, 7.0, -32768
    science = science_of(path)
    expected = stored * 0.5 + 7.0
    expected[0, 3, 4] = np.nan
    np.testing.assert_array_equal(science, expected)


@pytest.mark.parametrize(
    ("keyword", "card"),
    [("BSCALE", "'two     '"), ("BZERO", "T"), ("BLANK", "'x       '"), ("BSCALE", "1E400")],
)
def test_item_28_scaling_that_is_no_number(keyword: str, card: str, tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    content = path.read_bytes()
    place = content.index(b"BUNIT")
    path.write_bytes(
        content[:place] + f"{keyword:8}= {card}".ljust(80).encode() + content[place + 80 :]
    )
    with pytest.raises(
        InputError, match=rf"^{path}\[SCI\] {keyword}=.*: is not a number; fetch the"
    ):
        Exposure(path)


def test_item_29_signed_dq_with_bit_31(tmp_path: Path) -> None:
    stored = np.zeros(CUBE, np.int32)
    stored[0, 1, 2], stored[1, 0, 0] = -(2**31) + 1, 5
    path = write(replaced("DQ", fits.ImageHDU(stored, name="DQ")), tmp_path / "a.fits")
    dq = dq_of(path)
    assert dq.dtype == np.uint32
    assert dq[0, 1, 2] == 2**31 + 1
    assert dq[1, 0, 0] == 5
    assert np.count_nonzero(dq) == 2


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *(("i2", -32768), ("u2", 32768), ("i4", 32768), ("u4", 32768)),
        *(("i8", 32768), ("u8", 32768), ("i8", 32768 - 2**40), ("u8", 32768 + 2**63)),
    ],
)
def test_item_29_flags_of_other_widths_set_no_others(
    dtype: str, value: int, tmp_path: Path
) -> None:
    stored = np.full(CUBE, value, dtype)
    path = write(replaced("DQ", fits.ImageHDU(stored, name="DQ")), tmp_path / "a.fits")
    assert np.all(dq_of(path) == 32768)


def test_item_25_without_dq_nothing_is_flagged_without_err_errors_are_unknown(
    tmp_path: Path,
) -> None:
    hdus = exposure_hdus()
    del hdus["DQ"]
    del hdus["ERR"]
    with Exposure(write(hdus, tmp_path / "a.fits")) as exposure:
        assert not exposure.read_dq(0).any()
        assert exposure.read_dq(0).dtype == np.uint32
        assert np.isnan(exposure.read_error(1)).all()
        assert exposure.read_error(1).shape == SHAPE


@pytest.mark.parametrize("name", ["ERR", "DQ"])
@pytest.mark.parametrize("shape", [(1, *SHAPE), SHAPE, (2, 40, 32)])
def test_item_25_another_shape(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    hdu = fits.ImageHDU(np.zeros(shape, np.int32), name=name)
    path = write(replaced(name, hdu), tmp_path / "a.fits")
    axes = " × ".join(map(str, shape[::-1]))
    message = (
        f"{path}[{name}]: has {axes} pixels but SCI has 40 × 32 × 2; calibrate the exposure again"
    )
    with refused(message, InputError):
        Exposure(path)


def test_item_25_flags_that_are_not_integers(tmp_path: Path) -> None:
    hdu = fits.ImageHDU(np.zeros(CUBE, np.float32), name="DQ")
    path = write(replaced("DQ", hdu), tmp_path / "a.fits")
    message = f"{path}[DQ] BITPIX=-32: flags are not integers; store them as 32-bit integers"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize(("keyword", "value"), [("BSCALE", 0.5), ("BZERO", 0.5)])
def test_item_25_flags_that_are_scaled(keyword: str, value: float, tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus["DQ"].header[keyword] = value
    message = f"{path}[DQ] {keyword}={value}: flags are not integers; store them as 32-bit integers"
    with refused(message, InputError):
        Exposure(path)


def test_item_24_no_sci(tmp_path: Path) -> None:
    path = write(replaced("SCI", None), tmp_path / "a.fits")
    with refused(f"{path}[SCI]: no such extension; {NAME_ONE}", InputError):
        Exposure(path)


def test_item_20_cut_before_sci(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[: Exposure(path).hdus[0].end])
    with refused(f"{path}[SCI]: no such extension; {NAME_ONE}", InputError):
        Exposure(path)


def test_item_24_pixels_in_the_primary(tmp_path: Path) -> None:
    path = write(fits.HDUList([fits.PrimaryHDU(scene([(0, 0)]))]), tmp_path / "a.fits")
    message = f"{path}[SCI]: no such extension; the pixels are in the primary HDU; {NAME_ONE}"
    with refused(message, InputError):
        Exposure(path)


def test_item_24_primary_is_called_sci(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU(scene([(0, 0)]))
    primary.header["EXTNAME"] = "SCI"
    path = write(fits.HDUList([primary]), tmp_path / "a.fits")
    message = f"{path}[SCI]: is not an image extension; write the pixels into an image extension"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize("name", ["SCI", "ERR", "DQ"])
def test_item_24_twice(name: str, tmp_path: Path) -> None:
    hdus = exposure_hdus()
    hdus.append(hdus[name].copy())
    path = write(hdus, tmp_path / "a.fits")
    message = f"{path}[{name}]: has 2 extensions of this name; keep one of them"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize("name", ["SCI", "ERR", "DQ"])
def test_item_24_a_table(name: str, tmp_path: Path) -> None:
    hdu = fits.BinTableHDU(np.zeros(3, dtype=[("a", "f4")]), name=name)
    path = write(replaced(name, hdu), tmp_path / "a.fits")
    message = f"{path}[{name}]: is not an image extension; write the pixels into an image extension"
    with refused(message, InputError):
        Exposure(path)


def test_item_22_compressed_image(tmp_path: Path) -> None:
    path = write(
        replaced("SCI", fits.CompImageHDU(scene([(0, 0)]), name="SCI")), tmp_path / "a.fits"
    )
    message = f"{path}[SCI]: is a compressed image; decompress the file with funpack first"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize("keyword", ["PCOUNT", "GCOUNT"])
def test_item_24_image_with_a_heap_or_groups(keyword: str, tmp_path: Path) -> None:
    """GCOUNT=0 would take the pixels from the next HDU."""
    path = write_exposure(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    sci = Exposure(path).science
    place = content.index(keyword.encode(), sci.start)
    value = b"0" if keyword == "GCOUNT" else b"8"
    content[place + 29 : place + 30] = value
    if keyword == "GCOUNT":
        del content[sci.data_start : sci.end]
    path.write_bytes(content)
    message = f"{path}[SCI]: PCOUNT and GCOUNT are not those of an image; fetch the file again"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize(
    ("shape", "axes"), [(SHAPE, "40 × 32"), ((1, 2, *SHAPE), "40 × 32 × 2 × 1"), ((7,), "7")]
)
def test_item_26_not_three_axes(shape: tuple[int, ...], axes: str, tmp_path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros(shape), name="SCI")])
    path = write(hdus, tmp_path / "a.fits")
    message = f"{path}[SCI]: has {axes} pixels, expected columns × rows × integrations; {NAME_ONE}"
    with refused(message, InputError):
        Exposure(path)


def test_item_24_empty(tmp_path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(name="SCI")])
    path = write(hdus, tmp_path / "a.fits")
    message = f"{path}[SCI]: has no pixels, expected columns × rows × integrations; {NAME_ONE}"
    with refused(message, InputError):
        Exposure(path)


@pytest.mark.parametrize(
    ("axis", "axes"), [(3, "40 × 32 × 0"), (2, "40 × 0 × 2"), (1, "0 × 32 × 2")]
)
def test_item_26_no_integrations_or_no_pixels(axis: int, axes: str, tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    sci = Exposure(path).science
    place = content.index(f"NAXIS{axis}".encode(), sci.start)
    content[place + 10 : place + 30] = b"0".rjust(20)
    del content[sci.data_start : sci.end]
    path.write_bytes(content)
    message = f"{path}[SCI]: is empty: {axes} pixels; leave the exposure out"
    with refused(message, InputError):
        Exposure(path)


def test_item_33_extension_names_in_lower_case_with_blanks(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"EXTNAME = 'SCI     '", b"EXTNAME = 'sci     '"))
    assert Exposure(path).shape == CUBE


def test_item_35_shrank_while_it_was_read(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    message = f"{path}: the file shrank while it was read; run again"
    with refused(message, InputError), Exposure(path) as exposure:
        os.truncate(path, exposure.science.data_start + 100)
        exposure.read_science(0)


def test_mask_is_read_as_it_is(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits")
    np.testing.assert_array_equal(read_mask(path), ring())
    assert read_mask(path).dtype == np.float64
    header, shape = read_mask_header(path)
    assert (header["REFTYPE"], shape) == ("PSFMASK", SHAPE)


def test_other_extensions_of_a_mask_are_not_looked_at(tmp_path: Path) -> None:
    """NIRCam's files have an ASDF extension which is an image."""
    hdus = mask_hdus()
    hdus.append(fits.ImageHDU(np.zeros(100, np.uint8), name="ASDF"))
    np.testing.assert_array_equal(read_mask(write(hdus, tmp_path / "m.fits")), ring())


@pytest.mark.parametrize("number", [0, 2])
def test_item_24_number_of_masks(number: int, tmp_path: Path) -> None:
    hdus = fits.HDUList([mask_hdus()[0], *([mask_hdus()[1]] * number)])
    path = write(hdus, tmp_path / "m.fits")
    message = f"{path}[SCI]: has {number} extensions of this name, expected one; {MASK_REMEDY}"
    with refused(message, InputError):
        read_mask(path)


def test_item_24_mask_is_a_table(tmp_path: Path) -> None:
    table = fits.BinTableHDU(np.zeros(3, dtype=[("a", "f4")]), name="SCI")
    path = write(fits.HDUList([fits.PrimaryHDU(), table]), tmp_path / "m.fits")
    message = f"{path}[SCI]: is not an image extension; write the pixels into an image extension"
    with refused(message, InputError):
        read_mask(path)


@pytest.mark.parametrize(
    ("shape", "axes"), [((1, *SHAPE), "40 × 32 × 1"), ((40,), "40"), (None, "no")]
)
def test_item_24_mask_is_not_an_image(shape: Any, axes: str, tmp_path: Path) -> None:
    data = None if shape is None else np.ones(shape, np.float32)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")])
    path = write(hdus, tmp_path / "m.fits")
    message = f"{path}[SCI]: has {axes} pixels, expected columns × rows; {MASK_REMEDY}"
    with refused(message, InputError):
        read_mask(path)


def test_item_28_mask_of_integers(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", ring().astype(np.int16))
    message = f"{path}[SCI] BITPIX=16: holds integers; {MASK_REMEDY}"
    with refused(message, InputError):
        read_mask(path)


def test_item_28_mask_of_scaled_integers(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", (ring() * 100).astype(np.int16))
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus["SCI"].header["BSCALE"] = 0.01
    np.testing.assert_allclose(read_mask(path), ring(), rtol=1e-15)


def test_message_names_the_extension() -> None:
    assert re.fullmatch(
        r"x\[SCI\] A=1: p; r", str(InputError("p", file="x[SCI]", keyword="A", value=1, remedy="r"))
    )
