"""
Time the fit of a psf image to a science integration: psfalign's, and jwst 1.15.1's, same arrays.

One thread on one core, the two by turns. psfalign fits whole integrations, so its time of a pair is
that of several integrations with all psf images, preparation included, by the number of pairs.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from report import Report
from runs import pin_to_one_core, run_own, run_peer
from scenes import observe, occulter, speckles

from psfalign.fit.integration import FitOptions

RELEASE = "1.15.1"
SHAPES = ((320, 320), (288, 224), (640, 640))  # NIRCam round masks, MIRI, NIRCam short wavelengths
N_INTEGRATIONS, N_PSFS = 20, 50
N_PAIRS = N_INTEGRATIONS * N_PSFS
N_ROUNDS = 5
PAIRS_OF_PEER = 2  # in each round
ERROR = 1e-3  # of a pixel
COLUMNS = (
    "image",
    "psfalign, fit of jwst (ms a pair)",
    "range",
    "psfalign, defaults (ms)",
    "range",
    "defaults and errors (ms)",
    "range",
    f"jwst {RELEASE} (ms a pair)",
    "range",
    "ratio",
    "max abs Δ (pixels)",
)
LEGEND = (
    f"Medians of {N_ROUNDS} rounds, each with {N_INTEGRATIONS} integrations × {N_PSFS} psf images",
    f"for psfalign and {PAIRS_OF_PEER} pairs for jwst; float64 arrays for both; CPU of one core.",
    "psfalign: without a background, which is what jwst fits; with its defaults, which fit a plane",
    "and judge what a fit leaves; and with errors of both images, which go into uncertainties and",
    f"biases. psfalign searches {FitOptions().max_shift} pixels around, jwst does not. Ratio: of",
    "jwst to psfalign without a background. Δ: between the shifts of the pairs that both fitted.",
)


def write_arrays(shape: tuple[int, int], path: Path) -> None:
    """Simulate science images, psf images and a weight."""
    rng = np.random.default_rng(2)
    star = speckles(shape, rng)
    science, psfs = observe(star, N_INTEGRATIONS, 1.0, rng), observe(star, N_PSFS, 1.5, rng)
    np.savez(path, science=science, psfs=psfs, weight=occulter(shape))


def row(shape: tuple[int, int], folder: Path) -> tuple[str, ...]:
    """Measure one size."""
    arrays = folder / "arrays.npz"
    write_arrays(shape, arrays)
    peer, difference = [], 0.0
    own: dict[tuple[object, ...], list[float]] = {("none",): [], ("auto",): [], ("auto", ERROR): []}
    for _ in range(N_ROUNDS):
        ours = {options: run_own("own_fit", arrays, *options) for options in own}
        theirs = run_peer(RELEASE, "fit_pairs", arrays, PAIRS_OF_PEER, folder=folder)
        for options, times in own.items():
            times.append(1e3 * ours[options]["seconds"] / N_PAIRS)
        peer += [1e3 * seconds for seconds in theirs["seconds"]]
        both = np.subtract(ours["none",]["shifts"][:PAIRS_OF_PEER], theirs["shifts"])
        difference = max(difference, float(np.abs(both).max()))
    ratio = f"{median(peer) / median(own['none',]):.0f}"
    cells = [cell for times in own.values() for cell in _cells(times, 2)]
    return f"{shape[0]} × {shape[1]}", *cells, *_cells(peer, 0), ratio, f"{difference:.0e}"


def _cells(values: Sequence[float], digits: int) -> tuple[str, str]:
    """Return the median and the range."""
    span = f"{min(values):.{digits}f}–{max(values):.{digits}f}"
    return f"{median(values):.{digits}f}", span


def main() -> None:
    """Measure all sizes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("fit_speed", "Time of a fit, one thread", [RELEASE])
    report.say(*LEGEND, "")
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        report.table(COLUMNS, [row(shape, Path(name)) for shape in SHAPES])
    report.write()


if __name__ == "__main__":
    main()
