"""Which failures a repetition may mend."""

from pathlib import Path

import pytest

from psfalign.campaign.attempts import (
    LASTING,
    counted_attempt,
    is_lasting,
    is_repeated,
    lasting_failure,
)
from psfalign.errors import FitError, InputError, WorkerError

LINE = "psfalign: error: a.fits: is empty; leave it out"


def unreadable() -> InputError:
    error = InputError("cannot be read", file="a.fits")
    error.__cause__ = OSError(5, "Input/output error")
    return error


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (InputError("is empty", file="a.fits"), True),
        (FitError("3 of 3 fits failed"), True),
        (unreadable(), False),
        (WorkerError("a process died"), False),
        (OSError(28, "No space left on device"), False),
        (MemoryError(), False),
    ],
    ids=["input", "fit", "disk", "worker", "full", "memory"],
)
def test_mistakes_of_the_data_last(error: BaseException, lasting: bool) -> None:
    assert is_lasting(error) == lasting


def test_memory_and_time_grow_only_where_they_may_help(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    assert [counted_attempt(n, log) for n in (1, 2, 3)] == [1, 2, 3]
    log.write_text(f"fitting\n{LINE}\n")
    assert counted_attempt(2, log) == 2
    log.write_text(f"fitting\n{LASTING}\n{LINE}\n")
    assert lasting_failure(log) == LINE
    assert [counted_attempt(n, log) for n in (1, 2, 3)] == [1, 1, 1]


def test_first_attempt_is_none_that_is_repeated() -> None:
    assert not is_repeated({})
    assert not is_repeated({"PSFALIGN_ATTEMPT": "1"})
    assert is_repeated({"PSFALIGN_ATTEMPT": "2"})
