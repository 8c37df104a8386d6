"""What all scripts share: the checkout's library first on the path, a log, errors in one line."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Matplotlib, which poppy loads too, would write a cache of fonts into the home folder.
os.environ.setdefault("MPLCONFIGDIR", str(Path(".snakemake/psfalign/matplotlib").absolute()))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from psfalign.errors import DONE, PsfalignError, error_line
from psfalign.system.process import prepare_process

prepare_process()

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake


def run(step: Callable[["Snakemake"], object], job: "Snakemake") -> None:
    """
    Run a step with standard error in the job's log; say a mistake in one line and exit 1.

    The last line of the log tells how it ended; the campaign's page is made of it.
    """
    terminal, start = os.dup(2), time.monotonic()
    with open(job.log[0], "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
        try:
            step(job)
        except (PsfalignError, OSError, MemoryError) as error:
            line = f"{error_line(error)}\n"
            log.write(line)
            os.write(terminal, line.encode())
            sys.exit(1)
        print(f"{DONE}{time.monotonic() - start:.2f} s{_largest_memory()}", file=sys.stderr)


def _largest_memory() -> str:
    """Tell the peak of this process where the kernel does (Linux); getrusage has its parent's."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return ""
    kilobytes = next((line.split()[1] for line in status.splitlines() if "VmHWM" in line), "0")
    return f", at most {int(kilobytes) // 1024} MB"
