"""Pages of HTML that need nothing besides themselves: no network, no fonts."""

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
LONG = 45  # characters, from which a cell may break anywhere
NUMBER = re.compile(r"[-−+]?[0-9][0-9.,e−+-]*( ?[±%÷].*)?|÷.*|–")


class Cell(NamedTuple):
    """
    A cell of a table.

    Attributes
    ----------
    text
        What it shows.
    mark
        ``bad`` or ``good``, or nothing.
    links
        Paths relative to the page, by the words to show; they take the place of the text.
    """

    text: str
    mark: str = ""
    links: Mapping[str, str] = MappingProxyType({})

    @property
    def kinds(self) -> str:
        """The classes by which the style sheet tells cells apart."""
        kinds = {
            self.mark: bool(self.mark),
            "number": NUMBER.fullmatch(self.text),
            "long": len(self.text) > LONG,
            "links": bool(self.links),
        }
        return " ".join(kind for kind, applies in kinds.items() if applies)


Row = Sequence[str | int | Cell]


class Table(NamedTuple):
    """A table: its name, which is unique in the page, its headings, its rows."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Row]


def render(template: str, **content: Any) -> bytes:
    """Return a page made of a template; all text is shown as it is, whatever a header holds."""
    return _environment().get_template(template).render(content).encode()


def digest_looks() -> str:
    """Return one SHA-256 of what files beside the code say of an exposure's figures and page."""
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
    """Make control characters of a text visible; what is HTML already has been through this."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else visible(value)


def _cell(value: str | int | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(str(value))
