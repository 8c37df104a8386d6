"""Digest the code that a job runs: a script and all modules of the checkout that it imports."""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
ROOT = PACKAGE.parent
# An import statement: the dots and the name of what it is from, and what it imports.
IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:from[ \t]*([. \t]*)([\w.]*)[ \t]+)?"
    r"import\b[ \t]*(?:\(([^)]*)\)|([^;\n]*))",
    re.MULTILINE,
)
COMMENT, CONTINUATION = re.compile(r"#.*"), "\\\n"


@cache
def code_digest(script: Path) -> str:
    """
    Return the SHA-256 of a script and, in a fixed order, of every module that it imports.

    Comments and blank lines count: bytes are simpler to trust than meanings. The end of the last
    line does not: the engine loses it where it fetches a workflow from elsewhere.
    """
    digest = hashlib.sha256()
    for path in (script, *sorted(_closure(script))):
        digest.update(path.read_bytes().rstrip())
    return digest.hexdigest()


def _closure(script: Path) -> set[Path]:
    """Find the modules of the checkout that a file imports, directly or not."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        for module in _imports(path):
            if module not in found:
                found.add(module)
                waiting.append(module)
    return found


@cache
def _imports(path: Path) -> frozenset[Path]:
    names = _imported_names(path.read_text(encoding="utf-8"), path)
    return frozenset(file for name in names for file in _files(name, beside=path.parent))


def _imported_names(code: str, path: Path) -> Iterator[str]:
    """
    Return the full names of what is imported; a name may be that of a function in a module.

    Every job of the workflow does this; to parse all of its modules would take it 50 ms.
    What is in a docstring counts, too, which does no harm.
    """
    code = COMMENT.sub("", code).replace(CONTINUATION, " ")
    for dots, module, in_brackets, in_line in IMPORT.findall(code):
        base = _full_name("".join(dots.split()), module, path)
        if base:
            yield base
        for part in (in_brackets or in_line).split(","):
            for name in part.split()[:1]:  # what follows is "as" and another name
                yield f"{base}.{name}" if base else name


def _full_name(dots: str, module: str, path: Path) -> str:
    if not dots:
        return module
    package = path.parents[len(dots) - 1].relative_to(ROOT)
    return ".".join((*package.parts, *module.split("."))).rstrip(".")


def _files(name: str, *, beside: Path) -> Iterator[Path]:
    """Return the module of a dotted name and the packages around it, where they are psfalign's."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        neighbour = beside / f"{parts[0]}.py"
        if parts[0].startswith(PACKAGE.name) and neighbour.is_file():
            yield neighbour
        return
    for length in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file
