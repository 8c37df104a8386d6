"""Read PSFMASK reference files."""

from pathlib import Path
from typing import get_args

import numpy as np
from astropy.io.fits import Header

from ..errors import InputError, MaskError
from ..files.fits.checksums import check_checksums
from ..files.fits.planes import check_image, read_plane, scale
from ..files.fits.structure import Hdu, scan, text_of
from ..images.arrays import Convention, Image
from ..images.mask_weight import Weight, weigh

REQUIRED = ("TELESCOP", "INSTRUME", "FILTER", "CORONMSK", "SUBARRAY", "REFTYPE", "USEAFTER")
DIMENSIONS = 2
STATED = "MASKCONV"  # keyword by which a mask itself may say what 1 means


def read_mask_header(path: Path) -> tuple[Header, tuple[int, ...]]:
    """Return the primary header of a mask file and the size of its image, (rows, columns)."""
    hdus, hdu = _find_mask(path)
    return hdus[0].header, hdu.shape


def check_mask_checksums(path: Path) -> list[str]:
    """Verify the checksums of a mask, and return the names of HDUs that have none."""
    hdus, _ = _find_mask(path)
    return check_checksums(path, hdus)


def read_mask(path: Path) -> Image:
    """Verify the checksums of a mask, and return its pixels, (rows, columns) float64."""
    hdus, hdu = _find_mask(path)
    check_checksums(path, hdus)
    with open(path, "rb") as stream:
        return scale(read_plane(stream, path, hdu, 0), hdu.header)


def read_weight(
    path: Path, *, convention: str = "auto", occulter: tuple[float, float] | None = None
) -> Weight:
    """
    Read a mask as a weight, see `psfalign.images.mask_weight.weigh`.

    With ``auto``, MASKCONV of the header decides, if the mask has it.

    Raises
    ------
    InputError, MaskError
        If the file cannot be used, or its pixels cannot weight a fit.
    """
    mask = read_mask(path)
    if convention == "auto":
        convention = stated_convention(read_mask_header(path)[0]) or "auto"
    try:
        return weigh(mask, convention=convention, occulter=occulter)
    except MaskError as error:
        error.file = path
        raise


def stated_convention(header: Header) -> str:
    """Return ``weight`` or ``exclude`` from MASKCONV of a mask; None without it."""
    stated = text_of(header, STATED).lower()
    return stated if stated in get_args(Convention) else ""


def check_reference_type(header: Header, path: Path) -> None:
    """Raise `MaskError` for a reference file of another type."""
    kind = (text_of(header, "REFTYPE") or "PSFMASK").upper()
    if kind != "PSFMASK":
        raise InputError(
            "is not a PSFMASK file", file=path, keyword="REFTYPE", value=kind, remedy="name one"
        )


def _find_mask(path: Path) -> tuple[list[Hdu], Hdu]:
    """Return all HDUs of a mask file, and the one that is its image."""
    hdus = scan(path)
    found = [hdu for hdu in hdus if hdu.name == "SCI"]
    if not found and hdus[0].shape:
        found = hdus[:1]  # where masks of other makers have their pixels
    subject = f"{path}[SCI]"
    remedy = "write the mask as one 2D image extension SCI of floats"
    if len(found) != 1:
        problem = f"has {len(found)} extensions of this name, expected one"
        raise InputError(problem, file=subject, remedy=remedy)
    check_image(found[0], path, in_primary=not found[0].start)
    shape, bitpix = found[0].shape, found[0].header["BITPIX"]
    if len(shape) != DIMENSIONS or 0 in shape:
        axes = " × ".join(map(str, shape[::-1])) or "no"
        raise InputError(f"has {axes} pixels, expected columns × rows", file=subject, remedy=remedy)
    if bitpix > 0 and not np.isin(("BSCALE", "BZERO"), list(found[0].header)).any():
        raise InputError(
            "holds integers", file=subject, keyword="BITPIX", value=bitpix, remedy=remedy
        )
    return hdus, found[0]
