"""Compare propagated errors of shifted images with a Monte Carlo."""

import numpy as np

from report import Report

from psfalign.images.fourier import Shift, shift_image
from psfalign.images.plane import Plane
from psfalign.images.shifted_psf import Movable

SHAPE = (48, 56)
N_DRAWS = 8000
SHIFTS = (Shift(0.5, 0.5), Shift(1.3, -0.6), Shift(-7.25, 3.1))


def study(report: Report) -> None:
    """Print ratios of variances, pixel by pixel."""
    chance = np.sqrt(2 / N_DRAWS)
    report.say(
        "## Errors of shifted images",
        "",
        f"Variance of each pixel of {N_DRAWS} shifted noisy images of {SHAPE[1]}×{SHAPE[0]} pixels",
        "over that which ERR of the shifted plane says. Errors before the shift: between 1 and 10",
        f"at random, with ten pixels of 100. By chance alone ratios scatter by {chance:.3f}.",
        "",
    )
    rng = np.random.default_rng(1)
    error = rng.uniform(1.0, 10.0, SHAPE)
    error.ravel()[rng.choice(error.size, 10, replace=False)] = 100.0
    none = np.zeros(SHAPE, dtype=bool)
    plane = Plane(np.zeros(SHAPE), error, none.astype(np.uint32))
    movable, rows = Movable.of(plane, none), []
    for shift in SHIFTS:
        squares = np.zeros(SHAPE)
        for _ in range(N_DRAWS):
            squares += shift_image(rng.normal(0.0, error), shift) ** 2
        _, expected = movable.moved(shift)
        ratio = squares / N_DRAWS / expected.astype(np.float64) ** 2
        near = np.mean(np.abs(np.sqrt(ratio) - 1) < 0.05)
        spread = f"{ratio.std():.3f}"
        extremes = f"{ratio.min():.3f} to {ratio.max():.3f}"
        rows.append((tuple(shift), f"{ratio.mean():.4f}", spread, extremes, f"{near:.2%}"))
    columns = ("shift", "mean", "spread", "least and most", "errors within 5 %")
    report.table(columns, rows)
