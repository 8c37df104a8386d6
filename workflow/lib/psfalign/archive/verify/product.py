"""Check a product by itself: its structure, its checksums, and its planes against its tables."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ...errors import InputError
from ...files.circles import WHOLE_MASK
from ...files.fits.checksums import check_checksums
from ...files.fits.planes import read_plane
from ...files.fits.structure import Hdu, scan, text_of
from ...files.fits.tables import read_table
from ...files.fits.writer import UINT32_ZERO
from ...files.provenance.records import Records
from ...files.provenance.table import NAME as PROVENANCE
from ...files.provenance.table import read_records
from ...files.release import release_of, unread
from ...fit.result import Status
from ...images.dq_flags import DO_NOT_USE
from .findings import Finding, wrong

IMAGES = {"SCI": -32, "ERR": -32, "DQ": 32}  # BITPIX
DIMENSIONS = {"QuadModel": 4, "CubeModel": 3}  # by DATAMODL


@dataclass(frozen=True)
class Product:
    """
    A product whose checks have passed.

    Attributes
    ----------
    path, size
        The file, and its bytes.
    header
        Its primary header.
    records
        Its table PROVENANCE.
    shifts
        The columns of its table SHIFTS; none if it was not aligned.
    n_failed
        Number of planes of failed fits.
    """

    path: Path
    size: int
    header: Header
    records: Records
    shifts: dict[str, NDArray[Any]]
    n_failed: int


def check_product(path: Path) -> Product:
    """
    Read and check a whole product.

    Raises
    ------
    InputError
        For the first problem.
    """
    hdus = scan(path)
    check_own_checksums(path, hdus)
    try:
        return _check_content(path, hdus)
    except InputError as error:
        raise unread(release_of(hdus[0].header), error) from error


def _check_content(path: Path, hdus: Sequence[Hdu]) -> Product:
    """Check what this release knows of a product, and ignore what a newer one added."""
    header = hdus[0].header
    applies = text_of(header, "S_PSFALI") == "COMPLETE"
    names = [*IMAGES, PROVENANCE, *(("SHIFTS", "WEIGHT") if applies else ())]
    found = {name: _only(path, hdus, name) for name in names}
    _check_images(path, header, found)
    shifts = read_table(path, found["SHIFTS"]) if applies else {}
    failed = _check_rows(path, header, found["SCI"], shifts)
    _check_planes(path, found, failed)
    if applies:
        for hdu in (hdu for hdu in hdus if hdu.name in ("WEIGHT", WHOLE_MASK)):
            _check_weight(path, hdu)
    n_failed = sum(failed or ())
    return Product(path, hdus[-1].end, header, read_records(path, hdus), shifts, n_failed)


def check_own_checksums(path: Path, hdus: Sequence[Hdu]) -> None:
    """Refuse a file that psfalign wrote if an HDU lacks one of the checksums, or one is wrong."""
    check_checksums(path, hdus)
    for number, hdu in enumerate(hdus):
        for card in ("CHECKSUM", "DATASUM"):
            if not text_of(hdu.header, card):
                raise wrong(Finding.NO_CHECKSUM, path, hdu.name or str(number), card=card)


def _only(path: Path, hdus: Sequence[Hdu], name: str) -> Hdu:
    found = [hdu for hdu in hdus if hdu.name == name]
    if len(found) != 1:
        raise wrong(Finding.EXTENSIONS, path, name, count=len(found))
    return found[0]


def _check_images(path: Path, header: Header, found: dict[str, Hdu]) -> None:
    model = text_of(header, "DATAMODL")
    shape = found["SCI"].shape
    if len(shape) != DIMENSIONS.get(model) or 0 in shape:
        raise wrong(Finding.AXES, path, "SCI", count=len(shape), model=model)
    for name, bitpix in IMAGES.items():
        if (found[name].shape, found[name].header["BITPIX"]) != (shape, bitpix):
            raise wrong(Finding.TYPE, path, name)


def _check_rows(
    path: Path, header: Header, science: Hdu, shifts: dict[str, NDArray[Any]]
) -> list[bool] | None:
    """Return which planes are those of failed fits; None if nothing was fitted."""
    n_planes, n_psfs = math.prod(science.shape[:-2]), science.shape[-3]
    status = shifts.get("status", np.array([]))
    failed = [word != Status.OK for word in status.tolist()] if shifts else None
    expected = {"NPAIRS": len(status), "NFAILED": sum(failed or ())}
    for keyword, count in expected.items():
        if header.get(keyword) != count:
            told = header.get(keyword)
            raise wrong(Finding.COUNT, path, "SHIFTS", card=keyword, told=told, count=count)
    if failed is None:
        return None
    integration, psf = np.divmod(np.arange(n_planes), n_psfs)
    for name, column in (("integration", integration), ("psf", psf)):
        if not np.array_equal(shifts.get(name, ()), column):
            raise wrong(Finding.ROWS, path, "SHIFTS", name=name, count=n_planes)
    return failed


def _check_planes(path: Path, found: dict[str, Hdu], failed: list[bool] | None) -> None:
    """Expect NaN and DO_NOT_USE in planes of failed fits, and finite numbers elsewhere."""
    n_planes = math.prod(found["SCI"].shape[:-2])
    with open(path, "rb") as stream:
        for index in range(n_planes):
            read = _reader(stream, path, found, index)
            if failed is None:
                _check_unaligned(path, index, read)
            elif failed[index]:
                _check_failed(path, index, read)
            else:
                for name in ("SCI", "ERR"):
                    if not np.isfinite(read(name).astype(np.float32)).all():
                        raise wrong(Finding.NOT_FINITE, path, name, plane=index)


def _reader(
    stream: BinaryIO, path: Path, found: dict[str, Hdu], index: int
) -> Callable[[str], NDArray[Any]]:
    return lambda name: read_plane(stream, path, found[name], index)


def _check_failed(path: Path, index: int, read: Callable[[str], NDArray[Any]]) -> None:
    for name in ("SCI", "ERR"):
        if not np.isnan(read(name)).all():
            raise wrong(Finding.FAILED_VALUES, path, name, plane=index)
    if not (_flags(read) & DO_NOT_USE).all():
        raise wrong(Finding.FAILED_FLAGS, path, "DQ", plane=index)


def _check_unaligned(path: Path, index: int, read: Callable[[str], NDArray[Any]]) -> None:
    """Check psf images that were not aligned, which may have pixels that cannot be replaced."""
    bad = ~np.isfinite(read("SCI"))
    if bad.any() and not (_flags(read)[bad] & DO_NOT_USE).all():
        raise wrong(Finding.NOT_FLAGGED, path, "SCI", plane=index)


def _flags(read: Callable[[str], NDArray[Any]]) -> NDArray[np.int64]:
    return np.asarray(read("DQ").astype(np.int64) + UINT32_ZERO)


def _check_weight(path: Path, hdu: Hdu) -> None:
    with open(path, "rb") as stream:
        weight = read_plane(stream, path, hdu, 0)
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise wrong(Finding.WEIGHT, path, hdu.name)
