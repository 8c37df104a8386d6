"""Rule subtract_psf."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.subtract import SubtractionOptions, subtract_psf

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Subtract the star from an exposure."""
    subtract_psf(
        Path(job.input.science),
        Path(job.input.product),
        Path(job.output.subtracted),
        options=SubtractionOptions(**job.params.job["settings"]),
    )


if __name__ == "__main__":
    run(main, snakemake)
