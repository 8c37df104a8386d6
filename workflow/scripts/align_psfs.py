"""Rule align_psfs."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.align import align_exposure

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Write the product of an exposure."""
    align_exposure(
        Path(job.input.psfs),
        Path(job.input.shifts),
        Path(job.input.psfmask),
        Path(job.output[0]),
        association=next(map(Path, job.input.get("association", [])), None),
        threads=job.threads,
        **job.params.job["settings"],
    )


if __name__ == "__main__":
    run(main, snakemake)
