"""Rule fit_shifts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.fit.integration import FitOptions
from psfalign.steps.fit import fit_exposure

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Fit all psf images to all integrations of an exposure."""
    settings = dict(job.params.job["settings"])
    options = FitOptions.take(settings)
    table = fit_exposure(
        Path(job.input.science),
        Path(job.input.psfs),
        Path(job.input.psfmask),
        Path(job.output[0]),
        options=options,
        threads=job.threads,
        **settings,
    )
    print(f"{len(table)} pairs, {table.n_failed} failed", file=sys.stderr)


if __name__ == "__main__":
    run(main, snakemake)
