"""Steps clean_science and clean_psfs: copy an exposure with bad pixels replaced."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..files.copied import copy_exposure
from ..files.digest import sha256
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.fits.writer import FitsWriter, set_text
from ..files.provenance.records import record_step
from ..files.provenance.table import provenance_hdu, read_records
from ..images.arrays import Flags
from ..images.bad_pixels import CleanImage, check_box, clean_image
from ..images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from ..images.pixel_errors import CleanError, clean_error
from ..system.atomic_file import publishing

COUNTS = {
    "NREPLACE": "bad pixels whose value was replaced",
    "NGROWN": "of them, those that needed a larger box",
    "NZEROED": "of them, those set to 0 off the science area",
    "NERRFILL": "good pixels whose error was unknown or absurd",
    "NNOERR": "integrations without any error that is known",
}
STEP = "clean"
CLEANED = "CLEANVER"  # keyword of all cleaned exposures


@dataclass
class CleaningCounts:
    """The numbers of `COUNTS`, in their order."""

    n_replaced: int = 0
    n_grown: int = 0
    n_zeroed: int = 0
    n_errors_filled: int = 0
    n_without_errors: int = 0

    def add(self, cleaned: CleanImage, errors: CleanError) -> None:
        """Count one integration."""
        n_replaced = int(np.count_nonzero(cleaned.replaced))
        self.n_replaced += n_replaced
        self.n_grown += cleaned.n_grown
        self.n_zeroed += cleaned.n_zeroed
        self.n_errors_filled += errors.n_filled
        self.n_without_errors += n_replaced < cleaned.image.size and errors.are_unknown


def clean_exposure(
    source: Path, output: Path, *, median_box_length: int = 3, bad_bits: int = 1
) -> CleaningCounts:
    """
    Replace the bad pixels of all integrations of an exposure or a psfstack.

    The output has the HDUs of the source. SCI holds the cleaned images. In DQ, replaced pixels get
    the flag FLUX_ESTIMATED in addition to those that they have. If an integration has no good
    pixel, its pixels stay NaN and get DO_NOT_USE. ERR, if the source has it, is completed by
    `psfalign.images.pixel_errors.clean_error`. Everything else is copied, and the table PROVENANCE
    is appended, with the records of the source if it has some.

    Parameters
    ----------
    source, output
        The file to clean and the file to write.
    median_box_length
        Side in pixels of the box whose median replaces a bad pixel.
    bad_bits
        DQ flags that make a pixel bad.

    Returns
    -------
    CleaningCounts
        How many pixels were replaced, over all integrations.

    Raises
    ------
    InputError
        If the source is damaged or does not hold an exposure.
    ConfigError
        If the box includes no neighbours or is larger than the image.
    """
    exposure = Exposure(source)
    for card in exposure.unreadable:
        sys.stderr.write(f"psfalign: warning: {source}{card} cannot be read; kept as it is\n")
    check_box(median_box_length, exposure.shape[1:])
    # Leaving `exposure` raises an error if the source has changed: nothing is published then.
    with publishing(output) as stream, exposure:
        writer = FitsWriter(stream)
        digest = sha256(source)
        counted = Header([(keyword, 0, comment) for keyword, comment in COUNTS.items()])
        primary = _primary(exposure.primary, exposure, digest)
        written = {"SCI": counted, "DQ": Header()}
        if exposure.error is not None:
            written["ERR"] = Header()
        images = copy_exposure(exposure, writer, primary, written)
        counts = CleaningCounts()
        settings: dict[str, Any] = {
            "median_box_length": median_box_length,
            "bad_bits": bad_bits,
            "zero_non_science": text_of(exposure.primary, "INSTRUME").upper() == "MIRI",
        }
        made = record_step(STEP, __file__, inputs=[(source.name, digest)], parameters=settings)
        writer.add(*provenance_hdu([*read_records(source, exposure.hdus), *made]))
        for i in range(len(exposure)):
            flags = exposure.read_dq(i)
            cleaned = clean_image(exposure.read_science(i), flags, **settings)
            errors = clean_error(exposure.read_error(i), cleaned)
            counts.add(cleaned, errors)
            images["SCI"].write(i, cleaned.image)
            images["DQ"].write(i, flag_replaced(cleaned, flags))
            if "ERR" in images:
                images["ERR"].write(i, errors.error)
        for keyword, count in zip(COUNTS, vars(counts).values(), strict=True):
            images["SCI"].set(keyword, count)
        writer.finish()
    return counts


def flag_replaced(cleaned: CleanImage, flags: Flags) -> Flags:
    """Return flags with FLUX_ESTIMATED in replaced pixels, or DO_NOT_USE where they are NaN."""
    flagged, replaced = flags.copy(), cleaned.replaced
    is_filled = np.isfinite(cleaned.image[replaced])
    flagged[replaced] |= np.where(is_filled, np.uint32(FLUX_ESTIMATED), np.uint32(DO_NOT_USE))
    return flagged


def _primary(header: Header, exposure: Exposure, digest: str) -> Header:
    primary = header.copy()
    unprotected = ", ".join(exposure.unprotected)
    checked = f"none in {unprotected}" if unprotected else "verified"
    set_text(primary, "RAWFILE", exposure.path.name, "file that was cleaned")
    set_text(primary, "RAWSHA", digest, "its SHA-256")
    set_text(primary, "RAWCHECK", checked, "its FITS checksums")
    set_text(primary, CLEANED, f"psfalign {__version__}", "software that cleaned it")
    return primary
