"""Compare joint with pairwise shifts in simulated campaigns."""

import numpy as np
from numpy.typing import NDArray

from report import Report

from .observe import Scene
from psfalign.fit.closure import close
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.frames import Frame

N_SCIENCE, N_PSFS = 8, 12
CUT = np.s_[32:128, 32:128]
LEVELS = (1e-3, 3e-3, 1e-2)  # noise over the brightest pixel that is seen
N_CAMPAIGNS = 4
N_WRONG = 4  # pairs
COLUMNS = ("noise", "errors", "wrong pairs", "pairwise", "joint", "joint / pairwise", "worse in")

Floats = NDArray[np.float64]


def study(report: Report, scenes: list[Scene]) -> None:
    """Print RMS errors of dx and dy."""
    scene = scenes[0]
    report.say(
        "## Joint and pairwise shifts",
        "",
        f"{N_CAMPAIGNS} campaigns of {N_SCIENCE} integrations and {N_PSFS} psfs for each line,",
        f"{scene.name} scene cut to 96×96, white noise over the brightest pixel that is seen.",
        "RMS errors of dx and dy in pixels. Errors: of the fits as they are; or with an error that",
        "each pair has of its own added, as large as sigma. Wrong pairs: that many, off by 0.5 to",
        "3 pixels.",
        "",
    )
    rows = []
    for level in LEVELS:
        campaigns = [_campaign(scene, level, seed) for seed in range(N_CAMPAIGNS)]
        rows += [
            _row(campaigns, level, own=own, n_wrong=n_wrong)
            for own in (False, True)
            for n_wrong in (0, N_WRONG)
        ]
    report.table(COLUMNS, rows)


def _campaign(scene: Scene, level: float, seed: int) -> tuple[Floats, Floats, Floats]:
    """Fit all pairs; give true and fitted shifts (2, integrations, psfs), and sigma."""
    rng = np.random.default_rng(seed)
    star, weight = scene.star[CUT], scene.weight[CUT]
    places = [rng.normal(0, 0.1, (N_SCIENCE, 2)), rng.normal(0, 0.5, (N_PSFS, 2))]
    variance = np.full(star.shape, level**2)
    science, psfs = (
        [
            Frame(shift_image(star, Shift(*p)) + rng.normal(0, level, star.shape), None, variance)
            for p in group
        ]
        for group in places
    )
    fits = list(fit_shifts(science, psfs, weight, options=FitOptions()))
    truth = np.moveaxis(places[1][None] - places[0][:, None], -1, 0)
    found = np.array([[[getattr(f, n) for f in row] for row in fits] for n in ("dx", "dy")])
    sigma = np.array([[np.hypot(f.sigma_dx, f.sigma_dy) / np.sqrt(2) for f in r] for r in fits])
    return truth, found, sigma


def _row(
    campaigns: list[tuple[Floats, Floats, Floats]], level: float, *, own: bool, n_wrong: int
) -> tuple[str, ...]:
    squares = []
    for seed, (truth, fitted, sigma) in enumerate(campaigns):
        rng = np.random.default_rng(seed)
        measured = fitted + own * sigma * rng.normal(size=fitted.shape)
        wrong = rng.choice(sigma.size, n_wrong, replace=False)
        angle, length = rng.uniform(0, 2 * np.pi, n_wrong), rng.uniform(0.5, 3.0, n_wrong)
        measured.reshape(2, -1)[:, wrong] += length * np.array([np.cos(angle), np.sin(angle)])
        closed = close(*measured, sigma, np.ones(sigma.shape, dtype=bool))
        both = measured, np.array([closed.dx, closed.dy])
        squares.append([np.mean((d - truth) ** 2) for d in both])
    pairwise, joint = np.sqrt(np.mean(squares, axis=0))
    worse = sum(b > a * (1 + 1e-3) for a, b in squares)
    kind = "with those of pairs" if own else "of the fits"
    cells = (f"{pairwise:.2g}", f"{joint:.2g}", f"{joint / pairwise:.3f}")
    return f"{level:g}", kind, str(n_wrong), *cells, f"{worse} of {len(squares)}"
