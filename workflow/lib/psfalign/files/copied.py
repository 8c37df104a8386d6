"""Write a copy of an exposure with some of its images replaced."""

from collections.abc import Mapping

import numpy as np
from astropy.io.fits import Header

from .exposure import Exposure
from .fits.writer import FitsWriter, ImageWriter
from .provenance.table import is_provenance

DOUBLE = -64  # BITPIX


def copy_exposure(
    exposure: Exposure, writer: FitsWriter, primary: Header, replaced: Mapping[str, Header]
) -> dict[str, ImageWriter]:
    """
    Copy all HDUs except some images and the table PROVENANCE.

    Parameters
    ----------
    exposure, writer
        The file to copy, and the file to write.
    primary
        The header of the first HDU.
    replaced
        The images among SCI, ERR and DQ that are not copied, with additional cards for each.

    Returns
    -------
    dict
        The images that are to be written, at their former position or at the end.
    """
    images: dict[str, ImageWriter] = {}
    with open(exposure.path, "rb") as source:
        for hdu in exposure.hdus:
            if hdu.start == 0:
                source.seek(hdu.data_start)
                writer.add(primary, source.read(hdu.data_size))
            elif hdu.name in replaced:
                images[hdu.name] = _reserve(exposure, writer, hdu.header, replaced[hdu.name])
            elif not is_provenance(hdu):
                writer.copy(source, hdu)
    for name in replaced:
        if name not in images:
            header = Header([("EXTNAME", name, "extension name")])
            images[name] = _reserve(exposure, writer, header, replaced[name])
    return images


def _reserve(exposure: Exposure, writer: FitsWriter, header: Header, cards: Header) -> ImageWriter:
    header = header.copy()
    header.update(cards)
    floats = np.float64 if header.get("BITPIX") == DOUBLE else np.float32
    kind = np.uint32 if header["EXTNAME"].strip().upper() == "DQ" else floats
    return writer.add_image(header, exposure.shape, kind)
