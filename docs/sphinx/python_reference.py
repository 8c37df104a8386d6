"""One page for each module of the library, from its docstrings, with signatures as written."""

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import psfalign

FOLDER = Path("docs", "reference", "python")  # below the repository; made again by each build
PAGE = """# {name}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :ignore-module-all:
```
"""
INDEX = """# Python functions

What a docstring says, module by module. Arrays have the axes (…, rows, columns); a shift is
(dx, dy) in pixels, positive towards higher column and row.

| module | what it is |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before they are read."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", as_written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write an index and a page for each module; leave alone what is the same as before."""
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(list_modules())
    pages = {f"{name}.md": PAGE.format(name=name) for name in names}
    rows = "\n".join(f"| [{name}]({name}.md) | {_summary(name)} |" for name in names)
    pages["index.md"] = INDEX.format(rows=rows, names="\n".join(names))
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def list_modules() -> Iterator[str]:
    """Return the names of all modules that document something."""
    yield psfalign.__name__
    for module in pkgutil.walk_packages(psfalign.__path__, "psfalign."):
        if not module.name.rpartition(".")[2].startswith("_"):
            yield module.name


def _summary(name: str) -> str:
    docstring = inspect.getdoc(importlib.import_module(name)) or ""
    return docstring.partition("\n")[0].removesuffix(".").replace("|", "\\|")


def as_written(
    _app: Sphinx, what: str, _name: str, item: Any, _options: Any, *_signature: str | None
) -> tuple[str | None, str | None] | None:
    """Return a function's signature as the source has it: with the names of the array types."""
    if what not in ("function", "method"):
        return None
    try:
        source = textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError):
        return None
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    arguments = function.args
    if what == "method" and arguments.args and arguments.args[0].arg in ("self", "cls"):
        del arguments.args[0]
    returns = ast.unparse(function.returns) if function.returns else None
    return f"({ast.unparse(arguments)})", returns
