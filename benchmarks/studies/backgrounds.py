"""Light that does not come from the star: how wrong shifts become, by the background in the fit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from report import Report

from .observe import Scene, Truth, fit_pair
from psfalign.fit.result import PairFit, Status
from psfalign.images.arrays import Image
from psfalign.images.fourier import Shift
from psfalign.images.frames import Frame

LEVEL = 1e-3  # noise of the brightest pixel that is seen
N_DRAWS = 12
SLOPE, GLOW, ROWS, PEDESTAL = 0.15, 0.3, 0.05, 0.1  # of the brightest pixel that is seen
BAR = 0.04  # half width of a glow stick, of half the image's height
BACKGROUNDS = ("none", "fit", "plane")
SMALL = (96, 64, 48)  # pixels, sides of parts around the star
WRONG, PIXELS = 5.0, 0.05  # sigma, pixels: what nobody may use without being warned
COLUMNS = ("scene", "size", "light", *(f"`{name}`" for name in BACKGROUNDS), "wrong unnoticed")

Light = Callable[[tuple[int, int], np.random.Generator], Image]


def slope(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a plane from -SLOPE to SLOPE in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.linspace(-1, 1, size) for size in shape)
    return np.asarray(SLOPE * np.add.outer(np.sin(angle) * y, np.cos(angle) * x))


def glow(shape: tuple[int, int], rng: np.random.Generator) -> Image:  # noqa: ARG001
    """Return a bar across the image beside its middle."""
    y = np.linspace(-1, 1, shape[0])
    return np.outer(GLOW * np.exp(-0.5 * ((y - BAR) / BAR) ** 2), np.ones(shape[1]))


def stripes(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return rows of levels of their own."""
    return np.outer(ROWS * rng.normal(size=shape[0]), np.ones(shape[1]))


def pedestal(shape: tuple[int, int], rng: np.random.Generator) -> Image:  # noqa: ARG001
    """Return a constant."""
    return np.full(shape, PEDESTAL)


def nothing(shape: tuple[int, int], rng: np.random.Generator) -> Image:  # noqa: ARG001
    """Return no light."""
    return np.zeros(shape)


LIGHTS: dict[str, Light] = {
    "none": nothing,
    f"pedestal of {PEDESTAL:g}": pedestal,
    f"slope of ±{SLOPE:g}": slope,
    f"glow stick of {GLOW:g}": glow,
    f"rows of {ROWS:g}": stripes,
}


def study(report: Report, scenes: list[Scene]) -> None:
    """Print RMS errors of a shift."""
    report.say(
        "## Backgrounds",
        "",
        f"{N_DRAWS} draws, shifts up to 0.7 pixels, white noise of {LEVEL:g} of the brightest",
        "pixel that is seen, in units of which the light is given; it is at the same place in both",
        "images, half to one and a half times as strong in the psf. RMS error of the shift in",
        "pixels; in brackets its median sigma, and how many of the fits are doubtful. Wrong",
        f"unnoticed: `ok`, not doubtful, and off by more than {WRONG:g} sigma and {PIXELS:g}",
        "pixels, with each background.",
        "",
    )
    rows = []
    for scene in scenes:
        rows += [_row(scene, name, light) for name, light in LIGHTS.items()]
        rows += [_row(_cut(scene, size), "none", nothing) for size in SMALL]
    report.table(COLUMNS, rows)


def _cut(scene: Scene, size: int) -> Scene:
    first = [(side - size) // 2 for side in scene.star.shape]
    part = np.s_[first[0] : first[0] + size, first[1] : first[1] + size]
    return replace(scene, star=scene.star[part], weight=scene.weight[part])


def _row(scene: Scene, name: str, light: Light) -> tuple[str, ...]:
    cells, unnoticed = [], []
    for background in BACKGROUNDS:
        fits, errors = _fits(scene, light, background)
        sigma = np.array([max(fit.sigma_dx, fit.sigma_dy) for fit in fits])
        trusted = [fit.status is Status.OK and not fit.doubtful for fit in fits]
        doubtful = sum(fit.doubtful for fit in fits)
        rms = np.sqrt(np.mean(errors**2))
        cells.append(f"{rms:.5f} ({np.median(sigma):.5f}, {doubtful})")
        unnoticed.append(str(np.sum(trusted & (errors > np.maximum(PIXELS, WRONG * sigma)))))
    return scene.name, str(scene.star.shape[0]), name, *cells, ", ".join(unnoticed)


def _fits(scene: Scene, light: Light, background: str) -> tuple[list[PairFit], NDArray[np.float64]]:
    rng, fits, errors = np.random.default_rng(3), [], []
    shape = scene.star.shape[0], scene.star.shape[1]
    for _ in range(N_DRAWS):
        shift, share = Shift(*rng.uniform(-0.7, 0.7, 2)), rng.uniform(0.5, 1.5)
        added = light(shape, rng)
        drawn = Truth.white(scene.star, shift, 1.4, LEVEL).draw(rng.normal(size=(2, *shape)))
        science, psf = (
            Frame(frame.image + factor * added, None, frame.variance)
            for frame, factor in zip(drawn, (1.0, share), strict=True)
        )
        fits.append(fit_pair(science, psf, scene.weight, background=background))
        errors.append(np.hypot(fits[-1].dx - shift.dx, fits[-1].dy - shift.dy))
    return fits, np.array(errors)
