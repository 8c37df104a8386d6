"""All readers of planes refuse a file that is damaged, or that changes while it is read."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from chain import run
from files import SKY, refused, write_exposure, write_mask, write_psfs

from psfalign.errors import InputError
from psfalign.files import aligned
from psfalign.files.aligned import AlignedPsfs
from psfalign.files.exposure import Exposure
from psfalign.files.fits.planes import FitsPlanes
from psfalign.files.fits.structure import scan
from psfalign.files.north_up import NorthUp
from psfalign.files.product import Product
from psfalign.files.subtracted import Subtracted
from psfalign.steps.combine import combine_rolls
from psfalign.steps.subtract import subtract_psf

READERS: dict[str, Callable[[Path], FitsPlanes]] = {
    "clean.fits": Exposure,
    "psfalign.fits": AlignedPsfs,
    "product.fits": Product,
    "psfsub.fits": Subtracted,
    "northup.fits": NorthUp,
}
readers = pytest.mark.parametrize("name", READERS)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file for each reader."""
    folder = tmp_path_factory.mktemp("chain")
    write_exposure(folder / "sci_calints.fits")
    with fits.open(folder / "sci_calints.fits", mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update(SKY)
        hdus["SCI"].add_checksum(when="")
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    paths = run(folder, folder)
    made = [folder / name for name in ("psfsub.fits", "northup.fits", "contrast.ecsv")]
    subtract_psf(paths["science"], paths["product"], made[0])
    combine_rolls(made[:1], *made[1:])
    product = paths["product"]
    files = (paths["science"], product, product, *made[:2])
    return {name: path.read_bytes() for name, path in zip(READERS, files, strict=True)}


@pytest.fixture
def write(tmp_path: Path, contents: dict[str, bytes]) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        (tmp_path / name).write_bytes(contents[name])
        return tmp_path / name

    return write


@readers
def test_item_23_one_bit_of_any_extension(name: str, write: Callable[[str], Path]) -> None:
    path = write(name)
    hdus = [hdu for hdu in scan(path) if hdu.data_size]
    for hdu in hdus:
        with open(path, "r+b") as stream:
            stream.seek(hdu.data_start + hdu.data_size - 1)
            last = stream.read(1)[0]
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([last ^ 1]))
        message = (
            f"{path}[{hdu.name}] CHECKSUM={hdu.header['CHECKSUM']}: is not that of its bytes: the "
            "file is damaged, or was edited without it; fetch it again, or write the checksums again"
        )
        with refused(message, InputError), READERS[name](path):
            pass
        write(name)
    assert len(hdus) > 3


@readers
def test_item_35_changed_while_it_was_read(name: str, write: Callable[[str], Path]) -> None:
    path = write(name)
    message = f"{path}: changed while it was read; run again"
    with refused(message, InputError), READERS[name](path):
        os.utime(path, (0, 0))


@readers
def test_item_35_another_file_under_its_name(name: str, write: Callable[[str], Path]) -> None:
    path = write(name)
    message = f"{path}: changed while it was read; run again"
    with refused(message, InputError), READERS[name](path):
        path.rename(path.with_suffix(".old"))
        write(name)


@readers
def test_an_extension_that_is_there_twice(name: str, write: Callable[[str], Path]) -> None:
    path = write(name)
    science = next(hdu for hdu in scan(path) if hdu.name == "SCI")
    content = path.read_bytes()
    path.write_bytes(content + content[science.start : science.end])
    message = f"{path}[SCI]: has 2 extensions of this name; keep one of them"
    with refused(message, InputError):
        READERS[name](path)


@readers
def test_planes_are_read_inside_a_with_block(name: str, write: Callable[[str], Path]) -> None:
    reader = READERS[name](write(name))
    with pytest.raises(ValueError, match="^read planes inside a with block$"):
        reader._read_scaled(next(hdu for hdu in reader.hdus if hdu.name == "SCI"), 0)


@pytest.mark.parametrize("few", [1, 2, 4])
def test_some_psf_images_are_read_a_few_at_a_time(
    few: int, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligned, "FEW", few)
    path = write("psfalign.fits")
    with AlignedPsfs(path) as psfs, fits.open(path, memmap=False) as hdus:
        for chosen in ([0, 1, 2], [0, 2], [1]):
            errors, flags = (
                read(1, np.array(chosen)) for read in (psfs.read_errors, psfs.read_flags)
            )
            np.testing.assert_array_equal(errors, hdus["ERR"].data[1, chosen])
            np.testing.assert_array_equal(
                flags.view(np.uint32) ^ np.uint32(1 << 31), hdus["DQ"].data[1, chosen]
            )
        np.testing.assert_array_equal(psfs.read_images(0), hdus["SCI"].data[0])
