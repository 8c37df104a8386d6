"""Make HTML pages that need no other files, no network and no fonts."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import visible
from ..files.digest import sha256
from .figures.style import STYLE

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
LONG = 45  # characters; a longer text in a cell may be broken anywhere
NUMBER = re.compile(r"[-−+]?[0-9][0-9.,e−+-]*( ?[±%÷].*)?|÷.*|–")


class Cell(NamedTuple):
    """
    A cell of a table.

    Attributes
    ----------
    text
        The text of the cell.
    mark
        ``bad``, ``good`` or empty.
    links
        Paths relative to the page, by the text of each link. Links replace the text.
    """

    text: str
    mark: str = ""
    links: Mapping[str, str] = MappingProxyType({})

    @property
    def kinds(self) -> str:
        """The CSS classes of the cell, separated by spaces."""
        kinds = {
            self.mark: bool(self.mark),
            "number": NUMBER.fullmatch(self.text),
            "long": len(self.text) > LONG,
            "links": bool(self.links),
        }
        return " ".join(kind for kind, applies in kinds.items() if applies)


Row = Sequence[str | int | Cell]


class Table(NamedTuple):
    """A table: its name, which must be unique on the page, its headings and its rows."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Row]


def render(template: str, **content: Any) -> bytes:
    """Return the page of a template; text is escaped, whatever a header contains."""
    return _environment().get_template(template).render(content).encode()


def load_templates() -> None:
    """Compile all templates, so that forks of this process find them compiled."""
    environment = _environment()
    for name in environment.list_templates(["html", "css", "js"]):
        environment.get_template(name)


def digest_looks() -> str:
    """Return the SHA-256 of the style and the templates of the figures and page of an exposure."""
    templates = (path for path in TEMPLATES.glob("[a-z]*") if path.name != "campaign.html")
    digests = map(sha256, (STYLE, *sorted(templates)))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment


def _finalize(value: object) -> object:
    """Make control characters visible in text; values that are HTML already were treated before."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else visible(value)


def _cell(value: str | int | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(str(value))
