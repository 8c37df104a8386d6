"""
What large campaigns cost the engine: planning, a rerun, changes, and scheduling with batches.

No image is worked on. Campaigns are real and small, and the real workflow plans them; instead of
running its steps, the engine is told to touch their results (``--touch``), which goes through
the same scheduler and writes the same records. So everything that is measured here comes on top of
the steps themselves. The picture goes to docs/images/scale.png.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from matplotlib.figure import Figure

from campaigns import Campaign, write_association, write_campaign
from report import Report
from runs import Measured, measure

CHECKOUT = Path(__file__).parents[1]
PICTURE = CHECKOUT / "docs" / "images" / "scale.png"
PLANNED = (100, 1_000, 10_000)
CHANGED = 1_000  # exposures of the campaign in which something changes
SCHEDULED = (300, 1_000, 3_000)
WHOLE = 1_000  # exposures up to which all are scheduled at once, too
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


def engine(campaign: Campaign, *arguments: str) -> Measured:
    """Run the engine in the folder of a campaign and measure it."""
    command = [str(Path(sys.executable).with_name("snakemake")), "-s", f"{CHECKOUT}/Snakefile"]
    command += ["--configfile", campaign.config.name, *arguments]
    return measure(command, cwd=campaign.folder)


def plan(campaign: Campaign) -> Plan:
    """Ask what would be done."""
    cost = engine(campaign, "-n")
    found = re.search(r"^total +(\d+)$", _log(campaign), re.MULTILINE)
    return Plan(cost, int(found[1]) if found else 0)


def touch(campaign: Campaign, *arguments: str) -> Measured:
    """Let the engine go through all jobs without running any; make empty results afterwards."""
    cost = engine(campaign, "--touch", "--no-hooks", "--cores", "2", *arguments)
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


def measure_planning(folder: Path, counts: Sequence[int], report: Report) -> dict[str, list[float]]:
    """Plan campaigns that nothing is known of, that are known, and that are finished."""
    start = _parse(write_campaign(folder / "one", 1))
    rows, lines = [], {"planning": [], "rerun that finds nothing to do": []}
    for count in counts:
        campaign = write_campaign(folder / str(count), count)
        first, known = plan(campaign), plan(campaign)
        own = _parse(campaign).cpu - start.cpu
        runs = touch_in_batches(campaign, max(1, round(count / BATCH)))
        nothing = plan(campaign)
        if nothing.jobs:
            raise RuntimeError(f"{nothing.jobs} jobs are left in a finished campaign")
        costs = (known.cost, nothing.cost)
        rows.append(
            (
                f"{count:,}",
                f"{known.jobs:,}",
                *(f"{plan.cost.wall:.0f}" for plan in (first, known, nothing)),
                f"{known.cost.cpu:.0f}",
                f"{100 * own / known.cost.cpu:.0f} %",
                *(f"{cost.peak:.0f}" for cost in costs),
                f"{1e3 * sum(run.cpu for run in runs) / count:.0f}",
            )
        )
        for line, cost in zip(lines.values(), costs, strict=True):
            line.append(cost.wall)
        if count != CHANGED:
            shutil.rmtree(campaign.folder)
    columns = ("exposures", "jobs", "first plan (s)", "plan (s)", "rerun (s)", "plan, CPU (s)")
    report.table(
        (
            *columns,
            "of it psfalign's own",
            "plan (MB)",
            "rerun (MB)",
            "all batches (CPU ms an exposure)",
        ),
        rows,
    )
    return lines


def _parse(campaign: Campaign) -> Measured:
    """Read the workflow and check the campaign, without planning anything."""
    return engine(campaign, "--list-rules")


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


def measure_scheduling(folder: Path, counts: Sequence[int], report: Report) -> None:
    """Let the scheduler go through campaigns as a whole, and batch by batch."""
    rows = []
    for count in counts:
        n_batches = max(1, round(count / BATCH))
        for batches in dict.fromkeys((1, n_batches) if count <= WHOLE else (n_batches,)):
            campaign = write_campaign(folder / f"{count}-{batches}", count)
            plan(campaign)
            costs = touch_in_batches(campaign, batches)
            cpu = sum(cost.cpu for cost in costs)
            wall = sum(cost.wall for cost in costs)
            rows.append(
                (f"{count:,}", batches, f"{wall:.0f}", f"{cpu:.0f}", f"{1e3 * cpu / count:.0f}")
            )
            shutil.rmtree(campaign.folder)
    columns = ("exposures", "batches", "seconds", "CPU seconds", "CPU ms an exposure")
    report.table(columns, rows)


def draw(counts: Sequence[int], lines: dict[str, list[float]]) -> None:
    """Draw times of planning beside a line of slope 1 and the aim."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for (name, times), marker, colour in zip(
        lines.items(), "os", ("#0072B2", "#D55E00"), strict=True
    ):
        axes.loglog(counts, times, marker, color=colour, label=name)
    slope = np.array(counts) * lines["planning"][-1] / counts[-1]
    axes.loglog(counts, slope, color="#666666", linewidth=0.8, label="proportional")
    axes.loglog(10_000, AIM, "_", color="black", markersize=16, label="aim: 10,000 in 3 minutes")
    axes.set(title="Planning with Snakemake", xlabel="science exposures", ylabel="time (s)")
    axes.legend(frameon=False)
    figure.savefig(PICTURE)


def main() -> None:
    """Measure, report and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("planned", PLANNED), ("scheduled", SCHEDULED)):
        parser.add_argument(f"--{name}", type=int, nargs="*", default=default, metavar="N")
    options = parser.parse_args()
    report = Report("scale", "Large campaigns", [])
    with tempfile.TemporaryDirectory(prefix="psfalign-scale-") as name:
        folder = Path(name)
        if options.planned:
            report.say("## Planning", "")
            lines = measure_planning(folder, options.planned, report)
            draw(options.planned, lines)
        if (folder / str(CHANGED)).exists():
            report.say(f"## Changes in a finished campaign of {CHANGED:,} exposures", "")
            measure_changes(Campaign(folder / str(CHANGED)), report)
        if not options.scheduled:
            report.write()
            return
        report.say(f"## Scheduling, in batches of {BATCH} exposures or as a whole", "")
        measure_scheduling(folder, options.scheduled, report)
    report.write()


if __name__ == "__main__":
    main()
