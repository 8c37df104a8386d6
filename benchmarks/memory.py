"""
Peak memory of each step for exposures of several sizes, beside what the workflow asks for.

Each step runs in a process of its own, as in the workflow, on one thread unless said otherwise.
`tests/unit/test_resources.py` holds the formulas of `psfalign.campaign.resources` against this
page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import Report
from runs import family_peak, pin_to_one_core

from psfalign.campaign.resources import MARGIN, Size, memory_mb

HERE = Path(__file__).parent
MB = 1e6
STEPS = (
    "resolve_psfmask",
    "stack_psfs",
    "clean_science",
    "clean_psfs",
    "fit_shifts",
    "align_psfs",
    "subtract_psf",
    "combine_rolls",
    "plot_exposure",
)
# Integrations, psf images, rows and columns: small; NIRCam subarrays with few and with very many
# psf images; MIRI 4QPM with many integrations; NIRCam 640; MIRI's full frame.
SIZES = (
    (4, 5, 64, 64),
    (20, 9, 320, 320),
    (2, 200, 320, 320),
    (60, 20, 288, 224),
    (6, 40, 640, 640),
    (4, 10, 1024, 1032),
)
VARIED = ((20, 9, 320, 320), (4, 10, 1024, 1032))
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fit_shifts", {"weighting": "mask+dq"}),
    ("fit_shifts", {"weighting": "inverse_variance"}),
    ("fit_shifts", {"align_to": "mean"}),
    ("fit_shifts", {"threads": 2}),
    ("align_psfs", {"errors": "fourier"}),
    ("align_psfs", {"threads": 2}),
)
COLUMNS = ("step", "integrations", "psfs", "rows", "columns", "options", "peak (MB)", "asked (MB)")


def simulate(folder: Path, size: tuple[int, ...]) -> None:
    """Write the files of a job."""
    command = [sys.executable, HERE / "scenes.py", folder, *size]
    subprocess.run([*map(str, command)], check=True)


def measure(step: str, folder: Path, options: dict[str, Any]) -> float:
    """Run a step; return its peak memory in bytes, that of all its processes together."""
    command = [sys.executable, HERE / "one_step.py", step, folder, json.dumps(options)]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        seen = family_peak(process)
        output = process.communicate()[0]
    if process.returncode:
        sys.exit(f"{command} failed")
    return max(seen, float(json.loads(output)["peak"]))


def sized(step: str, size: tuple[int, ...]) -> Size:
    """Return the size that the workflow knows a job by."""
    integrations, psfs, rows, columns = size
    if step == "stack_psfs":
        return Size(integrations + psfs, 0, rows * columns)
    if step == "clean_psfs":
        return Size(psfs, 0, rows * columns)
    return Size(integrations, psfs, rows * columns)


def asked(step: str, size: tuple[int, ...], options: dict[str, Any]) -> int:
    """Return what the workflow asks for."""
    known = {name: options[name] for name in ("weighting", "threads") if name in options}
    return memory_mb(step, sized(step, size), **known)


def row(step: str, size: tuple[int, ...], options: dict[str, Any], folder: Path) -> list[object]:
    """Measure a step, and return the line of the table."""
    peak = measure(step, folder, options) / MB
    said = ", ".join(f"{name} {value}" for name, value in options.items())
    return [step, *size, said, f"{peak:.0f}", asked(step, size, options)]


def main() -> None:
    """Measure all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("memory", "Peak memory of the steps, and what is asked for", [])
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
            folder = Path(name)
            simulate(folder, size)
            rows += [row(step, size, {}, folder) for step in STEPS]
            if size in VARIED:
                rows += [row(step, size, options, folder) for step, options in VARIANTS]
    report.table(COLUMNS, rows)
    ratios = [float(str(line[-1])) / float(str(line[-2])) for line in rows]
    report.say(
        f"Asked for: {min(ratios):.2f} to {max(ratios):.2f} times the peak; {MARGIN} was meant."
    )
    report.write()


if __name__ == "__main__":
    main()
