"""Measure where subtracting the biases of the table makes shifts and fluxes better."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from report import Report

from .observe import Scene, Truth, fit_pair
from psfalign.fit.result import PairFit, Status
from psfalign.images.fourier import Shift
from psfalign.images.frames import Frame

SHIFT, BETA = Shift(1.3, -0.7), 1.4
LEVELS = (3e-3, 1e-2, 2e-2, 3e-2, 5e-2)  # beyond, most fits are insignificant
N_DRAWS = 40
ERRORS = (1.0, 2.0, 3.0)  # what ERR is multiplied by
COLUMNS = ("scene", "mask", "noise", "ERR", "biases known", "dx", "dy", "beta")


def study(report: Report, scenes: list[Scene]) -> None:
    """Print RMS errors with and without the biases taken off."""
    report.say(
        "## Biases",
        "",
        f"White noise, {N_DRAWS} draws each, `weighting: mask`; shift {tuple(SHIFT)}, flux ratio",
        f"{BETA}. RMS errors as fitted → with the biases taken off, of the fits whose biases are",
        "known, or of all as fitted where none is. ERR: what the errors that the fit is given are",
        "multiplied by.",
        "",
    )
    rows = []
    for scene in scenes:
        for mask, weight in (("0 or 1", scene.hard().weight), ("as it is", scene.weight)):
            for level in LEVELS:
                factors = ERRORS if level == LEVELS[1] else ERRORS[:1]
                for factor in factors:
                    fits = _fits(scene, weight, level, factor)
                    head = (scene.name, mask, f"{level:g}", f"× {factor:g}")
                    rows.append((*head, *_cells(fits)))
    report.table(COLUMNS, rows)


def _fits(scene: Scene, weight: NDArray[np.float64], level: float, factor: float) -> list[PairFit]:
    truth, fits = Truth.white(scene.star, SHIFT, BETA, level), []
    for seed in range(N_DRAWS):
        noise = np.random.default_rng(seed).normal(size=(2, *scene.star.shape))
        frames = [_with_errors(frame, factor) for frame in truth.draw(noise)]
        fits.append(fit_pair(*frames, weight))
    return [fit for fit in fits if fit.status is Status.OK]


def _with_errors(frame: Frame, factor: float) -> Frame:
    assert frame.variance is not None
    return replace(frame, variance=factor**2 * frame.variance)


def _cells(fits: list[PairFit]) -> tuple[str, ...]:
    known = [fit for fit in fits if np.isfinite(fit.beta_bias)]
    raw = _rms(known or fits, lambda fit: (fit.dx, fit.dy, fit.beta))
    cells = [f"{value:.4f}" for value in raw]
    if known:
        less = _rms(
            known,
            lambda fit: (fit.dx - fit.dx_bias, fit.dy - fit.dy_bias, fit.beta - fit.beta_bias),
        )
        cells = [f"{cell} → {value:.4f}" for cell, value in zip(cells, less, strict=True)]
    return f"{len(known)} of {len(fits)}", *cells


def _rms(
    fits: list[PairFit], numbers: Callable[[PairFit], tuple[float, float, float]]
) -> NDArray[np.float64]:
    errors = np.array([numbers(fit) for fit in fits]) - (*SHIFT, BETA)
    return np.asarray(np.sqrt(np.mean(errors**2, axis=0)))
