"""
Measure how far the numbers of psfalign can be trusted, on images whose truth is known.

The pictures go to docs/images/accuracy_*.png.
"""

import argparse
from pathlib import Path

from psfalign.system.process import prepare_process

prepare_process()

from report import Report
from runs import pin_to_one_core
from studies import (
    biases,
    capture,
    edges,
    errors,
    joint,
    robustness,
    uncertainty,
)
from studies.observe import scenes

DATA = Path(__file__).parents[2] / "shared" / "data"
PAIRS = 100  # of draws with opposite noise


def main() -> None:
    """Run all parts; few draws are for trying."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="calibrated exposures and masks")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs of draws")
    options = parser.parse_args()
    pin_to_one_core()
    report = Report("accuracy", "How far the numbers can be trusted", [])
    seen = list(scenes(options.data))
    report.table(
        ("scene", "size", "psf mask"),
        [(s.name, f"{s.star.shape[1]}×{s.star.shape[0]}", s.mask) for s in seen],
    )
    uncertainty.study(report, seen, options.pairs)
    biases.study(report, seen)
    capture.study(report, seen)
    robustness.study(report, seen)
    joint.study(report, seen)
    edges.study(report, options.data)
    errors.study(report, seen)
    report.write()


if __name__ == "__main__":
    main()
