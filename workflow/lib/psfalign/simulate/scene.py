"""Simulate the sky on the detector, observe it, and compute the true shifts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Cube, Flags, Image
from ..images.dq_flags import DO_NOT_USE, FLAGS, NON_SCIENCE
from ..images.fourier import Shift, shift_image
from .observations import Disk, Exposure, Mode, Observation

GAIN = 300.0  # electrons per MJy/sr in one integration
READ_NOISE = 5.0  # electrons
JITTER = 0.02  # pixels, standard deviation per axis and integration
DITHER = 0.3  # pixels, one step of a small grid: 19 mas with NIRCam, 33 mas with MIRI
RING_POINTS = 120  # points of a disk, which are closer to each other than a pixel
JUMP_DET = FLAGS["JUMP_DET"]
BAD_FRACTION = 0.003  # share of pixels that are flagged and have random values
GARBAGE = 300.0  # MJy/sr, standard deviation of these values
N_FLAGGED_NAN, N_UNFLAGGED_NAN, N_JUMPS = 4, 3, 6  # pixels

Offsets = NDArray[np.float64]  # (integrations, 2), each (dx, dy) in pixels


@dataclass(frozen=True)
class Frames:
    """
    The integrations of an exposure as a pipeline delivers them.

    Attributes
    ----------
    images, errors : (integrations, rows, columns) float64
        In MJy/sr; the errors are standard deviations.
    flags : (integrations, rows, columns) uint32
        JWST data quality flags.
    """

    images: Cube
    errors: Cube
    flags: Flags


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Return a random generator for a name, so that one file does not depend on the others."""
    return np.random.default_rng([seed, *name.encode()])


def draw_scene(
    exposure: Exposure, observation: Observation, star: Image, point: Image, *, seed: int
) -> Cube:
    """Return the noiseless sky in MJy/sr: the star and, in science exposures, planet and disk."""
    scene = draw_stars(exposure, star, seed=seed)
    if exposure is observation.psfs:
        return scene
    scene += draw_planets(exposure, observation, point, seed=seed)
    if observation.disk is not None:
        scene += draw_disks(exposure, observation, observation.disk, point, seed=seed)
    return scene


def draw_stars(exposure: Exposure, star: Image, *, seed: int) -> Cube:
    """Shift the image of the star to its position in each integration."""
    return exposure.flux * _shifted(star, star_positions(exposure, seed=seed))


def draw_planets(science: Exposure, observation: Observation, point: Image, *, seed: int) -> Cube:
    """Shift the image of a point source to the position of the planet in each integration."""
    from_star = _from_star(science, observation, observation.separation, observation.angle)
    return observation.flux * _shifted(point, star_positions(science, seed=seed) + from_star)


def draw_disks(
    science: Exposure, observation: Observation, disk: Disk, point: Image, *, seed: int
) -> Cube:
    """Add images of points along the ring, and shift the sum to the star of each integration."""
    phase = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    along, across = np.cos(phase), np.sin(phase) * np.cos(np.deg2rad(disk.inclination))
    separation = disk.radius * np.hypot(along, across)
    angle = disk.angle + np.rad2deg(np.arctan2(across, along))
    ring = _shifted(point, _from_star(science, observation, separation, angle)).sum(axis=0)
    return disk.flux / ring.max() * _shifted(ring, star_positions(science, seed=seed))


def _from_star(
    science: Exposure,
    observation: Observation,
    separation: float | NDArray[np.float64],
    position_angle: float | NDArray[np.float64],
) -> Offsets:
    """Return (dx, dy) in pixels from the star to positions on the sky, in arcsec and degrees."""
    angle = np.deg2rad(position_angle - science.roll)  # from up towards left, which is east
    radius = separation / observation.mode.pixel
    return np.stack([-np.sin(angle) * radius, np.cos(angle) * radius], axis=-1)


def star_positions(exposure: Exposure, *, seed: int) -> Offsets:
    """Return (dx, dy), the position of the star minus that of the occulter, in pixels."""
    nominal = np.add(exposure.centre, DITHER * np.array(exposure.steps))
    jitter = random_stream(seed, f"jitter {exposure.name}").normal(0.0, JITTER, nominal.shape)
    return np.asarray(nominal + jitter)


def true_shifts(science: Exposure, observation: Observation, *, seed: int) -> dict[str, Any]:
    """Return dx, dy and beta of all (integration, psf) pairs, and the names of psfs and mask."""
    ours = star_positions(science, seed=seed)
    theirs = star_positions(observation.psfs, seed=seed)
    dx, dy = np.moveaxis(theirs[None, :, :] - ours[:, None, :], -1, 0)
    beta = np.full(dx.shape, observation.psfs.flux / science.flux)
    names = {"psfstack": observation.psfs.name, "psfmask": observation.mode.psfmask}
    return {**names, "dx": dx.tolist(), "dy": dy.tolist(), "beta": beta.tolist()}


def expose(scene: Cube, exposure: Exposure, mode: Mode, *, seed: int) -> Frames:
    """
    Simulate an observation of a scene, with noise and bad pixels.

    Parameters
    ----------
    scene : (integrations, rows, columns) float64
        Brightness in MJy/sr, without background; not modified.
    exposure
        The exposure, whose name selects the random numbers of the noise.
    mode
        The detector; its bad pixels are the same in all exposures.
    seed
        Seed of all random numbers.
    """
    rng = random_stream(seed, f"noise {exposure.name}")
    images, errors = _observe(scene, mode, rng)
    return _spoil(images, errors, mode, seed=seed, rng=rng)


def _shifted(image: Image, offsets: Offsets) -> Cube:
    return np.stack([shift_image(image, Shift(*offset)) for offset in offsets])


def _observe(scene: Cube, mode: Mode, rng: np.random.Generator) -> tuple[Cube, Cube]:
    """Add photon and read noise; return images and their standard deviations."""
    electrons = np.where(mode.blind, 0.0, (scene + mode.background) * GAIN)
    counts = rng.poisson(electrons) + rng.normal(0.0, READ_NOISE, scene.shape)
    sigma = np.sqrt(electrons + READ_NOISE**2)
    return counts / GAIN - mode.background, sigma / GAIN


def _spoil(
    images: Cube, errors: Cube, mode: Mode, *, seed: int, rng: np.random.Generator
) -> Frames:
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
    return Frames(images.reshape(shape), errors.reshape(shape), flags.reshape(shape))


def _bad_pixels(mode: Mode, seed: int) -> list[NDArray[np.int64]]:
    """Return flat indices of random values, of NaNs with and without a flag, and of good pixels."""
    pixels = np.flatnonzero(~mode.blind)[1:]
    pixels = random_stream(seed, f"bad pixels {mode.psfmask}").permutation(pixels)
    ends = np.cumsum([round(BAD_FRACTION * mode.blind.size), N_FLAGGED_NAN, N_UNFLAGGED_NAN])
    garbage, *others = np.split(pixels, ends)
    return [np.append(garbage, 0), *others]  # pixel 0 is the corner, which has few neighbours
