"""Rule write_crds_manifest."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.psfmask.crds_manifest import CrdsChoice, write_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Write down which mask CRDS chose for each exposure."""
    choices = {name: CrdsChoice(**entry) for name, entry in job.params.job["settings"].items()}
    write_manifest(Path(job.output[0]), choices, job.params.job["inputs"])


if __name__ == "__main__":
    run(main, snakemake)
