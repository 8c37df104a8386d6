"""The demo campaign: simulated exposures with known truth."""

import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage, special

from psfalign.publish import publish_bytes

Image = NDArray[np.float64]
Cube = NDArray[np.float64]
Flags = NDArray[np.uint32]
Offsets = NDArray[np.float64]  # (dx, dy) in pixels along the last axis, to higher column and row

# The telescope in metres, rounded: hexagons from flat to flat, radius of the secondary mirror,
# width of its struts, where poppy's own JWST-like example has them. The Lyot stop hides all edges.
SEGMENT, SECONDARY, STRUT = 1.32, 0.4, 0.1
LYOT_SEGMENT, LYOT_SECONDARY, LYOT_STRUT = 1.1, 0.6, 0.4
GAP, STRUT_ANGLES = 0.007, (0, 150, 210)  # between hexagons; degrees
WAVEFRONT_ERROR = 75e-9  # m rms; 60 to 80 nm in flight (jwst-docs, Optics Performance)
WAVEFRONT_INDEX = 2.0  # slope of its power spectrum; a flatter one puts more speckles far out
MASKA335R_SIGMA = 3.2927866  # 1/arcsec, as in WebbPSF
BOUNDARY = 0.2  # arcsec from a phase boundary to half transmission, about that of flight masks
PUPIL_SAMPLES = 256  # per axis of the array around the pupil, and of the image before it is cut

DATE = "2023-06-01"
GAIN = 300.0  # electrons per MJy/sr in one integration
READ_NOISE = 5.0  # electrons
JITTER = 0.02  # pixels, standard deviation per axis and integration
DITHER = 0.3  # pixels, one step of a small grid: 19 mas with NIRCam, 33 mas with MIRI
GRID = [(i, j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
CROSS = [(0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)]
STARE = [(0, 0)]

DO_NOT_USE, JUMP_DET, NON_SCIENCE = 1, 4, 512  # bits of the JWST DQ array
BAD_FRACTION = 0.003  # of the pixels are flagged and hold garbage
GARBAGE = 300.0  # MJy/sr, its standard deviation
N_FLAGGED_NAN, N_UNFLAGGED_NAN, N_JUMPS = 4, 3, 6  # pixels


@dataclass(frozen=True)
class Mode:
    """A coronagraph with a filter, and its detector."""

    selectors: Mapping[str, str]  # keywords that choose a psf mask
    keywords: Mapping[str, str]
    psfmask: str
    wavelengths: tuple[float, ...]  # m, across the filter's band
    pixel: float  # arcsec
    shape: tuple[int, int]  # rows, columns
    background: float  # MJy/sr, subtracted; its photon noise remains
    sigma: float | None = None  # 1/arcsec, of a band-limited occulter; None: four-quadrant mask
    rotation: float = 0.0  # degrees, of telescope and coronagraph on the detector
    blind_columns: int = 0  # at the right edge, where no sky is seen

    @property
    def blind(self) -> NDArray[np.bool_]:
        """The pixels that see no sky."""
        columns = np.arange(self.shape[1]) >= self.shape[1] - self.blind_columns
        return np.broadcast_to(columns, self.shape)


@dataclass(frozen=True)
class Exposure:
    """A star, in one or several integrations."""

    name: str
    time: str  # UTC, hours and minutes
    roll: float  # degrees, position angle of the detector's columns
    flux: float  # MJy/sr, of the brightest pixel of the coronagraphic image
    centre: tuple[float, float]  # (dx, dy) in pixels from the occulter, where acquisition put it
    steps: Sequence[tuple[int, int]]  # of the dither, one per integration


@dataclass(frozen=True)
class Observation:
    """An association candidate: a star with a planet, and the psfs for it."""

    asn_id: str
    mode: Mode
    sciences: tuple[Exposure, ...]
    psfs: Exposure
    separation: float  # arcsec, of the planet
    angle: float  # degrees, its position angle
    flux: float  # MJy/sr, of its brightest pixel


NIRCAM = Mode(
    {"INSTRUME": "NIRCAM", "FILTER": "F335M", "CORONMSK": "MASKA335R", "SUBARRAY": "SUB320A335R"},
    {"DETECTOR": "NRCALONG", "PUPIL": "MASKRND", "EXP_TYPE": "NRC_CORON"},
    psfmask="psfmask_nircam_f335m_maska335r.fits",
    wavelengths=(3.24e-6, 3.36e-6, 3.48e-6),
    pixel=0.063,
    shape=(96, 96),
    background=0.2,
    sigma=MASKA335R_SIGMA,
)
MIRI = Mode(
    {"INSTRUME": "MIRI", "FILTER": "F1065C", "CORONMSK": "4QPM_1065", "SUBARRAY": "MASK1065"},
    {"DETECTOR": "MIRIMAGE", "EXP_TYPE": "MIR_4QPM"},
    psfmask="psfmask_miri_f1065c_4qpm_1065.fits",
    wavelengths=(10.35e-6, 10.575e-6, 10.8e-6),
    pixel=0.11,
    shape=(90, 96),
    background=3.0,
    rotation=-4.5,
    blind_columns=4,
)
ROLL_1 = "jw09999001001_02102_00001_nrcalong_calints.fits"
ROLL_2 = "jw09999002001_02102_00001_nrcalong_calints.fits"
NIRCAM_PSFS = "jw09999-a3001_t001_nircam_f335m-maska335r_psfstack.fits"
MIRI_ROLL = "jw09999003001_04101_00001_mirimage_calints.fits"
MIRI_PSFS = "jw09999-a3002_t002_miri_f1065c-4qpm_1065_psfstack.fits"

# The planets stand clear of the noise, but next to a star sixty times as bright and more, with
# hundreds of speckles to fit, they move a shift by less than its uncertainty.
CAMPAIGN = (
    Observation(
        "a3001",
        NIRCAM,
        (
            Exposure(ROLL_1, "12:00", roll=63.0, flux=300.0, centre=(0.31, -0.22), steps=STARE * 4),
            Exposure(ROLL_2, "12:40", roll=73.0, flux=300.0, centre=(-0.18, 0.37), steps=STARE * 4),
        ),
        Exposure(NIRCAM_PSFS, "13:20", roll=68.0, flux=480.0, centre=(0.9, -0.6), steps=GRID),
        separation=1.3,
        angle=20.0,
        flux=1.5,
    ),
    Observation(
        "a3002",
        MIRI,
        (Exposure(MIRI_ROLL, "15:00", roll=70.0, flux=60.0, centre=(0.24, 0.15), steps=STARE * 3),),
        Exposure(MIRI_PSFS, "16:00", roll=70.0, flux=84.0, centre=(-0.7, 0.8), steps=CROSS),
        separation=2.6,
        angle=120.0,
        flux=1.0,
    ),
)
TRUTH = "truth.json"
MASKS = (NIRCAM.psfmask, MIRI.psfmask)
FILES: tuple[str, ...] = (ROLL_1, ROLL_2, NIRCAM_PSFS, MIRI_ROLL, MIRI_PSFS, *MASKS, TRUTH)


def simulate_campaign(folder: Path, *, seed: int = 9999) -> None:
    """
    Write the demo campaign: science exposures, psf stacks, psf masks and the truth.

    Two rolls of a star with NIRCam and one exposure of another with MIRI, each with a planet, a
    stack of psfs and a mask in which 1 means use. All images of a star are exact Fourier shifts
    of one image, so shifts and flux ratios are known; noise and bad pixels come on top.

    Parameters
    ----------
    folder
        Where to write `FILES`; made if absent.
    seed
        Of all random numbers, at least 0. The same seed gives the same bytes.
    """
    truth = {}
    for observation in CAMPAIGN:
        mode, psfs = observation.mode, observation.psfs
        star, point = _optical_images(mode, seed)
        _write(folder / psfs.name, _exposure_hdus(mode, psfs, _stars(psfs, star, seed), seed))
        for science in observation.sciences:
            scene = _stars(science, star, seed) + _planets(science, observation, point, seed)
            _write(folder / science.name, _exposure_hdus(mode, science, scene, seed))
            root = science.name.removesuffix("_calints.fits")
            truth[f"{root}_{observation.asn_id}"] = _truth(science, observation, seed)
        _write(folder / mode.psfmask, _mask_hdus(mode))
    text = json.dumps({"exposures": truth}, indent=1, sort_keys=True)
    publish_bytes(folder / TRUTH, f"{text}\n".encode())


def _truth(science: Exposure, observation: Observation, seed: int) -> dict[str, Any]:
    u, t = _positions(science, seed), _positions(observation.psfs, seed)
    shifts = t[None, :, :] - u[:, None, :]
    beta = np.full(shifts.shape[:2], observation.psfs.flux / science.flux)
    names = {"psfstack": observation.psfs.name, "psfmask": observation.mode.psfmask}
    dx, dy = shifts[..., 0], shifts[..., 1]
    return {**names, "dx": dx.tolist(), "dy": dy.tolist(), "beta": beta.tolist()}


def _generator(seed: int, name: str) -> np.random.Generator:
    """Give every name a stream of its own: a file more or less changes no other one."""
    return np.random.default_rng([seed, *name.encode()])


def _positions(exposure: Exposure, seed: int) -> Offsets:
    nominal = np.add(exposure.centre, DITHER * np.array(exposure.steps))
    jitter = _generator(seed, f"jitter {exposure.name}").normal(0.0, JITTER, nominal.shape)
    return np.asarray(nominal + jitter)


def _stars(exposure: Exposure, star: Image, seed: int) -> Cube:
    return np.stack([exposure.flux * _shift(star, d) for d in _positions(exposure, seed)])


def _planets(science: Exposure, observation: Observation, point: Image, seed: int) -> Cube:
    angle = np.deg2rad(observation.angle - science.roll)  # from up to the left, where east is
    radius = observation.separation / observation.mode.pixel
    positions = _positions(science, seed) + radius * np.array([-np.sin(angle), np.cos(angle)])
    return np.stack([observation.flux * _shift(point, d) for d in positions])


def _shift(image: Image, offset: Offsets) -> Image:
    dx, dy = offset
    return np.asarray(np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(image), (dy, dx))).real)


def _optical_images(mode: Mode, seed: int) -> tuple[Image, Image]:
    """Return a star behind the occulter and one far beside it, both centred, with a peak of 1."""
    screen = int(_generator(seed, f"wavefront {mode.psfmask}").integers(2**31))
    middle = mode.wavelengths[len(mode.wavelengths) // 2]
    star = np.sum([_propagate(mode, w, screen, occulted=True) for w in mode.wavelengths], axis=0)
    return _diffuse(star), _diffuse(_propagate(mode, middle, screen, occulted=False))


def _diffuse(image: Image) -> Image:
    """Spread charge to neighbours; without the Nyquist terms, shifts then add up exactly."""
    for axis in (0, 1):
        image = np.asarray(ndimage.convolve1d(image, [0.25, 0.5, 0.25], axis=axis, mode="wrap"))
    return np.asarray(image / image.max())


def _propagate(mode: Mode, wavelength: float, screen: int, *, occulted: bool) -> Image:
    """Return the image of a star in the middle of pixel (rows // 2, columns // 2)."""
    poppy = _import_poppy()
    # In an array this wide around the pupil, an FFT gives the detector's pixels.
    width = wavelength / np.deg2rad(mode.pixel / 3600) * units.m
    wave = poppy.Wavefront(
        wavelength=wavelength * units.m, npix=PUPIL_SAMPLES, diam=width, oversample=1
    )
    for element in _optics(poppy, mode, screen, occulted=occulted):
        wave.propagate_to(element)
        wave *= element
    y, x = (PUPIL_SAMPLES // 2 - size // 2 for size in mode.shape)
    return np.asarray(wave.intensity[y : y + mode.shape[0], x : x + mode.shape[1]])


def _import_poppy() -> ModuleType:
    """Import poppy here, for it takes seconds; keep it quiet and to FFTs that always agree."""
    poppy = import_module("poppy")
    logging.getLogger("poppy").setLevel(logging.ERROR)
    for accelerator in ("fftw", "mkl", "opencl", "cupy", "numexpr"):
        setattr(poppy.conf, f"use_{accelerator}", False)
    poppy.accel_math.update_math_settings()
    return poppy


def _optics(poppy: ModuleType, mode: Mode, screen: int, *, occulted: bool) -> list[object]:
    error = WAVEFRONT_ERROR * units.m
    return [
        *_pupil(poppy, mode, SEGMENT, SECONDARY, STRUT),
        poppy.StatisticalPSDWFE(index=WAVEFRONT_INDEX, wfe=error, seed=screen),
        *(_occulter(poppy, mode) if occulted else []),
        *_pupil(poppy, mode, LYOT_SEGMENT, LYOT_SECONDARY, LYOT_STRUT),
        poppy.ScalarTransmission(planetype=poppy.poppy_core.PlaneType.image),
    ]


def _pupil(
    poppy: ModuleType, mode: Mode, segment: float, secondary: float, strut: float
) -> list[object]:
    size, gap = segment * units.m, (SEGMENT + GAP - segment) * units.m
    obscuration = poppy.AsymmetricSecondaryObscuration(
        secondary_radius=secondary * units.m,
        support_width=strut * units.m,
        support_angle=STRUT_ANGLES,
        rotation=mode.rotation,
    )
    hexagons = poppy.MultiHexagonAperture(flattoflat=size, gap=gap, rings=2, rotation=mode.rotation)
    return [hexagons, obscuration]


def _occulter(poppy: ModuleType, mode: Mode) -> list[object]:
    if mode.sigma is not None:
        return [poppy.BandLimitedCoronagraph(kind="circular", sigma=mode.sigma)]
    design = float(np.mean(mode.wavelengths)) * units.m
    return [
        poppy.FQPM_FFT_aligner(direction="forward"),
        poppy.IdealFQPM(wavelength=design, rotation=mode.rotation),
        poppy.FQPM_FFT_aligner(direction="backward"),
    ]


def _transmission(mode: Mode) -> Image:
    """Return the share of light that the occulter lets through: the psf mask, 1 for use."""
    y, x = ((np.arange(n) - n // 2) * mode.pixel for n in mode.shape)
    x, y = np.meshgrid(x, y)
    if mode.sigma is None:
        cos, sin = np.cos(np.deg2rad(mode.rotation)), np.sin(np.deg2rad(mode.rotation))
        arms = np.stack([x * cos + y * sin, y * cos - x * sin])
        light = np.prod(1 - 2 ** -((arms / BOUNDARY) ** 2), axis=0)
    else:
        r = np.maximum(mode.sigma * np.hypot(x, y), 1e-6)  # no division by 0 in the centre
        light = (1 - (2 * special.j1(r) / r) ** 2) ** 2
    return np.where(mode.blind, 0.0, light)


def _observe(scene: Cube, mode: Mode, rng: np.random.Generator) -> tuple[Cube, Cube]:
    """Add photon and read noise; return images and their standard deviations."""
    electrons = np.where(mode.blind, 0.0, (scene + mode.background) * GAIN)
    counts = rng.poisson(electrons) + rng.normal(0.0, READ_NOISE, scene.shape)
    sigma = np.sqrt(electrons + READ_NOISE**2)
    return counts / GAIN - mode.background, sigma / GAIN


def _bad_pixels(mode: Mode, seed: int) -> list[NDArray[np.int64]]:
    """Divide the detector: garbage, NaNs with and without a flag, good pixels; flat indices."""
    pixels = np.flatnonzero(~mode.blind)[1:]
    pixels = _generator(seed, f"bad pixels {mode.psfmask}").permutation(pixels)
    ends = np.cumsum([round(BAD_FRACTION * mode.blind.size), N_FLAGGED_NAN, N_UNFLAGGED_NAN])
    garbage, *others = np.split(pixels, ends)
    return [np.append(garbage, 0), *others]  # with the corner, where neighbours are few


def _spoil(
    images: Cube, errors: Cube, mode: Mode, seed: int, rng: np.random.Generator
) -> tuple[Cube, Cube, Flags]:
    garbage, flagged, unflagged, good = _bad_pixels(mode, seed)
    images, errors = (cube.reshape(len(cube), -1).copy() for cube in (images, errors))
    images[:, garbage] = rng.normal(0.0, GARBAGE, (len(images), garbage.size))
    flags = np.zeros(images.shape, dtype=np.uint32)
    flags[:, mode.blind.ravel()] = DO_NOT_USE | NON_SCIENCE
    flags[:, np.append(garbage, flagged)] = DO_NOT_USE
    for plane in flags:
        plane[rng.choice(good, N_JUMPS, replace=False)] = JUMP_DET
    for planes in (images, errors):
        planes[:, np.append(flagged, unflagged)] = np.nan
    shape = (-1, *mode.shape)
    return images.reshape(shape), errors.reshape(shape), flags.reshape(shape)


def _exposure_hdus(mode: Mode, exposure: Exposure, scene: Cube, seed: int) -> fits.HDUList:
    rng = _generator(seed, f"noise {exposure.name}")
    images, errors, flags = _spoil(*_observe(scene, mode, rng), mode, seed, rng)
    is_psf = exposure.name.endswith("_psfstack.fits")
    primary = {
        **mode.keywords,
        "PROGRAM": "09999",
        "TARGPROP": "DEMO-REFERENCE" if is_psf else "DEMO-STAR",
        "DATE-OBS": DATE,
        "TIME-OBS": f"{exposure.time}:00.000",
        "IS_PSF": is_psf,
        "NINTS": len(scene),
        "NGROUPS": 10,
        "CAL_VER": "simulated",
    }
    science = {
        "BUNIT": "MJy/sr",
        "PIXAR_SR": np.deg2rad(mode.pixel / 3600) ** 2,
        "CRPIX1": mode.shape[1] // 2 + 1.0,
        "CRPIX2": mode.shape[0] // 2 + 1.0,
        "PA_APER": exposure.roll,
    }
    return fits.HDUList(
        [
            _primary_hdu(mode, exposure.name, "CubeModel", primary),
            fits.ImageHDU(images.astype(np.float32), fits.Header(science), name="SCI"),
            fits.ImageHDU(errors.astype(np.float32), name="ERR"),
            fits.ImageHDU(flags, name="DQ"),
        ]
    )


def _mask_hdus(mode: Mode) -> fits.HDUList:
    primary = {
        "REFTYPE": "PSFMASK",
        "USEAFTER": "2022-07-01T00:00:00",
        "PEDIGREE": "DUMMY",
        "AUTHOR": "psfalign",
        "DESCRIP": "Transmission of the simulated occulter; 1 = use",
    }
    mask = fits.ImageHDU(_transmission(mode).astype(np.float32), name="SCI")
    return fits.HDUList([_primary_hdu(mode, mode.psfmask, "PsfMaskModel", primary), mask])


def _primary_hdu(mode: Mode, name: str, model: str, cards: Mapping[str, Any]) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    common = {"ORIGIN": "simulated by psfalign", "TELESCOP": "JWST", "FILENAME": name}
    hdu.header.update({**common, "DATAMODL": model, **mode.selectors, **cards})
    return hdu


def _write(path: Path, hdus: fits.HDUList) -> None:
    for hdu in hdus:
        hdu.add_checksum(when="")  # without it, a card's comment holds today's date
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=False)
    publish_bytes(path, buffer.getvalue())
