"""Distinguish failures that more memory or time may correct from permanent ones."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import PsfalignError, WorkerError
from . import layout

# The environment variable with the number of attempts at a job of a cluster, this one included.
ATTEMPT = "PSFALIGN_ATTEMPT"
# The last but one line of a log after a failure that the same data would cause again.
LASTING = "psfalign: trying it again would end the same way"
Mistake = TypeVar("Mistake", bound=BaseException)
TAIL = 1 << 14  # bytes that are read from the end of a log


def is_lasting(error: BaseException) -> bool:
    """Return whether an error is caused by the data, and not by the machine."""
    of_system = isinstance(error, WorkerError) or isinstance(error.__cause__, OSError)
    return isinstance(error, PsfalignError) and not of_system


def lasting_failure(log: Path) -> str:
    """Return the last error line of a step that failed for good; empty if it did not."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines[-2:-1] == [LASTING] else ""


def is_repeated(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a job runs because it failed before, in the same run of the workflow."""
    return environment.get(ATTEMPT, "1") != "1"


def counted_attempt(attempt: int, log: Path) -> int:
    """Return the attempt for which memory and time are requested; data errors get no more."""
    return 1 if attempt > 1 and lasting_failure(log) else attempt


def explain(error: Mistake, folder: Path) -> Mistake:
    """Return an error, with the remedy for results if it is about one in the output directory."""
    if isinstance(error, PsfalignError) and _is_result(str(error.file), folder):
        error.of_own_file()
    return error


def _is_result(file: str, folder: Path) -> bool:
    """Return whether a step of the workflow wrote a file, with or without ``[EXT]`` behind it."""
    path = Path(file.partition("[")[0])
    if folder not in path.parents:
        return False
    endings = tuple(layout.exposure_endings())
    return path.parent.name in layout.FOLDERS or path.name.endswith(endings)
