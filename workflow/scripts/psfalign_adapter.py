"""Run a step in a job of Snakemake: check its library, write its log, report errors in one line."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / "lib" / "psfalign"
sys.path.insert(0, str(LIBRARY.parent))

import psfalign

FOUND = Path(psfalign.__file__).resolve().parent
if FOUND != LIBRARY:  # this Python has imported another psfalign before
    sys.exit(
        f"psfalign: error: {FOUND}: version {psfalign.__version__} was imported before the library "
        f"of these scripts, {LIBRARY}; remove it from this Python"
    )

from psfalign.campaign.attempts import LASTING, explain, is_lasting, is_repeated, lasting_failure
from psfalign.campaign.given import check_given
from psfalign.errors import DONE, PsfalignError, error_line
from psfalign.files.provenance.code import code_digest
from psfalign.system.process import ended_in_order, keep_caches_here, prepare_process

keep_caches_here()
prepare_process()

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake


def run(step: Callable[["Snakemake"], object], job: "Snakemake") -> None:
    """
    Run a step with standard error in the log of the job; report errors in one line and exit with 1.

    The code must be that with which the job was planned. The last line of the log describes the end
    of the step, and the page of the campaign reads it. Its CPU seconds are those of this process,
    including the start of Python if it started one, and of its workers.
    """
    terminal, start = os.dup(2), time.monotonic()
    failed_before = lasting_failure(Path(job.log[0])) if is_repeated() else ""
    with open(job.log[0], "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
        if failed_before:
            fail(failed_before, terminal, log, lasting=True)
        try:
            check_planned(step, job)
            check_given(job.params.job["inputs"], job.input)
            with ended_in_order():
                step(job)
        except (PsfalignError, OSError, MemoryError) as error:
            explained = explain(error, Path(job.log[0]).absolute().parents[2])
            fail(error_line(explained), terminal, log, lasting=is_lasting(error))
        costs = (
            f"{time.monotonic() - start:.2f} s, CPU {sum(os.times()[:4]):.2f} s{_largest_memory()}"
        )
        print(f"{DONE}{costs}", file=sys.stderr)


def check_planned(step: Callable[["Snakemake"], object], job: "Snakemake") -> None:
    """Raise an error if the code has changed since the job was planned."""
    # Snakemake may give an address instead of the path of the script.
    script = HERE / Path(step.__globals__["__file__"]).name
    if code_digest(script) != job.params.job["code"]:
        problem = f"it or its library {LIBRARY} has changed since the job was planned"
        raise PsfalignError(problem, file=script, remedy="start the run again")


def fail(line: str, terminal: int, log: TextIO, *, lasting: bool) -> NoReturn:
    """Write the line of an error to the log and the terminal, and end the job."""
    log.write(f"{LASTING}\n{line}\n" if lasting else f"{line}\n")
    os.write(terminal, f"{line}\n".encode())
    sys.exit(1)


def _largest_memory() -> str:
    """
    Return the peak memory of this process, if the kernel provides it (Linux).

    `getrusage` would return the peak of the parent process.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return ""
    kilobytes = next((line.split()[1] for line in status.splitlines() if "VmHWM" in line), "0")
    return f", at most {int(kilobytes) // 1024} MB"
