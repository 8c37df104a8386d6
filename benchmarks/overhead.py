"""
What the workflow takes for a small exposure, beside `psfalign align`, which does its work at once.

The same exposures go through the workflow with steps in forks of one process (`warm_start`), with a
Python for each step, and with forks but no figures; and through the command, one by one. Stars are
not subtracted. CPU seconds, with all processes that were started, on one core.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from campaigns import Campaign, write_campaign
from report import Report
from runs import measure, pin_to_one_core

from psfalign.campaign.configuration import read_settings
from psfalign.campaign.exposures import ScienceExposure, plan_exposures

N_EXPOSURES, RUNS = 20, 3
NO_SUBTRACTION = {"psf_subtraction": {"method": "none"}}
WAYS: dict[str, dict[str, Any]] = {
    "workflow": {"warm_start": True},
    "workflow, a Python for each step": {"warm_start": False},
    "workflow, no figures": {"warm_start": True, "figures": "none"},
}
COMMAND = "`psfalign align`"
COLUMNS = ("way", "CPU s an exposure", "times the command")


def run_workflow(campaign: Campaign, settings: dict[str, Any]) -> float:
    """Return the CPU seconds of a run with some settings."""
    for name in ("results", ".snakemake"):
        shutil.rmtree(campaign.folder / name, ignore_errors=True)
    campaign.configure(**NO_SUBTRACTION, **settings)
    return campaign.engine("--cores", "1").cpu


def run_command(campaign: Campaign, exposures: list[ScienceExposure]) -> float:
    """Return the CPU seconds of the command on all exposures."""
    return sum(measure(_command(campaign, e), cwd=campaign.folder).cpu for e in exposures)


def _command(campaign: Campaign, exposure: ScienceExposure) -> list[str]:
    mask = campaign.common_mask if exposure.association else campaign.single_mask
    return [
        *(sys.executable, "-m", "psfalign", "align", "--science", str(exposure.science)),
        *("--psfs", *map(str, exposure.stack.members), "--psfmask", str(mask)),
        *("--output", "aligned.fits"),
    ]


def main() -> None:
    """Measure all ways in turn, several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=N_EXPOSURES, help="exposures")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    count = options.count
    pin_to_one_core()
    report = Report("overhead", "What the workflow adds", [])
    report.say(
        f"{count} exposures of one integration and five psf images of 24×24 pixels; medians of "
        f"{options.runs} runs.",
        "",
    )
    taken: dict[str, list[float]] = {name: [] for name in (*WAYS, COMMAND)}
    with tempfile.TemporaryDirectory(prefix="psfalign-overhead-") as name:
        campaign = write_campaign(Path(name) / "campaign", count)
        with contextlib.chdir(campaign.folder):
            exposures = plan_exposures(read_settings(Path(campaign.config.name)))
        for _ in range(options.runs):
            for way, settings in WAYS.items():
                taken[way].append(run_workflow(campaign, settings) / count)
            taken[COMMAND].append(run_command(campaign, exposures) / count)
    least = median(taken[COMMAND])
    costs = {way: median(seconds) for way, seconds in taken.items()}
    report.table(
        COLUMNS, [(way, f"{cost:.2f}", f"{cost / least:.1f}") for way, cost in costs.items()]
    )
    report.write()


if __name__ == "__main__":
    main()
