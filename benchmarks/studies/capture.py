"""Measure from how far, and at which flux ratios, a shift is found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

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
FEW = 0.1  # pixels
COLUMNS = ("scene", "noise", "flux ratio", "fits", "ok and within 5 sigma", "largest error")
COLUMNS += ("sigma", "with inverse_variance")
TOTALS = ("noise, the same in both images", "fits", "`mask`, found within 5 sigma")
TOTALS += ("`inverse_variance`, found within 5 sigma", "largest error of `mask` (pixels)")


@dataclass(frozen=True)
class Found:
    """
    What became of shifts within the range.

    Attributes
    ----------
    n_fits, n_right, n_right_best
        How many there are, and are `ok` and right within five sigma with `mask`, and with
        `inverse_variance`.
    error, sigma
        The largest error, and the median uncertainty, of `mask`; pixels.
    """

    n_fits: int
    n_right: int
    n_right_best: int
    error: float
    sigma: float

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        numbers = str(self.n_fits), str(self.n_right), f"{self.error:.2g}", f"{self.sigma:.2g}"
        return *numbers, str(self.n_right_best)


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
    noises = {
        f"{OF_FAINTER:g} of the fainter image": lambda beta: OF_FAINTER * min(1.0, beta),
        f"{OF_BRIGHTER:g} of the brighter image": lambda beta: OF_BRIGHTER * max(1.0, beta),
    }
    found = {
        (scene.name, label, beta): _find(scene, _shifts(INSIDE), beta, noise(beta))
        for scene in scenes
        for beta in RATIOS
        for label, noise in noises.items()
    }
    report.table(TOTALS, [_total(found, label) for label in noises])
    rows = [(name, label, f"{beta:g}", *one.cells) for (name, label, beta), one in found.items()]
    report.table(COLUMNS, rows)
    _study_beyond(report, scenes)
    _study_basic(report, scenes)


def _total(found: dict[tuple[str, str, float], Found], label: str) -> tuple[str, ...]:
    alike = [one for (_, noise, _), one in found.items() if noise == label]
    sums = (
        sum(n) for n in zip(*((f.n_fits, f.n_right, f.n_right_best) for f in alike), strict=True)
    )
    return label, *map(str, sums), f"{max(one.error for one in alike):.2g}"


def _study_beyond(report: Report, scenes: list[Scene]) -> None:
    report.say(
        "### Beyond the range", "", f"A shift of {OUTSIDE:g} pixels along the longer axis:", ""
    )
    beyond = []
    for scene in scenes:
        for beta in RATIOS:
            far = _fit_all(scene, _shifts([OUTSIDE]), beta, OF_FAINTER * min(1.0, beta))
            beyond.append((scene.name, f"{beta:g}", _list(Counter(fit.status for fit in far))))
    report.table(("scene", "flux ratio", "status of the fits"), beyond)


def _study_basic(report: Report, scenes: list[Scene]) -> None:
    report.say(
        "### From no shift",
        "",
        "Flux ratio 1, `method: leastsq`, `max_shift: 0`: from no shift, as jwst does; how many",
        f"are right within {FEW:g} pixels.",
        "",
    )
    rows = []
    for scene in scenes:
        cells = []
        for length in BASIC:
            shifts = _shifts([length])
            fits = _fit_all(scene, shifts, 1.0, OF_FAINTER, max_shift=0, method="leastsq")
            right = [_error(fit, d) < FEW for fit, d in zip(fits, shifts, strict=True)]
            cells.append(f"{sum(right)} of {len(right)}")
        rows.append((scene.name, *cells))
    report.table(("scene", *(f"{length:g} pixels" for length in BASIC)), rows)


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


def _find(scene: Scene, shifts: list[Shift], beta: float, noise: float) -> Found:
    fits = _fit_all(scene, shifts, beta, noise)
    best = _fit_all(scene, shifts, beta, noise, weighting="inverse_variance")
    return Found(
        len(fits),
        _right(fits, shifts),
        _right(best, shifts),
        max(_error(fit, shift) for fit, shift in zip(fits, shifts, strict=True)),
        float(np.median([max(fit.sigma_dx, fit.sigma_dy) for fit in fits])),
    )


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
