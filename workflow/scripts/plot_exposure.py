"""Rule plot_exposure."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.plot import plot_exposure

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Draw the picture of an exposure's result."""
    plot_exposure(
        Path(job.input.science),
        Path(job.input.psfs),
        Path(job.input.shifts),
        Path(job.input.psfmask),
        Path(job.output[0]),
    )


if __name__ == "__main__":
    run(main, snakemake)
