"""What the results of a campaign are called, and where they lie in its output directory."""

from pathlib import Path

# What the names of files end in: those of an exposure, and the two of a psf stack.
PRODUCT, SHIFTS, CLEAN, PSFMASK = "_psfalign.fits", "_shifts.ecsv", "_clean.fits", "_psfmask.json"
PSFSTACK = "_psfstack.fits"
SUMMARY = "_summary.json"
STACKS, REPORT, LOGS = "psfstacks", "report", "logs"  # folders
CAMPAIGN_PAGE = "campaign.html"  # in that of the report


def of_exposure(output: Path, exposure: str, end: str) -> Path:
    """Return where a result of an exposure is."""
    return output / exposure / f"{exposure}{end}"


def of_stack(output: Path, stack: str, end: str) -> Path:
    """Return where a psf stack is, or what was made of it."""
    return output / STACKS / f"{stack}{end}"
