"""Rule simulate_demo."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.simulate import simulate_campaign

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Simulate the exposures of the demo."""
    simulate_campaign(Path(job.output[0]).parent, **job.params.job["settings"])


if __name__ == "__main__":
    run(main, snakemake)
