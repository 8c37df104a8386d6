"""Rule plot_association."""

from pathlib import Path
from typing import TYPE_CHECKING

from psfalign_adapter import run

from psfalign.report.association import AssociationPages, plot_association

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake, snakemake


def main(job: "Snakemake") -> None:
    """Draw what is left around the star of an association."""
    plot_association(
        Path(job.input.northup),
        Path(job.input.contrast),
        AssociationPages(**{name: Path(path) for name, path in job.output.items()}),
        name=job.wildcards.association,
    )


if __name__ == "__main__":
    run(main, snakemake)
