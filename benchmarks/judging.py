"""Measure what light that is not the star's and noise do to shifts, and whether it is noticed."""

import argparse
from pathlib import Path

from psfalign.system.process import prepare_process

prepare_process()

from cases import DATA
from report import Report
from runs import pin_to_one_core
from studies import backgrounds, rivals
from studies.observe import scenes


def main() -> None:
    """Run both parts, with flight masks where they are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="masks of flight exposures")
    seen = list(scenes(parser.parse_args().data))
    pin_to_one_core()
    report = Report("judging", "Backgrounds and faint stars", [])
    backgrounds.study(report, seen)
    rivals.study(report, seen)
    report.write()


if __name__ == "__main__":
    main()
