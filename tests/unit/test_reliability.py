"""Each item of docs/reliability.md has a test that bears its number."""

import re

from files import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def test_each_item_of_the_page_has_a_test(covered_items: set[int]) -> None:
    items = [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", PAGE.read_text("utf-8"))]
    assert items == sorted(set(items))
    assert sorted(covered_items) == items
