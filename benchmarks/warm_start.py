"""
What a small exposure costs: by the workflow, steps in forks of a warm process or not, and alone.

The exposures are those of `campaigns`; `psfalign align` takes one after the other, a process for
each, from the mask to the product, without figures and subtraction. CPU seconds hold the engine and
all its processes; planning, which every run pays once, is measured by itself and taken away.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from campaigns import Campaign, write_campaign
from report import Report
from runs import measure

N_EXPOSURES = 9  # one that shares nothing, and four associations of two
COLUMNS = ("way", "CPU s an exposure", "times psfalign align")


def by_workflow(folder: Path, count: int, *, warm_start: bool) -> float:
    """Return the CPU seconds for each exposure of a campaign, its plan left out."""
    campaign = write_campaign(folder, count)
    campaign.configure(warm_start=warm_start)
    plan = campaign.engine("-n").cpu
    return (campaign.engine("--cores", "1").cpu - plan) / count


def alone(folder: Path, count: int) -> float:
    """Return the CPU seconds of ``psfalign align`` for each of some exposures."""
    campaign = write_campaign(folder, count)
    return sum(_align(campaign, name) for name in _sciences(campaign)) / count


def _sciences(campaign: Campaign) -> list[str]:
    return sorted(path.name for path in (campaign.folder / "data").glob("*001001_*_calints.fits"))


def _align(campaign: Campaign, science: str) -> float:
    data = campaign.folder / "data"
    psfs = sorted(data.glob(f"{science[:7]}002001_*")) or [data / "jw09997_psfstack.fits"]
    mask = campaign.common_mask if science[:7] != "jw09997" else campaign.single_mask
    files = ["--science", data / science, "--psfs", *psfs, "--psfmask", mask]
    output = ["--output", campaign.folder / science.replace("calints", "psfalign")]
    command = [sys.executable, "-m", "psfalign", "align", *files, *output]
    return measure([*map(str, command)], cwd=campaign.folder).cpu


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=N_EXPOSURES, help="exposures")
    count = parser.parse_args().count
    report = Report("warm_start", "What a small exposure costs", [])
    with tempfile.TemporaryDirectory(prefix="psfalign-warm-") as name:
        folder = Path(name)
        costs = {
            "psfalign align": alone(folder / "alone", count),
            "the workflow, warm start": by_workflow(folder / "warm", count, warm_start=True),
            "the workflow, each step its own Python": by_workflow(
                folder / "cold", count, warm_start=False
            ),
        }
        shutil.rmtree(folder, ignore_errors=True)
    one = costs["psfalign align"]
    report.say(f"{count} exposures of one integration and five psf images of 24×24 pixels.", "")
    report.table(COLUMNS, [(way, f"{cpu:.2f}", f"{cpu / one:.1f}") for way, cpu in costs.items()])
    report.write()


if __name__ == "__main__":
    main()
