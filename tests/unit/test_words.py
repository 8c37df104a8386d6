"""Numbers and names in sentences."""

import pytest

from psfalign.campaign.words import all_of, plural, some_of


@pytest.mark.parametrize(("number", "said"), [(0, "0 pairs"), (1, "1 pair"), (2, "2 pairs")])
def test_nouns_follow_their_number(number: int, said: str) -> None:
    assert plural(number, "pair") == said


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more"), ({1: 0, 2: 0}, "1, 2")],
)
def test_of_many_names_the_first_are_told(names: list[object], said: str) -> None:
    assert some_of(names, 2) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [(["a"], "a"), (["a", "b"], "a and b"), ({"a": 0, "b": 0, "c": 0}, "a, b and c")],
)
def test_all_names_end_with_and(names: list[str], said: str) -> None:
    assert all_of(names) == said
