"""Each kind of bad input has a test that bears its number, and the page says which."""

from reliability import ITEMS, PAGE, RESULTS, find_tests, render_page, structure


def test_each_item_has_a_test() -> None:
    covered = {number for test in find_tests() for number in test.items}
    assert sorted(ITEMS) == list(range(1, 55))
    assert sorted(set(ITEMS) - covered) == []
    assert sorted(covered - set(ITEMS)) == []


def test_page_lists_the_tests_that_there_are() -> None:
    assert structure(PAGE.read_text(encoding="utf-8")) == structure(render_page({})), (
        "docs/reliability.md is stale; make reliability writes it anew"
    )


def test_page_holds_what_the_studies_printed() -> None:
    studies = [path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("*.md"))]
    assert len(studies) == 2
    assert PAGE.read_text(encoding="utf-8").endswith("\n".join(studies))
