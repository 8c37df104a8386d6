"""Rule combine_rolls."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.steps.combine import combine_rolls

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Combine the exposures of a target."""
    combine_rolls(
        [Path(name) for name in job.input],
        Path(job.output.northup),
        Path(job.output.contrast),
        **job.params.job["settings"],
    )


if __name__ == "__main__":
    run(main, snakemake)
