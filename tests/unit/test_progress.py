"""Long steps say how far they are."""

import itertools

import pytest

from psfalign.system.progress import say_progress


def test_long_step_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = itertools.count(0, 6).__next__  # seconds: 0 at the start, then 6 for each item
    items = say_progress(iter("abcde"), "integrations fitted", total=5, clock=clock)
    assert list(items) == list("abcde")
    assert capsys.readouterr().err.splitlines() == [
        "2 of 5 integrations fitted, 12 s, about 18 s left",
        "4 of 5 integrations fitted, 24 s, about 6 s left",
    ]


def test_short_step_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(say_progress(range(1000), "planes", total=1000)) == list(range(1000))
    assert capsys.readouterr().err == ""
