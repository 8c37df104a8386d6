"""Rule plot_exposure."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.report.exposure import Pages, plot_exposure

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Draw an exposure's result, and sum it up."""
    plot_exposure(
        Path(job.input.science),
        Path(job.input.psfs),
        Path(job.input.shifts),
        Path(job.input.psfmask),
        Pages(**{name: Path(path) for name, path in job.output.items()}),
        name=job.wildcards.exposure,
        star=job.params.job["settings"]["star"],
        figures=job.params.job["settings"]["figures"],
    )


if __name__ == "__main__":
    run(main, snakemake)
