"""
What large campaigns cost Snakemake: planning, a rerun, changes, and scheduling with batches.

No image is worked on. Campaigns are real and small, and the real workflow plans them; instead of
running its steps, Snakemake is told to touch results that are there (``--touch``; from
benchmarks/finished.py), which goes through the same scheduler and writes the same records. So
everything that is measured here comes on top of the steps themselves. What a finished campaign
costs, benchmarks/planning.py measures.
"""

import argparse
import math
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from campaigns import Campaign, write_association, write_campaign
from finished import make_pattern, touch, write_finished
from report import Report
from runs import Measured

PLANNED = (100, 1_000, 10_000)
CHANGED = 1_000  # exposures of the campaign in which something changes
BATCH = 250  # exposures, as make run has it
SCHEDULED = {  # exposures: at a time
    100: (100,),
    300: (300,),
    1_000: (1_000, 500, BATCH, 100),
    3_000: (BATCH,),
    10_000: (BATCH,),
}


@dataclass(frozen=True)
class Plan:
    """What planning took, and how many jobs it found."""

    cost: Measured
    jobs: int


def plan(campaign: Campaign, *arguments: str) -> Plan:
    """Ask what would be done."""
    cost = campaign.engine("-n", *arguments)
    found = re.search(r"^total +(\d+)$", _log(campaign), re.MULTILINE)
    return Plan(cost, int(found[1]) if found else 0)


def _batch(number: int, count: int) -> tuple[str, ...]:
    return "--batch", f"exposures={number}/{count}", "exposures"


def _log(campaign: Campaign) -> str:
    return (campaign.folder / "log.txt").read_text()


def measure_planning(folder: Path, report: Report) -> None:
    """Plan campaigns that nothing is known of, and that are known."""
    start = _parse(write_campaign(folder / "one", 1))
    rows = []
    for count in PLANNED:
        campaign = write_campaign(folder / str(count), count)
        first, known = plan(campaign), plan(campaign)
        own = _parse(campaign).cpu - start.cpu
        batch = plan(campaign, *_batch(1, n_batches(count, BATCH)))
        row = (
            f"{count:,}",
            f"{known.jobs:,}",
            *(f"{plan.cost.wall:.0f}" for plan in (first, known)),
            f"{known.cost.cpu:.0f}",
            f"{max(0.0, 100 * own / known.cost.cpu):.0f} %",
            f"{known.cost.peak:.0f}",
            f"{batch.cost.wall:.0f}",
        )
        rows.append(row)
        shutil.rmtree(campaign.folder)
    columns = ("exposures", "jobs", "first plan (s)", "plan (s)", "plan, CPU (s)")
    more = ("of it psfalign's own", "plan (MB)", f"plan of {BATCH} of them (s)")
    report.table((*columns, *more), rows)


def n_batches(count: int, size: int) -> int:
    """Return the number of batches of a campaign."""
    return math.ceil(count / size)


def _parse(campaign: Campaign) -> Measured:
    """Read the workflow and check the campaign, without planning anything."""
    return campaign.engine("--list-rules")


def measure_changes(folder: Path, pattern: Campaign, report: Report) -> None:
    """Plan a finished campaign in which one thing has changed."""
    campaign = write_finished(folder / "changed", CHANGED, pattern)
    plan(campaign)  # so that its files are known
    changes: dict[str, Callable[[Campaign], None]] = {
        "nothing": lambda _: None,
        "the mask of one exposure": lambda campaign: change_mask(campaign.single_mask),
        "the mask of all others": lambda campaign: change_mask(campaign.common_mask),
        "one exposure more": add_exposure,
        "max_shift": lambda campaign: campaign.configure(align_refs={"max_shift": 4}),
    }
    rows = []
    for name, change in changes.items():
        kept = {path: path.read_bytes() for path in campaign.changeable}
        change(campaign)
        changed = plan(campaign)
        rows.append((name, f"{changed.cost.wall:.0f}", f"{changed.cost.cpu:.0f}", changed.jobs))
        for path, content in kept.items():
            path.write_bytes(content)
    shutil.rmtree(campaign.folder)
    report.table(("what changed", "plan (s)", "plan, CPU (s)", "jobs"), rows)


def change_mask(path: Path) -> None:
    """Mask one pixel more."""
    with fits.open(path, mode="update") as file:
        file["SCI"].data[0, 0] = 0.0


def add_exposure(campaign: Campaign) -> None:
    """Add an association of one science exposure."""
    path = write_association(campaign.folder / "data", 80_000, 1)
    associations = [*campaign.associations, f"data/{path.name}"]
    campaign.configure(associations=associations)


def measure_scheduling(folder: Path, pattern: Campaign, report: Report) -> None:
    """Let the scheduler go through all jobs of finished campaigns, in batches."""
    rows = []
    for count, sizes in SCHEDULED.items():
        campaign = write_finished(folder / str(count), count, pattern)
        plan(campaign)
        for size in sizes:
            costs = touch(campaign, n_batches(count, size))
            wall, cpu = (sum(getattr(cost, kind) for cost in costs) for kind in ("wall", "cpu"))
            each = f"{1e3 * cpu / count:.0f}"
            rows.append((f"{count:,}", f"{size:,}", f"{wall:.0f}", f"{cpu:.0f}", each))
        shutil.rmtree(campaign.folder)
    columns = ("exposures", "at a time", "seconds", "CPU seconds", "CPU ms an exposure")
    report.table(columns, rows)


def main() -> None:
    """Measure and report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report("scale", "Large campaigns", [])
    with tempfile.TemporaryDirectory(prefix="psfalign-scale-") as name:
        folder = Path(name)
        pattern = make_pattern(folder / "pattern")
        report.say("## Planning", "")
        measure_planning(folder, report)
        report.say(f"## Changes in a finished campaign of {CHANGED:,} exposures", "")
        measure_changes(folder, pattern, report)
        report.say("## Scheduling, as a whole or in batches", "")
        measure_scheduling(folder, pattern, report)
    report.write()


if __name__ == "__main__":
    main()
