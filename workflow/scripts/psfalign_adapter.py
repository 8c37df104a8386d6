"""What all scripts share: the checkout's library first on the path, a log, errors in one line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Matplotlib, which poppy loads too, would write a cache of fonts into the home folder.
os.environ.setdefault("MPLCONFIGDIR", str(Path(".snakemake/psfalign/matplotlib").absolute()))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from psfalign.errors import OUT_OF_MEMORY, PsfalignError
from psfalign.process import prepare_process

prepare_process()

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake


def run(step: Callable[["Snakemake"], object], job: "Snakemake") -> None:
    """Run a step with standard error in the job's log; say a mistake in one line and exit 1."""
    terminal = os.dup(2)
    with open(job.log[0], "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
        try:
            step(job)
        except (PsfalignError, OSError, MemoryError) as error:
            problem = OUT_OF_MEMORY if isinstance(error, MemoryError) else error
            line = f"psfalign: error: {problem}\n"
            log.write(line)
            os.write(terminal, line.encode())
            sys.exit(1)
