"""Measure what spoiled pixels, a companion and a background do to a shift, and what helps."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.fft import rfft2
from numpy.typing import NDArray

from report import Report

from .observe import HALF, Scene, Truth, fit_pair
from psfalign.fit.result import PairFit, Status
from psfalign.images.arrays import Bools, Image
from psfalign.images.bad_pixels import clean_image
from psfalign.images.fourier import Shift, shift_image, shift_variance
from psfalign.images.frames import Frame

N_DRAWS = 12
SHIFT, BETA, NOISE = Shift(1.3, -0.7), 1.4, 1e-2
BAD = 1e-3  # share of pixels
REJECTED = 5.0  # sigma, beyond which the robust variant leaves a pixel out
GAUSSIAN = 1.4826  # standard deviation over median absolute deviation

Pair = tuple[Frame, Frame]
Spoil = Callable[[Pair, Scene, np.random.Generator], Pair]


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong with images, and how they are fitted when nobody knows of it."""

    name: str
    spoil: Spoil
    background: str = "none"


def rejecting(science: Frame, psf: Frame, weight: Image, **options: object) -> PairFit:
    """Fit, leave out the pixels whose residual is beyond five robust sigma, fit again."""
    first = fit_pair(science, psf, weight, **options)
    if first.status is not Status.OK:
        return first
    outlying = outliers(science, psf, weight, first)
    return fit_pair(science, psf, np.where(outlying, 0.0, weight), **options)


def outliers(science: Frame, psf: Frame, weight: Image, fit: PairFit) -> Bools:
    """Find pixels whose residual, in units of its standard error, is far from the others."""
    shift, shape = Shift(fit.dx, fit.dy), weight.shape
    residual = psf.image - fit.beta * shift_image(science.image, shift)
    if science.variance is not None and psf.variance is not None:
        moved = shift_variance(rfft2(science.variance), shape, shift)
        residual /= np.sqrt(psf.variance + fit.beta**2 * moved)
    seen = residual[weight > HALF]
    centre = np.median(seen)
    scatter = GAUSSIAN * np.median(np.abs(seen - centre))
    return np.asarray(np.abs(residual - centre) > REJECTED * scatter)


METHODS: dict[str, Callable[..., PairFit]] = {
    "mask": fit_pair,
    "mask+dq": lambda *a, **o: fit_pair(*a, weighting="mask+dq", **o),
    "mask, rejecting once": rejecting,
}


def study(report: Report, scenes: list[Scene]) -> None:
    """Print the error of the shift for all troubles."""
    report.say(
        "## Robustness",
        "",
        f"Photon noise of {NOISE:g} of the brightest pixel, {N_DRAWS} draws of noise and of the",
        f"trouble; shift {tuple(SHIFT)}. RMS error of the shift along an axis, in units of the",
        "uncertainty of fits without trouble; in brackets fits whose status is not ok. `mask+dq`",
        "leaves out replaced pixels; flagged pixels are cleaned before the fit as by the workflow.",
        f"Bad: a share of {BAD:g} of the pixels holds garbage as large as the star, hot: all of",
        "them its brightest value. Companion and background: in the science image only, of that",
        "share of the star. Rejecting: pixels with a residual beyond 5 robust sigma are left out,",
        "once.",
        "",
    )
    rows = []
    for scene in scenes:
        sigma = np.nan
        for trouble in troubles():
            pairs = [_spoiled(scene, trouble, seed) for seed in range(N_DRAWS)]
            cells = []
            for method in METHODS.values():
                fits = [method(*p, scene.weight, background=trouble.background) for p in pairs]
                if trouble.name == "none" and np.isnan(sigma):
                    sigma = np.median([(f.sigma_dx, f.sigma_dy) for f in fits])
                cells.append(_cell(fits, sigma))
            rows.append((scene.name, trouble.name, *cells))
        report.say(f"{scene.name}: without trouble, sigma is {sigma:.2g} pixels.")
    report.say("")
    report.table(("scene", "trouble", *METHODS), rows)


def _cell(fits: list[PairFit], sigma: float) -> str:
    usable = [(f.dx, f.dy) for f in fits if f.status is Status.OK]
    n_failed = len(fits) - len(usable)
    errors = np.array(usable).reshape(-1, 2) - SHIFT
    text = f"{np.sqrt(np.mean(errors**2)) / sigma:.1f}" if usable else "–"
    return f"{text} ({n_failed})" if n_failed else text


def _spoiled(scene: Scene, trouble: Trouble, seed: int) -> Pair:
    rng = np.random.default_rng(seed)
    truth = Truth.photon(scene.star, SHIFT, BETA, NOISE)
    return trouble.spoil(truth.draw(rng.normal(size=(2, *scene.star.shape))), scene, rng)


def troubles() -> list[Trouble]:
    """List what can go wrong."""
    return [
        Trouble("none", lambda pair, *_: pair),
        Trouble("bad pixels in both, not flagged", _bad(flagged=False)),
        Trouble("bad pixels in both, flagged", _bad(flagged=True)),
        Trouble("hot pixels in both, not flagged", _bad(flagged=False, size=1.0)),
        Trouble("hot pixels in both, flagged", _bad(flagged=True, size=1.0)),
        Trouble("saturated at 0.5, not flagged", _saturated(flagged=False)),
        Trouble("saturated at 0.5, flagged", _saturated(flagged=True)),
        Trouble("cosmic ray in the psf, not flagged", _cosmic_ray(flagged=False)),
        Trouble("cosmic ray in the psf, flagged", _cosmic_ray(flagged=True)),
        Trouble("companion of 0.03", _companion(0.03)),
        Trouble("companion of 0.3", _companion(0.3)),
        Trouble("background of 0.01", _background, "none"),
        Trouble("background of 0.01, background: fit", _background, "fit"),
    ]


def _bad(*, flagged: bool, size: float | None = None) -> Spoil:
    """Return the same pixels of both images values of their own, or a common high one."""

    def spoil(pair: Pair, scene: Scene, rng: np.random.Generator) -> Pair:
        bad = rng.random(scene.star.shape) < BAD
        frames = []
        for frame in pair:
            values = rng.normal(0.0, 1.0, bad.shape) if size is None else np.full(bad.shape, size)
            frames.append(_set(frame, bad, values, flagged=flagged))
        return frames[0], frames[1]

    return spoil


def _saturated(*, flagged: bool) -> Spoil:
    """Clip each image at half of its brightest pixel that is seen."""

    def spoil(pair: Pair, *_: object) -> Pair:
        levels = (0.5, 0.5 * BETA)
        frames = [
            _set(f, f.image > level, np.full(f.image.shape, level), flagged=flagged)
            for f, level in zip(pair, levels, strict=True)
        ]
        return frames[0], frames[1]

    return spoil


def _cosmic_ray(*, flagged: bool) -> Spoil:
    """Return a psf crossed by a track of twelve pixels, not far from the star."""

    def spoil(pair: Pair, scene: Scene, rng: np.random.Generator) -> Pair:
        rows, columns = scene.star.shape
        angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-20, 20, 2)
        along = np.arange(12)
        y = np.round(rows / 2 + place[0] + along * np.sin(angle)).astype(int)
        x = np.round(columns / 2 + place[1] + along * np.cos(angle)).astype(int)
        hit = np.zeros(scene.star.shape, dtype=bool)
        hit[y, x] = True
        science, psf = pair
        return science, _set(psf, hit, psf.image + 2.0, flagged=flagged)

    return spoil


def _companion(flux: float) -> Spoil:
    """Put a point of some peak beside the star, in the science image only."""

    def spoil(pair: Pair, scene: Scene, rng: np.random.Generator) -> Pair:
        science, psf = pair
        angle = rng.uniform(0, 2 * np.pi)
        moved = shift_image(scene.point, Shift(22 * np.cos(angle), 22 * np.sin(angle)))
        return replace(science, image=science.image + flux * moved), psf

    return spoil


def _background(pair: Pair, *_: object) -> Pair:
    science, psf = pair
    return replace(science, image=science.image + 0.01), psf


def _set(frame: Frame, pixels: Bools, values: NDArray[np.float64], *, flagged: bool) -> Frame:
    """Change pixels; flagged ones are cleaned."""
    image = np.where(pixels, values, frame.image)
    if not flagged:
        return replace(frame, image=image)
    cleaned = clean_image(image, pixels.astype(np.uint32), bad_bits=1)
    return replace(frame, image=cleaned.image, replaced=cleaned.replaced)
