"""
What the end of a large campaign costs: its page, and its RO-Crate.

The workflow makes three exposures; all others get copies of their results (benchmarks/finished.py).
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from campaigns import Campaign
from finished import make_pattern, write_finished
from report import Report
from runs import Measured, measure

from psfalign.archive.rocrate import METADATA
from psfalign.campaign.layout import CAMPAIGN_PAGE

COUNTS = (100, 1_000, 10_000)
COLUMNS = ("exposures", "page (s)", "MB", "crate (s)", "MB", "crate again (s)", "both files (MB)")


def psfalign(campaign: Campaign, verb: str) -> Measured:
    """Run a command of psfalign on a campaign."""
    command = [sys.executable, "-m", "psfalign", verb, campaign.config.name]
    return measure(command, cwd=campaign.folder)


def main() -> None:
    """Measure and report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report("closing", "The end of large campaigns", [])
    rows = []
    with tempfile.TemporaryDirectory(prefix="psfalign-closing-") as name:
        pattern = make_pattern(Path(name) / "pattern")
        for count in COUNTS:
            campaign = write_finished(Path(name) / str(count), count, pattern)
            page, crate, again = (psfalign(campaign, v) for v in ("summary", "crate", "crate"))
            results = campaign.folder / "results"
            files = (results / CAMPAIGN_PAGE, results / METADATA)
            size = sum(path.stat().st_size for path in files) / 1e6
            costs = (page.wall, page.peak, crate.wall, crate.peak, again.wall)
            rows.append((f"{count:,}", *(f"{cost:.0f}" for cost in costs), f"{size:.0f}"))
            shutil.rmtree(campaign.folder)
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
