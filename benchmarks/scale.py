"""
What large campaigns cost the engine: planning, a rerun, changes, and scheduling with batches.

No image is worked on. Campaigns are real and small, and the real workflow plans them; instead of
running its steps, the engine is told to touch their results (``--touch``), which goes through
the same scheduler and writes the same records. So everything that is measured here comes on top of
the steps themselves. The picture goes to docs/images/scale.png.
"""

import argparse
import math
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from matplotlib.figure import Figure

from campaigns import Campaign, write_association, write_campaign
from report import Report
from runs import Measured

CHECKOUT = Path(__file__).parents[1]
PICTURE = CHECKOUT / "docs" / "images" / "scale.png"
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
AIM = 180  # seconds, for planning 10,000 exposures
# Of the results of an exposure or a stack, in the order in which they are made.
STAGES = (
    *("psfmask.json", "psfstack.fits", "clean.fits", "shifts.ecsv", "psfalign.fits"),
    *(".png", "table.html", "summary.json"),
)


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


def touch(campaign: Campaign, *arguments: str) -> Measured:
    """Run the engine through all jobs without running any; make empty results afterwards."""
    cost = campaign.engine("--touch", "--no-hooks", "--cores", "2", *arguments)
    said = re.findall(r"not touched because they don't exist: (.*)$", _log(campaign), re.MULTILINE)
    results = [campaign.folder / name for line in said for name in line.split(", ")]
    # Made in this order, nothing is older than what it would have been made from.
    for path in sorted(results, key=lambda path: _stage(path.name)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return cost


def touch_in_batches(campaign: Campaign, n_batches: int) -> list[Measured]:
    """Do so batch by batch, as ``make run BATCH=`` does; the last run takes what is left."""
    batches = [_batch(i, n_batches) for i in range(1, n_batches)]
    return [touch(campaign, *batch) for batch in (*batches, ())]


def _batch(number: int, count: int) -> tuple[str, ...]:
    return "exposures", "--batch", f"exposures={number}/{count}"


def _stage(name: str) -> int:
    return next(number for number, end in enumerate(STAGES) if name.endswith(end))


def _log(campaign: Campaign) -> str:
    return (campaign.folder / "log.txt").read_text()


def measure_planning(folder: Path, report: Report) -> list[list[float]]:
    """Plan campaigns that nothing is known of, and that are known; leave them as they are."""
    start = _parse(write_campaign(folder / "one", 1))
    rows, planned = [], []
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
        planned.append([count, known.cost.wall])
    columns = ("exposures", "jobs", "first plan (s)", "plan (s)", "plan, CPU (s)")
    more = ("of it psfalign's own", "plan (MB)", f"plan of {BATCH} of them (s)")
    report.table((*columns, *more), rows)
    return planned


def write_known(folder: Path, count: int) -> Campaign:
    """Write a campaign, and plan it once, so that its files are known."""
    campaign = write_campaign(folder, count)
    plan(campaign)
    return campaign


def finish(campaign: Campaign, batches: int) -> tuple[list[Measured], Measured]:
    """Run the engine on a known campaign; return the costs of that, and of a rerun."""
    costs = touch_in_batches(campaign, batches)
    nothing = plan(campaign)
    if nothing.jobs:
        raise RuntimeError(f"{nothing.jobs} jobs are left in a finished campaign")
    return costs, nothing.cost


def n_batches(count: int, size: int) -> int:
    """Return the number of batches of a campaign."""
    return math.ceil(count / size)


def _parse(campaign: Campaign) -> Measured:
    """Read the workflow and check the campaign, without planning anything."""
    return campaign.engine("--list-rules")


def measure_changes(folder: Path, report: Report) -> None:
    """Plan a finished campaign in which one thing has changed."""
    campaign = write_known(folder / "changed", CHANGED)
    finish(campaign, n_batches(CHANGED, BATCH))
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


def measure_scheduling(folder: Path, report: Report) -> list[list[float]]:
    """Run the scheduler on planned and other campaigns, in batches; then run again."""
    rows, reruns = [], {}
    for count, sizes in SCHEDULED.items():
        for size in sizes:
            campaign = Campaign(folder / str(count))
            if not campaign.folder.exists():
                write_known(campaign.folder, count)
            costs, reruns[count] = finish(campaign, n_batches(count, size))
            wall, cpu = (sum(getattr(cost, kind) for cost in costs) for kind in ("wall", "cpu"))
            each = f"{1e3 * cpu / count:.0f}"
            rows.append((f"{count:,}", f"{size:,}", f"{wall:.0f}", f"{cpu:.0f}", each))
            shutil.rmtree(campaign.folder)
    columns = ("exposures", "at a time", "seconds", "CPU seconds", "CPU ms an exposure")
    report.table(columns, rows)
    report.say("A rerun that finds nothing to do:", "")
    rows = [
        (f"{count:,}", f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{cost.peak:.0f}")
        for count, cost in reruns.items()
    ]
    report.table(("exposures", "rerun (s)", "rerun, CPU (s)", "memory (MB)"), rows)
    return [[count, cost.wall] for count, cost in reruns.items()]


def draw(planned: list[list[float]], reruns: list[list[float]]) -> None:
    """Draw times of planning beside a line of slope 1 and the aim."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for points, name, marker, colour in (
        (planned, "planning", "o", "#0072B2"),
        (reruns, "rerun that finds nothing to do", "s", "#D55E00"),
    ):
        axes.loglog(*zip(*points, strict=True), marker, color=colour, label=name)
    counts, times = np.array(planned).T
    slope = counts * times[-1] / counts[-1]
    axes.loglog(counts, slope, color="#666666", linewidth=0.8, label="proportional")
    axes.loglog(10_000, AIM, "_", color="black", markersize=16, label="aim: 10,000 in 3 minutes")
    axes.set(title="Planning with Snakemake", xlabel="science exposures", ylabel="time (s)")
    axes.legend(frameon=False)
    figure.savefig(PICTURE)


def main() -> None:
    """Measure, report and draw."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report("scale", "Large campaigns", [])
    with tempfile.TemporaryDirectory(prefix="psfalign-scale-") as name:
        folder = Path(name)
        report.say("## Planning", "")
        planned = measure_planning(folder, report)
        report.say(f"## Changes in a finished campaign of {CHANGED:,} exposures", "")
        measure_changes(folder, report)
        report.say("## Scheduling, as a whole or in batches", "")
        draw(planned, measure_scheduling(folder, report))
    report.write()


if __name__ == "__main__":
    main()
