"""Text is escaped, and cells get classes by their content."""

import shutil
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from psfalign.report import html
from psfalign.report.html import Cell, Table, digest_looks, render

HOSTILE = "<b>&\"'\x1b[2J{{ 1 }}"
SHOWN = r"&lt;b&gt;&amp;&#34;&#39;\x1b[2J{{ 1 }}"
PAGE = {
    "title": "t",
    "pages": {},
    "remark": "",
    "origin": [],
    "pictures": {},
    "shifts": Table("shifts", ["a"], []),
}


@pytest.mark.bad_input(60)
@pytest.mark.parametrize(
    "content",
    [
        {"title": HOSTILE},
        {"origin": [(HOSTILE, "x")]},
        {"origin": [("x", HOSTILE)]},
        {"pages": {HOSTILE: "a.png"}},
        {"remark": HOSTILE},
        {"pictures": {HOSTILE: "iVBORw=="}},
        {"shifts": Table(HOSTILE, [], [])},
        {"shifts": Table("a", [HOSTILE], [])},
        {"shifts": Table("a", ["b"], [[HOSTILE]])},
        {"shifts": Table("a", ["b"], [[Cell(HOSTILE, "bad")]])},
    ],
)
def test_text_is_shown_wherever_it_stands(content: dict) -> None:
    page = render("exposure.html", **PAGE | content).decode()
    assert SHOWN in page
    assert not any(part in page for part in ("<b>", "\x1b"))


def test_path_of_a_link_is_quoted() -> None:
    page = render("exposure.html", **PAGE | {"pages": {"x": 'a"b <c>.png'}}).decode()
    assert 'href="a%22b%20%3Cc%3E.png"' in page


@pytest.mark.parametrize(
    ("cell", "kinds"),
    [
        (Cell("ok", "good"), "good"),
        (Cell("12"), "number"),
        (Cell("-0.1234"), "number"),
        (Cell("1.2e+05"), "number"),
        (Cell("–"), "number"),
        (Cell("3", "bad"), "bad number"),
        (Cell("3 psfs"), ""),
        (Cell("x" * 46), "long"),
        (Cell("", links={"images": "a.png"}), "links"),
    ],
)
def test_cells_are_classed(cell: Cell, kinds: str) -> None:
    assert cell.kinds == kinds


def test_content_that_a_template_lacks_is_no_empty_page() -> None:
    with pytest.raises(UndefinedError, match="'shifts' is undefined"):
        render("exposure.html", **{name: PAGE[name] for name in PAGE if name != "shifts"})


@pytest.mark.parametrize(
    "name", ["exposure.html", "page.html", "page.css", "page.js", "parts.html"]
)
def test_what_an_exposures_page_is_made_of_is_in_the_digest(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_looks()
    copied = shutil.copytree(html.TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(html, "TEMPLATES", Path(copied))
    with open(copied / "campaign.html", "a") as template:  # of no exposure
        template.write("changed")
    (copied / ".page.css.swp").write_text("of an editor")
    assert digest_looks() == before
    with open(copied / name, "a") as template:
        template.write("changed")
    assert digest_looks() != before
