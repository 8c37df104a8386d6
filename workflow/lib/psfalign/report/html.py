"""Pages of HTML that need nothing besides themselves: no network, no files, no fonts."""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape as escape_html
from typing import NamedTuple

from ..errors import visible

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 1.5rem;
  max-width: 80rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .3rem 0; max-width: 60rem; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; margin: .5rem 0; font-size: .9rem; }
caption { text-align: left; color: #444; padding: .2rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d5d5d5; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid #555; background: #fff; }
thead button { font: inherit; font-weight: 600; text-align: inherit; color: inherit; padding: 0;
  border: 0; background: none; cursor: pointer; }
td.long { overflow-wrap: anywhere; min-width: 12rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bad { color: #9c3a00; font-weight: 600; }
td.good { color: #00557f; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .15rem .8rem;
  margin: .5rem 0; }
dt { color: #444; } dd { margin: 0; overflow-wrap: anywhere; }
"""
# The button of a heading sorts by its column; used again, the other way round.
SCRIPT = """
document.querySelectorAll('thead th').forEach(function (head) {
  head.firstElementChild.addEventListener('click', function () {
    const body = head.closest('table').tBodies[0], column = head.cellIndex;
    const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    head.parentNode.querySelectorAll('th').forEach(function (other) {
      other.removeAttribute('aria-sort');
    });
    head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
    const key = function (row) { return row.cells[column].textContent.trim(); };
    Array.from(body.rows).sort(function (a, b) {
      return sign * key(a).localeCompare(key(b), 'en', {numeric: true});
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""
MARKS = {"bad", "good"}
LONG = 45  # characters, from which a cell may break anywhere
NUMBER = re.compile(r"[-−+]?[0-9][0-9.,e−+-]*( ?[±%÷].*)?|÷.*|–")


def escape(text: str) -> str:
    """Return HTML that shows a text as it is, whatever a header or a file's name holds."""
    return escape_html(visible(text))


class Marked(NamedTuple):
    """A text of a cell, marked as ``bad`` or ``good``."""

    text: str
    mark: str


Cell = str | int | Marked


def page(title: str, *parts: str) -> bytes:
    """Return a page with a title and parts that are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + f"\n<script>{SCRIPT}</script>\n"
        "</body>\n</html>\n"
    ).encode()


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def picture(content: bytes, text: str) -> str:
    """Return a PNG picture, kept in the page, with the text that stands for it."""
    data = base64.b64encode(content).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'


def facts(entries: Iterable[tuple[str, str]]) -> str:
    """Return a list of names and what they stand for."""
    items = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<dl>{''.join(items)}</dl>"


def table(
    identity: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str = ""
) -> str:
    """Return a table; cells that look like numbers are aligned to the right."""
    buttons = (f'<button type="button">{escape(name)}</button>' for name in heads)
    head = "".join(f'<th scope="col">{button}</th>' for button in buttons)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    text = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(identity)}">'
        f'<table id="{escape(identity)}">{text}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    text, mark = cell if isinstance(cell, Marked) else (str(cell), "")
    kinds = {mark: mark in MARKS, "number": NUMBER.fullmatch(text), "long": len(text) > LONG}
    classes = [kind for kind, applies in kinds.items() if applies]
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<td{attribute}>{escape(text)}</td>"
