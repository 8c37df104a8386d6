"""Rule subtract_psf."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.rolls import Roll
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Subtract the star from an exposure."""
    rolls = job.input.rolls
    subtract_psf(
        Path(job.input.science),
        Path(job.input.product),
        Path(job.output.subtracted),
        rolls=[Roll(*map(Path, pair)) for pair in zip(rolls, job.input.roll_shifts, strict=True)],
        options=SubtractionOptions(**job.params.job["settings"]),
    )


if __name__ == "__main__":
    run(main, snakemake)
