"""Rules clean_science and clean_psfs."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.clean import clean_exposure

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Replace the bad pixels of an exposure or a psfstack."""
    clean_exposure(Path(job.input[0]), Path(job.output[0]), **job.params.job["settings"])


if __name__ == "__main__":
    run(main, snakemake)
