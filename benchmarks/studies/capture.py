"""Measure from how far, and at which flux ratios, a shift is found."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from report import Report

from .observe import Scene, Truth, fit_pair
from psfalign.fit.result import PairFit, Status
from psfalign.images.fourier import Shift

MAX_SHIFT = 10
DIRECTIONS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
DIRECTIONS += [(1.0, 0.4), (-0.4, 1.0)]
INSIDE, OUTSIDE = (3.3, 6.7, 10.0), 12.0  # pixels along the longer axis
RATIOS = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
# Noise of a pixel of both images, over the brightest pixel that is seen in one of them.
OF_FAINTER, OF_BRIGHTER = 3e-3, 1e-4
BASIC = (1.0, 2.0, 3.3, 6.7, 10.0)  # pixels, for the fit that starts from no shift
COLUMNS = ("scene", "noise", "flux ratio", "fits", "ok and within 5 sigma", "largest error")
COLUMNS += ("sigma", "with inverse_variance")


def study(report: Report, scenes: list[Scene]) -> None:
    """Print what is found within the range, and what is said of shifts beyond it."""
    report.say(
        "## Capture range",
        "",
        f"max_shift {MAX_SHIFT}; shifts of {', '.join(map(str, INSIDE))} pixels along the longer",
        f"axis in {len(DIRECTIONS)} directions. White noise, the same in both images:",
        f"{OF_FAINTER:g} of the brightest pixel of the fainter image, or {OF_BRIGHTER:g} of that",
        "of the brighter one, which leaves the fainter one little above it. Errors and sigma",
        "(median) in pixels, the larger of both axes. With `weighting: mask`, and how many are",
        "found with `inverse_variance`, which knows of the noise in the science image.",
        "",
    )
    rows, beyond, basic = [], [], []
    for scene in scenes:
        for beta in RATIOS:
            noises = {
                f"{OF_FAINTER:g} of the fainter": OF_FAINTER * min(1.0, beta),
                f"{OF_BRIGHTER:g} of the brighter": OF_BRIGHTER * max(1.0, beta),
            }
            for label, noise in noises.items():
                found = _found(scene, _shifts(INSIDE), beta, noise)
                rows.append((scene.name, label, f"{beta:g}", *found))
            far = _fit_all(scene, _shifts([OUTSIDE]), beta, OF_FAINTER * min(1.0, beta))
            statuses = Counter(fit.status for fit in far)
            beyond.append((scene.name, f"{beta:g}", _list(statuses)))
        for length in BASIC:
            shifts = _shifts([length])
            fits = _fit_all(scene, shifts, 1.0, OF_FAINTER, max_shift=0, method="leastsq")
            right = [_error(fit, d) < 0.1 for fit, d in zip(fits, shifts, strict=True)]
            basic.append((scene.name, length, f"{sum(right)} of {len(right)}"))
    report.table(COLUMNS, rows)
    report.say(f"A shift of {OUTSIDE:g} pixels along the longer axis:", "")
    report.table(("scene", "flux ratio", "status of the fits"), beyond)
    report.say("Flux ratio 1, `method: leastsq`, `max_shift: 0`: from no shift, as jwst does:", "")
    report.table(("scene", "shift (pixels)", "right within 0.1 pixels"), basic)


def _shifts(lengths: Iterable[float]) -> list[Shift]:
    return [Shift(r * x, r * y) for r in lengths for x, y in DIRECTIONS]


def _fit_all(
    scene: Scene, shifts: list[Shift], beta: float, noise: float, **options: object
) -> list[PairFit]:
    rng, fits = np.random.default_rng(1), []
    for shift in shifts:
        drawn = rng.normal(size=(2, *scene.star.shape))
        frames = Truth.white(scene.star, shift, beta, noise).draw(drawn)
        fits.append(fit_pair(*frames, scene.weight, **{"max_shift": MAX_SHIFT, **options}))
    return fits


def _error(fit: PairFit, shift: Shift) -> float:
    return max(abs(fit.dx - shift.dx), abs(fit.dy - shift.dy))


def _found(scene: Scene, shifts: list[Shift], beta: float, noise: float) -> tuple[str, ...]:
    fits = _fit_all(scene, shifts, beta, noise)
    errors = [_error(fit, shift) for fit, shift in zip(fits, shifts, strict=True)]
    sigma = np.median([max(fit.sigma_dx, fit.sigma_dy) for fit in fits])
    best = _right(_fit_all(scene, shifts, beta, noise, weighting="inverse_variance"), shifts)
    found = str(_right(fits, shifts))
    return str(len(fits)), found, f"{max(errors):.2g}", f"{sigma:.2g}", str(best)


def _right(fits: list[PairFit], shifts: list[Shift]) -> int:
    """Count the fits that may be used and are right within five sigma."""
    return sum(
        fit.status is Status.OK
        and abs(fit.dx - d.dx) < 5 * fit.sigma_dx
        and abs(fit.dy - d.dy) < 5 * fit.sigma_dy
        for fit, d in zip(fits, shifts, strict=True)
    )


def _list(counts: Counter[Status]) -> str:
    return ", ".join(f"{status}: {n}" for status, n in counts.most_common())
