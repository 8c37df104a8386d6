"""
Time a whole job, from files to files: 20 integrations × 50 psf images of 320 × 320 pixels.

psfalign's `align` command and AlignRefsStep of jwst 1.15.1, which aligns to each integration; and
both to the first integration only, with jwst 1.16.1. One thread on one core; import included.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from report import Report
from runs import measure, offline, own_peak, peer_command, pin_to_one_core
from scenes import PSFMASK, PSFS, SCIENCE

SIZE = (20, 50, 320, 320)
COLUMNS = ("program", "aligns to", "wall (s)", "CPU (s)", "peak memory (MB)", "file (MB)")
RUNS = 3


def own_command(folder: Path, align_to: str) -> list[str]:
    """Return psfalign's command."""
    return [
        *(sys.executable, "-m", "psfalign", "align", "--threads", "1"),
        *("--science", str(folder / SCIENCE), "--psfs", str(folder / PSFS)),
        *("--psfmask", str(folder / PSFMASK), "--align-to", align_to),
        *("--output", str(folder / "product.fits")),
    ]


def step_command(folder: Path, release: str) -> list[str]:
    """Return the command of a release of jwst."""
    files = (folder / name for name in (SCIENCE, PSFS, PSFMASK, "product.fits"))
    return peer_command(release, "align_refs", *files)


def row(name: str, align_to: str, command: list[str], folder: Path) -> tuple[str, ...]:
    """Measure one program; give medians."""
    product, measured = folder / "product.fits", []
    for _ in range(RUNS):
        product.unlink(missing_ok=True)
        measured.append(measure(command, env=offline(folder), cwd=folder))
    size = product.stat().st_size / 1e6
    wall, cpu, peak = (
        median(getattr(m, field) for m in measured) for field in ("wall", "cpu", "peak")
    )
    numbers = (f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}", f"{size:.0f}")
    return name, align_to, *numbers


def main() -> None:
    """Measure all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("whole_job", "A whole job, one thread", ["1.15.1", "1.16.1"])
    report.say(
        "{} integrations × {} psfs, {} × {} pixels; medians of {} runs.".format(*SIZE, RUNS), ""
    )
    rows = []
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        folder = Path(name)
        simulate = [sys.executable, Path(__file__).with_name("scenes.py"), folder]
        subprocess.run([*map(str, (*simulate, *SIZE))], check=True)
        for align_to, release in (("each", "1.15.1"), ("first", "1.16.1")):
            own, peer = own_command(folder, align_to), step_command(folder, release)
            rows.append(row("psfalign", align_to, own, folder))
            rows.append(row(f"jwst {release}", align_to, peer, folder))
    report.table(COLUMNS, rows)
    report.say(f"Memory below {own_peak():.0f} MB would not be seen.")
    report.write()


if __name__ == "__main__":
    main()
