"""Thousands of damaged files give an error of one line, or the right data."""

import pytest
from studies.mutations import study


@pytest.mark.bad_input(19, 20, 21, 23, 24, 25, 32, 33)
@pytest.mark.parametrize(
    "count",
    [pytest.param(1200, id="some"), pytest.param(20_000, marks=pytest.mark.slow, id="many")],
)
def test_item_21_damaged_files(count: int) -> None:
    outcomes, wrong = study(count)
    assert wrong == []
    assert sum(sum(counts.values()) for counts in outcomes.values()) == count
    # The study would prove nothing if all files were refused, or none.
    for counts in outcomes.values():
        assert counts["refused"] > counts["read, unchanged"] > 0
