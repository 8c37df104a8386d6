"""
How the time of the fit grows with the number of pairs: 10² to 10⁵ of them, drawn on a log–log plot.

The picture goes to docs/images/scaling.png.
"""

import argparse
import time
from pathlib import Path

from psfalign.system.process import prepare_process

prepare_process()

import numpy as np
from matplotlib.figure import Figure

from report import Report
from runs import pin_to_one_core
from scenes import observe, occulter, speckles

from psfalign.fit.exposure import fit_shifts
from psfalign.images.frames import Frame

SHAPE = (96, 96)
N_PSFS = 50
PAIRS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scaling.png"


def time_pairs(science: list[Frame], psfs: list[Frame], n_pairs: int) -> float:
    """Fit so many pairs; the science images are taken again and again."""
    n_images = n_pairs // len(psfs)
    images = (science * (n_images // len(science) + 1))[:n_images]
    start = time.perf_counter()
    for fits in fit_shifts(images, psfs, occulter(SHAPE)):
        if any(fit.status != "ok" for fit in fits):
            raise RuntimeError("a fit failed")
    return time.perf_counter() - start


def draw(times: list[float]) -> None:
    """Draw the times beside a line of slope 1."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.loglog(PAIRS, times, "o", color="#0072B2", label="measured")
    line = np.array(PAIRS) * times[-1] / PAIRS[-1]
    axes.loglog(PAIRS, line, color="#666666", linewidth=0.8, label="proportional")
    title = f"Fit of {N_PSFS} psfs of {SHAPE[1]}×{SHAPE[0]} pixels, one thread"
    axes.set(title=title, xlabel="pairs of integration and psf", ylabel="time (s)")
    axes.legend(frameon=False)
    figure.savefig(PICTURE)


def main() -> None:
    """Measure and draw."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    rng = np.random.default_rng(1)
    star = speckles(SHAPE, rng)
    science, psfs = (list(map(Frame, observe(star, n, 1.0, rng))) for n in (20, N_PSFS))
    times = [time_pairs(science, psfs, n_pairs) for n_pairs in PAIRS]
    slope = np.polyfit(np.log(PAIRS[1:]), np.log(times[1:]), 1)[0]
    report = Report("scaling", "Time by number of pairs", [])
    rows = [(n, f"{t:.2f}", f"{1e3 * t / n:.2f}") for n, t in zip(PAIRS, times, strict=True)]
    report.table(("pairs", "seconds", "ms a pair"), rows)
    report.say(f"From {PAIRS[1]} pairs on, time grows as their number to the power {slope:.2f}.")
    report.write()
    draw(times)


if __name__ == "__main__":
    main()
