"""Results in order, few items at a time."""

import time
from collections.abc import Iterator

import pytest

from psfalign.parallel import ordered_map

each_number_of_threads = pytest.mark.parametrize("threads", [1, 2, 5])


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
def test_nothing_is_taken_before_a_result_is_asked_for(threads: int) -> None:
    def items() -> Iterator[int]:
        raise AssertionError("asked for an item")
        yield 0

    results = ordered_map(abs, items(), threads=threads)
    with pytest.raises(AssertionError, match="asked for an item"):
        next(results)
