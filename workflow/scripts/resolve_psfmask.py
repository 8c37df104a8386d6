"""Rule resolve_psfmask."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.resolve import resolve_psfmask

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Choose the mask of an exposure."""
    resolved = resolve_psfmask(
        Path(job.input.science),
        Path(job.output[0]),
        candidates=[Path(mask) for mask in job.input.get("masks", [])],
        crds=job.params.crds,
        **job.params.job["settings"],
    )
    for line in (resolved.reason, *resolved.notes):
        print(f"{resolved.file_name}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run(main, snakemake)
