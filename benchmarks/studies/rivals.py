"""How often noise leads a fit pixels away from the truth, and what is said then."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from report import Report

from .observe import HALF, Scene, Truth, fit_pair
from psfalign.fit.result import PairFit, Status
from psfalign.images.fourier import Shift

RATIOS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0)  # brightest seen pixel over noise
QUIET = 0.1  # noise of the better of two images, of the other's
KINDS = {
    "both noisy": (1.0, 1.0),
    "psf noisy": (QUIET, 1.0),
    "science noisy": (1.0, QUIET),
}
N_DRAWS = 100
CUT = 80  # pixels around the star
REACH = 2.9  # pixels, within max_shift
WRONG, PIXEL = 5.0, 1.0  # sigma, pixels
COLUMNS = ("scene", "peak / noise", "fits", "ok", "wrong, ok", "wrong, not ok", "sigma of the ok")


def study(report: Report, scenes: list[Scene]) -> None:
    """Print statuses and errors of faint stars."""
    report.say(
        "## Faint stars",
        "",
        f"White noise; parts of {CUT}×{CUT} pixels; {N_DRAWS} draws for each of: noise in both",
        f"images, or {QUIET:g} of it in one of them; shifts up to {REACH:g} pixels along each",
        "axis, flux ratio 1, defaults. Peak: the brightest pixel that is seen. Wrong: off by more",
        f"than {PIXEL:g} pixel and by more than {WRONG:g} sigma. Sigma: median, pixels.",
        "",
    )
    rows, wrong, n_fits = [], 0, 0
    for scene in map(_cut, scenes):
        for ratio in RATIOS:
            found = [*_found(scene, ratio)]
            ok = [fit for fit, _ in found if fit.status is Status.OK]
            off = [fit.status is Status.OK for fit, error in found if _is_wrong(fit, error)]
            sigma = np.median([max(f.sigma_dx, f.sigma_dy) for f in ok]) if ok else np.nan
            wrong, n_fits = wrong + sum(off), n_fits + len(found)
            counts = len(found), len(ok), sum(off), len(off) - sum(off)
            rows.append((scene.name, f"{ratio:g}", *counts, f"{sigma:.2g}" if ok else "–"))
    report.table(COLUMNS, rows)
    report.say(f"Of all {n_fits}, {wrong} are wrong and `ok`.", "")


def _cut(scene: Scene) -> Scene:
    first = [(side - CUT) // 2 for side in scene.star.shape]
    part = np.s_[first[0] : first[0] + CUT, first[1] : first[1] + CUT]
    star, weight = scene.star[part], scene.weight[part]
    return replace(scene, star=star / star[weight > HALF].max(), weight=weight)


def _found(scene: Scene, ratio: float) -> Iterator[tuple[PairFit, float]]:
    for science, psf in KINDS.values():
        rng = np.random.default_rng(7)
        for _ in range(N_DRAWS):
            shift = Shift(*rng.uniform(-REACH, REACH, 2))
            truth = Truth.white(scene.star, shift, 1.0, 1 / ratio)
            noise: NDArray[np.float64] = rng.normal(size=(2, *scene.star.shape))
            truth = replace(
                truth,
                science_variance=science**2 * truth.science_variance,
                psf_variance=psf**2 * truth.psf_variance,
            )
            fit = fit_pair(*truth.draw(noise), scene.weight)
            yield fit, float(np.hypot(fit.dx - shift.dx, fit.dy - shift.dy))


def _is_wrong(fit: PairFit, error: float) -> bool:
    return error > max(PIXEL, WRONG * fit.sigma_dx, WRONG * fit.sigma_dy)
