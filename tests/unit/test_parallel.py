"""Results come in order, with few items at a time, and no processes remain."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE

from psfalign.errors import InputError, WorkerError
from psfalign.system.parallel import ordered_map

each_number_of_threads = pytest.mark.parametrize("threads", [1, 2, 5])
LIBRARY = Path(__file__).parents[2] / "workflow" / "lib"


def children() -> set[str]:
    """Processes that this one has started and not yet waited for."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@each_number_of_threads
@pytest.mark.parametrize("n", [0, 1, 7, 40])
def test_results_are_in_the_order_of_the_items(threads: int, n: int) -> None:
    def slowest_first(item: int) -> int:
        time.sleep(1e-3 * ((n - item) % 4))
        return item**2

    assert list(ordered_map(slowest_first, range(n), threads=threads)) == [i**2 for i in range(n)]


@each_number_of_threads
def test_few_items_are_held_at_a_time(threads: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for handed_over, _ in enumerate(ordered_map(abs, items(), threads=threads)):
        assert taken - handed_over <= 2 * threads + 1
    assert taken == 100


@each_number_of_threads
def test_exceptions_arrive_with_their_item(threads: int) -> None:
    results = ordered_map(lambda item: 1 / item, [2, 1, 0, 4], threads=threads)
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        next(results)


@each_number_of_threads
def test_mistakes_keep_their_words(threads: int) -> None:
    mistake = InputError("is empty", file=Path("a.fits"), keyword="K", value=2, remedy="fetch it")

    def fail(_: int) -> None:
        raise mistake

    with pytest.raises(InputError) as caught:
        list(ordered_map(fail, [1, 2], threads=threads))
    assert str(caught.value) == str(mistake) == "a.fits K=2: is empty; fetch it"


@each_number_of_threads
def test_nothing_is_taken_before_a_result_is_asked_for(threads: int) -> None:
    def items() -> Iterator[int]:
        raise AssertionError("asked for an item")
        yield 0

    results = ordered_map(abs, items(), threads=threads)
    with pytest.raises(AssertionError, match="asked for an item"):
        next(results)


def test_items_and_results_may_be_larger_than_a_pipe() -> None:
    big = [bytes([n]) * 3_000_000 for n in range(6)]
    assert list(ordered_map(bytes.upper, big, threads=2)) == [item.upper() for item in big]


def test_work_is_done_in_as_many_other_processes() -> None:
    def where(_: int) -> int:
        time.sleep(0.05)
        return os.getpid()

    places = set(ordered_map(where, range(8), threads=2))
    assert len(places) == 2
    assert os.getpid() not in places


@pytest.mark.parametrize("dies", [0, 5])
def test_a_killed_worker_is_an_error_and_ends_the_others(dies: int) -> None:
    before = children()

    def work(item: int) -> int:
        if item == dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(WorkerError, match=r"was killed by signal 9; give the job more memory"):
        list(ordered_map(work, range(20), threads=2))
    assert children() == before


def test_a_worker_that_exits_is_an_error() -> None:
    with pytest.raises(WorkerError, match="ended with exit code 3"):
        list(ordered_map(lambda _: os._exit(3), [1], threads=2))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_no_process_is_left_when_the_consumer_fails(error: type[BaseException]) -> None:
    before = children()

    def consume() -> None:
        for _ in ordered_map(abs, range(50), threads=3):
            raise error

    with pytest.raises(error):
        consume()
    assert children() == before


PARENT = """
import os, signal, sys, time
from psfalign.system.parallel import ordered_map

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

def work(item):
    print(os.getpid(), flush=True)
    time.sleep(0.3)

list(ordered_map(work, range(1000), threads=2))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT]
    environment = {"PYTHONPATH": str(LIBRARY)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # the workers are at work
        parent.send_signal(number)
        # This ends only when every process that holds the pipe has ended.
        parent.stdout.read()
        assert parent.wait(timeout=PATIENCE) != 0
