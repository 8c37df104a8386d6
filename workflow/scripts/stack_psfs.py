"""Rule stack_psfs."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.stack import stack_psfs

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Concatenate the integrations of psf exposures."""
    stack_psfs([Path(member) for member in job.input], Path(job.output[0]))


if __name__ == "__main__":
    run(main, snakemake)
