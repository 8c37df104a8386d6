"""
What it costs to find out that a finished campaign has nothing to do.

The results of all exposures say of themselves how they were made (benchmarks/finished.py). They
are planned with nothing known, with what is remembered in the results alone, and with the engine's
memory besides, for which the engine touches each job once. psfalign's own part is what it takes to
read and check the campaign and to judge its results, before the engine plans.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from campaigns import Campaign
from finished import make_pattern, touch, write_finished
from report import Report
from runs import Measured

COUNTS = (100, 1_000, 10_000)
MOST_TOUCHED = 100  # exposures: touching ten thousand takes an hour
BATCH = 250
NOTHING = "Nothing to be done"
COLUMNS = ("exposures", "known", "CPU (s)", "of it psfalign's own (s)", "wall (s)", "memory (MB)")


def measure(campaign: Campaign, count: int) -> Iterator[tuple[str, ...]]:
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
        numbers = (f"{cost.cpu:.1f}", own_cpu, f"{cost.wall:.0f}", f"{cost.peak:.0f}")
        yield (f"{count:,}", known, *numbers)


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
    with tempfile.TemporaryDirectory(prefix="psfalign-planning-") as name:
        pattern = make_pattern(Path(name) / "pattern")
        for count in counts:
            campaign = write_finished(Path(name) / str(count), count, pattern)
            for row in measure(campaign, count):
                print(row, flush=True)
                rows.append(row)
            shutil.rmtree(campaign.folder)
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
