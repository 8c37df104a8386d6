"""
What the workflow costs for small exposures, by the choice of figures, beside `psfalign align`.

One exposure of the demo with its psf images takes part under many names. The choices take turns;
CPU seconds are those of Snakemake and all its jobs.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import yaml

from campaigns import Campaign
from report import Report
from runs import measure, pin_to_one_core

from psfalign.simulate import simulate_campaign

N_EXPOSURES, ROUNDS = 20, 3
CHOICES = ("all", "reported", "none")
SCIENCE, PSFS = "jw09999001001_*_calints.fits", "jw09999-a3001*_psfstack.fits"
MASK = "psfmask_nircam*.fits"
COLUMNS = ("what", "CPU s an exposure", "ratio", "MB of report an exposure")


def write_exposures(folder: Path) -> Campaign:
    """Write a campaign of one exposure of the demo under many names."""
    simulate_campaign(folder / "data")
    science, psfs, mask = (
        str(next((folder / "data").glob(name)).relative_to(folder))
        for name in (SCIENCE, PSFS, MASK)
    )
    campaign = Campaign(folder)
    exposures = [
        {"science": science, "psfs": psfs, "asn_id": f"a{3001 + n}"} for n in range(N_EXPOSURES)
    ]
    config = {"exposures": exposures, "psfmask": {"references": [mask]}}
    config["psf_subtraction"] = {"method": "none"}  # as `psfalign align` does without it
    campaign.config.write_text(yaml.safe_dump(config))
    return campaign


def run_workflow(campaign: Campaign, figures: str) -> float:
    """Make everything with one choice of figures; return the CPU seconds of an exposure."""
    campaign.configure(figures=figures, output_dir=figures)
    return campaign.engine("--cores", "1", "--forceall").cpu / N_EXPOSURES


def run_align(campaign: Campaign) -> float:
    """Align one exposure by the command line, start-up included; return its CPU seconds."""
    entry = yaml.safe_load(campaign.config.read_text())
    exposure, (mask,) = entry["exposures"][0], entry["psfmask"]["references"]
    command = [sys.executable, "-m", "psfalign", "align", "--science", exposure["science"]]
    command += ["--psfs", exposure["psfs"], "--psfmask", mask, "--output", "product.fits"]
    (campaign.folder / "product.fits").unlink(missing_ok=True)
    return measure(command, cwd=campaign.folder).cpu


def report_size(campaign: Campaign, figures: str) -> float:
    """Return the MB that the report holds for an exposure."""
    files = (campaign.folder / figures / "report").glob("jw*/*")
    return sum(path.stat().st_size for path in files) / 1e6 / N_EXPOSURES


def main() -> None:
    """Measure and report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("figures", "What figures cost", [])
    report.say(f"{N_EXPOSURES} exposures without subtraction, {ROUNDS} rounds, medians.", "")
    with tempfile.TemporaryDirectory(prefix="psfalign-figures-") as name:
        campaign = write_exposures(Path(name))
        workflow: dict[str, list[float]] = {choice: [] for choice in CHOICES}
        alone = []
        for _ in range(ROUNDS):
            alone.append(run_align(campaign))
            for choice in CHOICES:
                workflow[choice].append(run_workflow(campaign, choice))
        sizes = {choice: report_size(campaign, choice) for choice in CHOICES}
    rows = [("psfalign align", f"{median(alone):.2f}", "1.0", "")]
    for choice, times in workflow.items():
        ratio = median(one / other for one, other in zip(times, alone, strict=True))
        size = f"{sizes[choice]:.2f}"
        rows.append((f"workflow, figures: {choice}", f"{median(times):.2f}", f"{ratio:.1f}", size))
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
