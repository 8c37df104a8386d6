"""
Simulated images to measure time with: speckles, a mask, and whole exposures of them.

Run as ``scenes.py FOLDER INTEGRATIONS PSFS ROWS COLUMNS`` it writes the files of a job.
"""

import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float64]
Cube = NDArray[np.float64]

SCIENCE = "jw09998001001_02102_00001_nrcalong_calints.fits"
PSFS = "jw09998-a3001_t001_nircam_psfstack.fits"
PSFMASK = "psfmask_nircam_f335m_maska335r.fits"
BLUR = 0.8  # pixels, sigma of the speckles, which is λ/D = 1.7 pixels or so
HALO = 25.0  # pixels, radius in which most of the light is
OCCULTER = 8.0  # pixels, sigma of the hole in the mask
NOISE = 1e-3  # of the brightest pixel
JITTER = 0.3  # pixels, standard deviation of positions
BAD = 0.003  # share of flagged pixels
ROLL, AREA = 30.0, 0.0039  # degrees; arcsec², of a pixel
SELECTORS = {"INSTRUME": "NIRCAM", "FILTER": "F335M", "CORONMSK": "MASKA335R"}
KEYWORDS = {
    "TELESCOP": "JWST",
    **SELECTORS,
    "SUBARRAY": "SUB320A335R",
    "DETECTOR": "NRCALONG",
    "EXP_TYPE": "NRC_CORON",
    "DATE-OBS": "2023-06-01",
    "TIME-OBS": "12:00:00.000",
}


def speckles(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a star's speckles, smooth enough to be shifted exactly, with a peak of 1."""
    y, x = (np.arange(size) - size // 2 for size in shape)
    radius = np.hypot(x, y[:, None])
    field = ndimage.gaussian_filter(rng.normal(size=(2, *shape)), (0, BLUR, BLUR), mode="wrap")
    image = np.sum(field**2, axis=0) / (1 + (radius / HALO) ** 3)
    return np.asarray(image / image.max())


def occulter(shape: tuple[int, int]) -> Image:
    """Return a mask in which 1 means use: 0 in the centre, 1 outside."""
    y, x = (np.arange(size) - size // 2 for size in shape)
    return np.asarray(1 - np.exp(-((x**2 + y[:, None] ** 2) / (2 * OCCULTER**2))))


def observe(star: Image, n_images: int, flux: float, rng: np.random.Generator) -> Cube:
    """Return noisy images of a star, each moved a little."""
    spectrum = np.fft.fft2(star)
    offsets = rng.normal(0.0, JITTER, (n_images, 2))
    moved = np.stack([np.fft.ifft2(ndimage.fourier_shift(spectrum, d)).real for d in offsets])
    return np.asarray(flux * moved + rng.normal(0.0, NOISE, moved.shape))


def write_job(folder: Path, n_integrations: int, n_psfs: int, shape: tuple[int, int]) -> None:
    """Write a science exposure, a stack of psf images and a mask."""
    rng = np.random.default_rng(1)
    star = speckles(shape, rng)
    _write(folder / SCIENCE, _exposure(observe(star, n_integrations, 1.0, rng), rng))
    _write(folder / PSFS, _exposure(observe(star, n_psfs, 1.5, rng), rng))
    card = fits.Header({"REFTYPE": "PSFMASK", "USEAFTER": "2022-07-01T00:00:00"})
    mask = [fits.ImageHDU(occulter(shape).astype(np.float32), name="SCI")]
    _write(folder / PSFMASK, mask, **card, DATAMODL="PsfMaskModel")


def _exposure(images: Cube, rng: np.random.Generator) -> list[fits.ImageHDU]:
    bad = rng.random(images.shape[1:]) < BAD
    flags = np.broadcast_to(bad, images.shape).astype(np.uint32)
    errors = np.full(images.shape, NOISE, dtype=np.float32)
    arrays = {"SCI": np.where(bad, 100.0, images).astype(np.float32), "ERR": errors, "DQ": flags}
    hdus = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    rows, columns = images.shape[1:]
    place = {"CRPIX1": columns // 2 + 1, "CRPIX2": rows // 2 + 1, "PA_APER": ROLL, "PIXAR_A2": AREA}
    hdus[0].header.update(place)
    return hdus


def _write(path: Path, hdus: list[fits.ImageHDU], **cards: object) -> None:
    primary = fits.PrimaryHDU(header=fits.Header({**KEYWORDS, "DATAMODL": "CubeModel", **cards}))
    primary.header["FILENAME"] = path.name
    fits.HDUList([primary, *hdus]).writeto(path)


if __name__ == "__main__":
    target, *numbers = sys.argv[1:]
    integrations, psfs, rows, columns = map(int, numbers)
    write_job(Path(target), integrations, psfs, (rows, columns))
