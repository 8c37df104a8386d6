"""
Digest the code that a step computes with: its script and the modules that this imports.

`psfalign.files.provenance.source` reduces each module to the code that counts. The packages of
`NOT_COMPUTING` are left out. Digests of modules are cached by the identity of their files.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .source import what_counts

PACKAGE = Path(__file__).resolve().parents[2]
ROOT = PACKAGE.parent
CACHE = Path(".snakemake/psfalign/code.json")  # where the workflow remembers modules
# Packages for reports, parallel work and the use of Snakemake; they compute no result.
NOT_COMPUTING = ("errors.py", "system", "campaign", "cli", "__main__.py")
NOT_FOLLOWED = [[room.removesuffix(".py")] for room in NOT_COMPUTING]  # as parts of names


class Module(NamedTuple):
    """
    The digest and the imports of a module.

    Attributes
    ----------
    digest
        SHA-256 of its code.
    names
        Full names of its imports; a name may be that of a function in a module.
    """

    digest: str
    names: list[str]


@cache
def code_digest(script: Path) -> str:
    """Return one SHA-256 for a script or module and every module that it computes with."""
    script = script.resolve()  # a checkout may be reached by a link
    digest = hashlib.sha256()
    for path in (script, *sorted(_closure(script))):
        digest.update(_module(path).digest.encode())
    return digest.hexdigest()


def remember_code() -> None:
    """
    Store the digests of modules for the jobs of a workflow.

    If they cannot be stored, jobs parse the modules again.
    """
    content = json.dumps({"version": _version(), "modules": _known()})
    partial = CACHE.with_name(f"{CACHE.name}.{os.getpid()}")
    try:
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content, encoding="utf-8")
        partial.replace(CACHE)
    except OSError:
        partial.unlink(missing_ok=True)


def _closure(script: Path) -> set[Path]:
    """Return the modules that a file imports, directly or indirectly, and that count."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for name in _module(waiting.pop()).names:
            for path in _files(name):
                if path not in found:
                    found.add(path)
                    waiting.append(path)
    return found


@cache
def _module(path: Path) -> Module:
    status = path.stat()
    identity = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    known = _known().get(str(path))
    if known is None or known[0] != identity:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        code = hashlib.sha256(what_counts(source, tree).encode()).hexdigest()
        known = _known()[str(path)] = [identity, code, sorted(set(_imported_names(tree, path)))]
    return Module(known[1], known[2])


@cache
def _known() -> dict[str, Any]:
    try:
        content = json.loads(CACHE.read_text(encoding="utf-8"))
        return dict(content["modules"]) if content["version"] == _version() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@cache
def _version() -> str:
    """Return the version of the cache; a cache of other code is not used."""
    own = (Path(__file__), Path(__file__).with_name("source.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in own)).hexdigest()


def _imported_names(tree: ast.Module, path: Path) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _full_name(node.level, node.module or "", path)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a module at any depth; expressions hold none."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.excepthandler | ast.match_case):
            yield part
            yield from _statements(part)


def _full_name(level: int, module: str, path: Path) -> str:
    if not level:
        return module
    package = path.parents[level - 1].relative_to(ROOT)
    return ".".join((*package.parts, *module.split("."))).rstrip(".")


@cache
def _files(name: str) -> tuple[Path, ...]:
    """Return the files of a module and of the packages around it that count."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name or parts[1:2] in NOT_FOLLOWED:
        return ()
    around = _files(name.rpartition(".")[0]) if len(parts) > 1 else ()
    path = os.path.join(ROOT, *parts)  # noqa: PTH118 - as the next line, for speed
    own = (f"{path}/__init__.py", f"{path}.py")
    return (*around, *(Path(file) for file in own if os.path.isfile(file)))  # noqa: PTH113
