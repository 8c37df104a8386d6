"""
Simulate images of stars behind a coronagraph, and the transmission of the coronagraph.

Import this module only to make images: poppy takes seconds to import.
"""

import logging

import numpy as np
import poppy
from astropy import units
from scipy import ndimage, special

from ..images.arrays import Image
from .observations import Mode

# Dimensions of the telescope in metres, rounded: hexagons from flat to flat, radius of the
# secondary mirror, and width of its struts, which are placed as in poppy's JWST-like example. The
# Lyot stop covers all edges.
SEGMENT, SECONDARY, STRUT = 1.32, 0.4, 0.1
LYOT_SEGMENT, LYOT_SECONDARY, LYOT_STRUT = 1.1, 0.6, 0.4
GAP, STRUT_ANGLES = 0.007, (0, 150, 210)  # metres between hexagons; degrees
WAVEFRONT_ERROR = 75e-9  # m rms; 60 to 80 nm in flight (jwst-docs, Optics Performance)
WAVEFRONT_INDEX = 2.0  # slope of its power spectrum; a smaller one makes more distant speckles
BOUNDARY = 0.2  # arcsec from a phase boundary to half transmission, as in flight masks
PUPIL_SAMPLES = 256  # per axis of the array around the pupil, and of the uncropped image
SPREAD = (0.25, 0.5, 0.25)  # diffusion of charge along an axis; its transform is 0 at Nyquist


def optical_images(mode: Mode, rng: np.random.Generator) -> tuple[Image, Image]:
    """
    Propagate the light of a star to the detector.

    Parameters
    ----------
    mode
        The coronagraph, its filter and its detector.
    rng
        Generator of the wavefront error.

    Returns
    -------
    star, point : (rows, columns) float64
        Images of a star behind the occulter, and of one far from it. Both are centred on pixel
        (rows // 2, columns // 2) and have a peak of 1. They have no Nyquist terms, so that
        successive Fourier shifts add up exactly.
    """
    _configure_poppy()
    screen = int(rng.integers(2**31))
    middle = mode.wavelengths[len(mode.wavelengths) // 2]
    star = np.sum([_propagate(mode, w, screen, occulted=True) for w in mode.wavelengths], axis=0)
    return _diffuse(star), _diffuse(_propagate(mode, middle, screen, occulted=False))


def transmission(mode: Mode) -> Image:
    """
    Return the transmission of the occulter, which is the psf mask with 1 for use.

    For a band-limited occulter it is (1 - (2 J1(r) / r)²)², with the radius r in units of 1/sigma.
    For a four-quadrant mask it is the product of 1 - 2^-(d / `BOUNDARY`)² for the distances d from
    both phase boundaries.
    """
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


def _configure_poppy() -> None:
    """Silence poppy, and select the FFTs that give the same bits on every machine."""
    logging.getLogger("poppy").setLevel(logging.ERROR)
    for accelerator in ("fftw", "mkl", "opencl", "cupy", "numexpr"):
        setattr(poppy.conf, f"use_{accelerator}", False)
    poppy.accel_math.update_math_settings()


def _propagate(mode: Mode, wavelength: float, screen: int, *, occulted: bool) -> Image:
    # With an array of this width around the pupil, the FFT samples the image in detector pixels.
    width = wavelength / np.deg2rad(mode.pixel / 3600) * units.m
    wave = poppy.Wavefront(
        wavelength=wavelength * units.m, npix=PUPIL_SAMPLES, diam=width, oversample=1
    )
    for element in _elements(mode, screen, occulted=occulted):
        wave.propagate_to(element)
        wave *= element
    y, x = (PUPIL_SAMPLES // 2 - size // 2 for size in mode.shape)
    return np.asarray(wave.intensity[y : y + mode.shape[0], x : x + mode.shape[1]])


def _diffuse(image: Image) -> Image:
    for axis in (0, 1):
        image = np.asarray(ndimage.convolve1d(image, SPREAD, axis=axis, mode="wrap"))
    return np.asarray(image / image.max())


def _elements(mode: Mode, screen: int, *, occulted: bool) -> list[poppy.OpticalElement]:
    error = WAVEFRONT_ERROR * units.m
    return [
        *_pupil(mode, segment=SEGMENT, secondary=SECONDARY, strut=STRUT),
        poppy.StatisticalPSDWFE(index=WAVEFRONT_INDEX, wfe=error, seed=screen),
        *(_occulter(mode) if occulted else []),
        *_pupil(mode, segment=LYOT_SEGMENT, secondary=LYOT_SECONDARY, strut=LYOT_STRUT),
        poppy.ScalarTransmission(planetype=poppy.poppy_core.PlaneType.image),
    ]


def _pupil(
    mode: Mode, *, segment: float, secondary: float, strut: float
) -> list[poppy.OpticalElement]:
    size, gap = segment * units.m, (SEGMENT + GAP - segment) * units.m
    obscuration = poppy.AsymmetricSecondaryObscuration(
        secondary_radius=secondary * units.m,
        support_width=strut * units.m,
        support_angle=STRUT_ANGLES,
        rotation=mode.rotation,
    )
    hexagons = poppy.MultiHexagonAperture(flattoflat=size, gap=gap, rings=2, rotation=mode.rotation)
    return [hexagons, obscuration]


def _occulter(mode: Mode) -> list[poppy.OpticalElement]:
    if mode.sigma is not None:
        return [poppy.BandLimitedCoronagraph(kind="circular", sigma=mode.sigma)]
    design = float(np.mean(mode.wavelengths)) * units.m
    return [
        poppy.FQPM_FFT_aligner(direction="forward"),
        poppy.IdealFQPM(wavelength=design, rotation=mode.rotation),
        poppy.FQPM_FFT_aligner(direction="backward"),
    ]
