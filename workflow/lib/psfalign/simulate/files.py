"""Write simulated exposures and masks in the file formats of the JWST pipeline."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits

from ..images.arrays import Image
from .observations import Exposure, Mode
from .scene import Frames

DATE = "2023-06-01"
ARCSEC = 3600.0  # in a degree
STAR = (311.29, -31.34)  # degrees, right ascension and declination


def render_exposure(frames: Frames, exposure: Exposure, mode: Mode) -> bytes:
    """Return a CubeModel file of integrations: SCI and ERR in float32, DQ in uint32."""
    primary = _primary_hdu(mode, exposure.name, "CubeModel", _exposure_cards(exposure, mode))
    images, errors = (cube.astype(np.float32) for cube in (frames.images, frames.errors))
    return _render(
        primary,
        fits.ImageHDU(images, fits.Header(_science_cards(exposure, mode)), name="SCI"),
        fits.ImageHDU(errors, name="ERR"),
        fits.ImageHDU(frames.flags, name="DQ"),
    )


def render_mask(transmission: Image, mode: Mode) -> bytes:
    """Return a PsfMaskModel file of a psf mask."""
    cards = {
        "REFTYPE": "PSFMASK",
        "USEAFTER": "2022-07-01T00:00:00",
        "PEDIGREE": "DUMMY",
        "AUTHOR": "psfalign",
        "DESCRIP": "Transmission of the simulated occulter; 1 = use",
    }
    primary = _primary_hdu(mode, mode.psfmask, "PsfMaskModel", cards)
    return _render(primary, fits.ImageHDU(transmission.astype(np.float32), name="SCI"))


def render_truth(exposures: Mapping[str, Any], provenance: Sequence[Sequence[str]]) -> bytes:
    """Return the true shifts and flux ratios of all exposures, and their provenance, as JSON."""
    content = {"exposures": exposures, "provenance": provenance}
    text = json.dumps(content, indent=1, sort_keys=True)
    return f"{text}\n".encode()


def _exposure_cards(exposure: Exposure, mode: Mode) -> dict[str, Any]:
    is_psf = exposure.name.endswith("_psfstack.fits")
    return {
        **mode.keywords,
        "PROGRAM": "09999",
        "TARGPROP": "DEMO-REFERENCE" if is_psf else "DEMO-STAR",
        "DATE-OBS": DATE,
        "TIME-OBS": f"{exposure.time}:00.000",
        "IS_PSF": is_psf,
        "NINTS": len(exposure.steps),
        "NGROUPS": 10,
        "CAL_VER": "simulated",
        "XOFFSET": 0.0,
        "YOFFSET": 0.0,
    }


def _science_cards(exposure: Exposure, mode: Mode) -> dict[str, Any]:
    sine, cosine = np.sin(np.deg2rad(exposure.roll)), np.cos(np.deg2rad(exposure.roll))
    side = mode.pixel / ARCSEC  # degrees
    return {
        "BUNIT": "MJy/sr",
        "PIXAR_SR": np.deg2rad(side) ** 2,
        "PIXAR_A2": mode.pixel**2,
        "CRPIX1": mode.shape[1] // 2 + 1.0 + exposure.centre[0],
        "CRPIX2": mode.shape[0] // 2 + 1.0 + exposure.centre[1],
        "CRVAL1": STAR[0],
        "CRVAL2": STAR[1],
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CD1_1": -cosine * side,
        "CD1_2": sine * side,
        "CD2_1": sine * side,
        "CD2_2": cosine * side,
        "VPARITY": -1,
        "V3I_YANG": mode.yang,
        "ROLL_REF": exposure.roll - mode.yang,
        "PA_APER": exposure.roll,
    }


def _primary_hdu(mode: Mode, name: str, model: str, cards: Mapping[str, Any]) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    common = {"ORIGIN": "simulated by psfalign", "TELESCOP": "JWST", "FILENAME": name}
    hdu.header.update({**common, "DATAMODL": model, **mode.selectors, **cards})
    return hdu


def _render(*hdus: fits.PrimaryHDU | fits.ImageHDU) -> bytes:
    for hdu in hdus:
        hdu.add_checksum(when="")  # without "when", the comments of the checksums contain the date
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer, checksum=False)
    return buffer.getvalue()
