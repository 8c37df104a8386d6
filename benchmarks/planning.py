"""
What it costs to find out that a finished campaign has nothing to do.

The results of all exposures say of themselves how they were made (benchmarks/finished.py). They
are planned with nothing known, with what is remembered in the results alone, and with Snakemake's
memory besides, for which Snakemake touches each job once. psfalign's own part is what it takes to
read and check the campaign and to judge its results, before Snakemake plans.

Beside these, Snakemake plans all jobs of the same campaign, as it did in each case before psfalign
left out what is finished, and does where it is told to do more than make what is left. A profile of
one of the campaigns says where it then spends its part.
"""

import argparse
import pstats
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from campaigns import SNAKEFILE, Campaign
from finished import make_pattern, touch, write_finished
from report import Report
from runs import Measured, measure

COUNTS = (100, 1_000, 10_000)
MOST_TOUCHED = 100  # exposures: touching ten thousand takes an hour
BATCH = 250
NOTHING = "Nothing to be done"
ALL_JOBS = "--rulegraph"  # plans all jobs, and prints their rules only
PROFILED = 1_000  # exposures, or the most that are asked for
# What Snakemake does in `Workflow._build_dag`: file, function, and what it is for.
BUILD = ("workflow.py", "_build_dag")
PARTS = (
    ("dag.py", "new_job", "a `Job` is made"),
    ("rules.py", "expand_input", "of that, its input files are expanded from patterns"),
    ("rules.py", "apply_input_function", "of that, in functions of the workflow"),
    ("dag.py", "update_conda_envs", "params of all jobs are expanded to find conda environments"),
    ("dag.py", "check_directory_outputs", "all outputs are sorted to find folders among them"),
    ("dag.py", "update_needrun", "jobs that have to run are found"),
)
PART_COLUMNS = ("function", "share of the engine's planning", "what is done")
COLUMNS = ("exposures", "known", "CPU (s)", "of it psfalign's own (s)", "wall (s)", "memory (MB)")


def measure_planning(campaign: Campaign, count: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each of what may be known."""
    kept = campaign.folder / "results" / ".facts.json"
    start = campaign.engine("--version")
    for known in ("nothing", "in the results", "to the engine, too"):
        if known.startswith("to") and count > MOST_TOUCHED:
            return
        if known.startswith("to"):
            touch(campaign, -(-count // BATCH))
        else:
            shutil.rmtree(campaign.folder / ".snakemake", ignore_errors=True)
        if known == "nothing":
            kept.unlink(missing_ok=True)
        cost = plan(campaign)
        own = campaign.engine("--list-rules") if known != "nothing" else None
        own_cpu = f"{own.cpu - start.cpu:.1f}" if own else ""
        yield _row(count, known, cost, own_cpu)
        if known == "in the results":
            yield _row(count, f"{known}; all jobs planned", campaign.engine(ALL_JOBS), own_cpu)


def _row(count: int, known: str, cost: Measured, own: str) -> tuple[str, ...]:
    numbers = (f"{cost.cpu:.1f}", own, f"{cost.wall:.0f}", f"{cost.peak:.0f}")
    return (f"{count:,}", known, *numbers)


def profile(campaign: Campaign) -> list[tuple[str, ...]]:
    """Return the shares of parts of Snakemake when it plans all jobs of a campaign."""
    stored = str(campaign.folder / "profile")
    command = [sys.executable, "-m", "cProfile", "-o", stored, "-m", "snakemake", ALL_JOBS]
    command += ["-s", str(SNAKEFILE), "--configfile", campaign.config.name]
    measure(command, cwd=campaign.folder)
    # File, line and function of each: calls without and with recursion, seconds without and with
    # what it calls.
    calls = vars(pstats.Stats(stored))["stats"]  # an attribute that its type does not declare
    taken = {
        (Path(file).name, name): cumulative
        for (file, _, name), (_, _, _, cumulative, _) in calls.items()
        if "snakemake" in file
    }
    return [
        (f"`{file}`: `{name}`", f"{100 * taken[file, name] / taken[BUILD]:.0f} %", what)
        for file, name, what in PARTS
    ]


def plan(campaign: Campaign) -> Measured:
    """Ask what is to be done, which must be nothing."""
    cost = campaign.engine("-n")
    log = (campaign.folder / "log.txt").read_text()
    if NOTHING not in log:
        raise RuntimeError(f"something is left in a finished campaign:\n{log[-2000:]}")
    return cost


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS, help="exposures")
    counts = parser.parse_args().counts
    report = Report("planning", "Planning finished campaigns", [])
    rows: list[tuple[str, ...]] = []
    shares: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="psfalign-planning-") as name:
        pattern = make_pattern(Path(name) / "pattern")
        for count in counts:
            campaign = write_finished(Path(name) / str(count), count, pattern)
            for row in measure_planning(campaign, count):
                print(row, flush=True)
                rows.append(row)
            if count == min(PROFILED, max(counts)):
                shares = profile(campaign)
            shutil.rmtree(campaign.folder)
    report.table(COLUMNS, rows)
    report.say("", "## Where the engine spends its part of a plan of all jobs", "")
    report.table(PART_COLUMNS, shares)
    report.write()


if __name__ == "__main__":
    main()
