"""
What the end of a large campaign costs: its page, and its RO-Crate.

One exposure is aligned by the workflow; all exposures of a campaign get its results, as links to
the same files.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from campaigns import Campaign, write_campaign
from report import Report
from runs import Measured, measure

from psfalign.archive.rocrate import METADATA
from psfalign.campaign.exposures import CALINTS
from psfalign.campaign.layout import CAMPAIGN_PAGE, STACKS

COUNTS = (100, 1_000, 10_000)
COLUMNS = ("exposures", "page (s)", "MB", "crate (s)", "MB", "crate again (s)", "both files (MB)")


def align_one(folder: Path) -> Path:
    """Align the one exposure of a campaign; return its results."""
    campaign = write_campaign(folder, 1)
    campaign.engine("--cores", "2")
    return folder / "results"


def give_results(campaign: Campaign, done: Path) -> None:
    """Link the results of the one exposure to the names of all."""
    results = campaign.folder / "results"
    (name,) = (path.parent.name for path in done.glob("*/*_psfmask.json"))
    (stack,) = (path.name for path in (done / STACKS).iterdir())
    own = [path for path in done.rglob(f"{name}*") if path.is_file()]
    for exposure in names_of(campaign):
        for path in own:
            place = str(path.relative_to(done)).replace(name, exposure)
            _link(path, results / place)
    _link(done / STACKS / stack, results / STACKS / stack)


def names_of(campaign: Campaign) -> list[str]:
    """Return the exposures of a campaign by the names of their results."""
    files = (campaign.folder / "data").glob(f"*001001_*{CALINTS}")
    return [f"{path.name.removesuffix(CALINTS)}_a3001" for path in files]


def _link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.link(path, place)


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
        done = align_one(Path(name) / "one")
        for count in COUNTS:
            campaign = write_campaign(Path(name) / str(count), count)
            give_results(campaign, done)
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
