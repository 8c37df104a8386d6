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
from collections.abc import Callable, Sequence
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
SCHEDULED = (300, 1_000, 3_000)
WHOLE = 1_000  # exposures up to which all are scheduled at once, too
FINISHED = 1_000  # exposures up to which each planned campaign is finished
BATCH = 250  # exposures
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
    """Let the engine go through all jobs without running any; make empty results afterwards."""
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
    batches = [("--batch", f"all={i}/{n_batches}") for i in range(1, n_batches)]
    return [touch(campaign, *batch) for batch in (*batches, ())]


def _stage(name: str) -> int:
    return next(number for number, end in enumerate(STAGES) if name.endswith(end))


def _log(campaign: Campaign) -> str:
    return (campaign.folder / "log.txt").read_text()


def measure_planning(folder: Path, counts: Sequence[int], report: Report) -> list[list[float]]:
    """Plan campaigns that nothing is known of, that are known, and that are finished."""
    start = _parse(write_campaign(folder / "one", 1))
    rows, planned = [], []
    for count in counts:
        campaign = write_campaign(folder / str(count), count)
        first, known = plan(campaign), plan(campaign)
        own = _parse(campaign).cpu - start.cpu
        batch = plan(campaign, "--batch", f"all=1/{n_batches(count)}")
        row = [
            f"{count:,}",
            f"{known.jobs:,}",
            *(f"{plan.cost.wall:.0f}" for plan in (first, known)),
            f"{known.cost.cpu:.0f}",
            f"{max(0.0, 100 * own / known.cost.cpu):.0f} %",
            f"{known.cost.peak:.0f}",
            f"{batch.cost.wall:.0f}",
        ]
        rerun = finish(campaign, n_batches(count))[1] if count <= FINISHED else None
        rows.append([*row, *((f"{rerun.wall:.0f}", f"{rerun.peak:.0f}") if rerun else "––")])
        planned.append([count, known.cost.wall, rerun.wall if rerun else np.nan])
        if count != CHANGED:
            shutil.rmtree(campaign.folder)
    columns = ("exposures", "jobs", "first plan (s)", "plan (s)", "plan, CPU (s)")
    more = ("of it psfalign's own", "plan (MB)", f"plan of {BATCH} of them (s)")
    report.table((*columns, *more, "rerun (s)", "rerun (MB)"), rows)
    return planned


def finish(campaign: Campaign, batches: int) -> tuple[list[Measured], Measured]:
    """Let the engine go through a campaign; give the costs of that, and of a rerun."""
    costs = touch_in_batches(campaign, batches)
    nothing = plan(campaign)
    if nothing.jobs:
        raise RuntimeError(f"{nothing.jobs} jobs are left in a finished campaign")
    return costs, nothing.cost


def n_batches(count: int) -> int:
    """Give the number of batches of a campaign."""
    return math.ceil(count / BATCH)


def _parse(campaign: Campaign) -> Measured:
    """Read the workflow and check the campaign, without planning anything."""
    return campaign.engine("--list-rules")


def measure_changes(campaign: Campaign, report: Report) -> None:
    """Plan a finished campaign in which one thing has changed."""
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


def measure_scheduling(folder: Path, counts: Sequence[int], report: Report) -> list[list[float]]:
    """Let the scheduler go through campaigns as a whole, and batch by batch."""
    rows, reruns = [], []
    for count in counts:
        parts = n_batches(count)
        for batches in dict.fromkeys((1, parts) if count <= WHOLE else (parts,)):
            campaign = write_campaign(folder / f"{count}-{batches}", count)
            plan(campaign)
            costs, nothing = finish(campaign, batches)
            wall, cpu = (sum(getattr(cost, kind) for cost in costs) for kind in ("wall", "cpu"))
            each = f"{1e3 * cpu / count:.0f}"
            rows.append((f"{count:,}", batches, f"{wall:.0f}", f"{cpu:.0f}", each))
            reruns.append([count, np.nan, nothing.wall])
            shutil.rmtree(campaign.folder)
    columns = ("exposures", "batches", "seconds", "CPU seconds", "CPU ms an exposure")
    report.table(columns, rows)
    report.say("A rerun that finds nothing to do:", "")
    table = {count: f"{seconds:.0f}" for count, _, seconds in reruns}
    report.table(("exposures", "rerun (s)"), [(f"{n:,}", cell) for n, cell in table.items()])
    return reruns


def draw(points: list[list[float]]) -> None:
    """Draw times of planning beside a line of slope 1 and the aim."""
    counts, planning, rerun = np.array(sorted(points)).T
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for times, name, marker, colour in (
        (planning, "planning", "o", "#0072B2"),
        (rerun, "rerun that finds nothing to do", "s", "#D55E00"),
    ):
        axes.loglog(counts, times, marker, color=colour, label=name)
    largest = np.nanargmax(np.where(np.isnan(planning), np.nan, counts))
    slope = counts * planning[largest] / counts[largest]
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
        points = measure_planning(folder, PLANNED, report)
        report.say(f"## Changes in a finished campaign of {CHANGED:,} exposures", "")
        measure_changes(Campaign(folder / str(CHANGED)), report)
        report.say(f"## Scheduling, in batches of {BATCH} exposures or as a whole", "")
        points += measure_scheduling(folder, SCHEDULED, report)
        draw(points)
    report.write()


if __name__ == "__main__":
    main()
