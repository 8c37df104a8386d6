"""
Fit flight exposures: what is left of the star, how sure the shifts are, what stays unnoticed.

The picture goes to docs/images/accuracy_flight.png.
"""

import argparse
import tempfile
from pathlib import Path

from psfalign.system.process import prepare_process

prepare_process()

from cases import DATA
from report import Report
from runs import pin_to_one_core
from studies import companions, flight, residuals


def main() -> None:
    """Run all parts, where there are flight exposures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="calibrated exposures and masks")
    exposures = parser.parse_args().data / "flight"
    if not exposures.is_dir():
        print(f"{exposures}: is not there; the stored page stays as it is")
        return
    pin_to_one_core()
    report = Report("flight", "Flight exposures", [flight.RELEASE])
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as folder:
        seen = flight.campaigns(exposures, Path(folder))
    residuals.study(report, seen)
    flight.study(report, seen)
    companions.study(report, seen)
    report.write()


if __name__ == "__main__":
    main()
