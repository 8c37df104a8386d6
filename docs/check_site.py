"""
Check that a built site is whole and needs no network.

`python docs/check_site.py FOLDER` names every link within the site that leads nowhere, and
everything that a page would load from elsewhere. Links to other sites are not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """What a page links to and loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.targets: set[tuple[str, bool]] = set()  # address, and whether it is loaded
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the name of an element."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif (tag, name) in LOADED or (tag, name) == ("a", "href"):
                self.targets.add((value or "", tag != "a"))


def find_problems(site: Path) -> list[str]:
    """Return a line for each address that leads nowhere, or out of the site where it must not."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site}: no page"]
    return [
        f"{page.path}: {target}: {problem}"
        for page in pages.values()
        for target, loaded in sorted(page.targets)
        if (problem := _problem(page, target, pages, loaded=loaded))
    ]


def _problem(page: Page, target: str, pages: dict[Path, Page], *, loaded: bool) -> str:
    address = urlsplit(target)
    if address.scheme or address.netloc:
        return "is loaded from the network" if loaded and address.scheme != "data" else ""
    file = (page.path.parent / unquote(address.path)).resolve() if address.path else page.path
    if not file.is_file():
        return "leads nowhere"
    goal = pages.get(file.resolve())
    anchor = unquote(address.fragment)
    return "has no such place" if goal and anchor and anchor not in goal.anchors else ""


if __name__ == "__main__":
    problems = find_problems(Path(sys.argv[1]))
    print(*problems, sep="\n", end="\n" if problems else "")  # noqa: T201
    sys.exit(bool(problems))
