"""
Reduce source code to what it computes, for digests.

Comments, docstrings, blank lines and the text of errors are removed: of an error, only the class
counts, and other text for users does not count.
"""

import ast
import re
from collections.abc import Iterator

# A string, or a comment outside of strings; to tokenize a module takes many times as long.
STRING_OR_COMMENT = re.compile(
    r""""{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3}"""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\#[^\n]*""",
    re.DOTALL,
)
# Names that are only about wording: variables with parts of an error, and functions that report.
WORDING = {"problem", "remedy"}
TELLING = {"print", "sys.stderr.write"}
MAY_TELL = re.compile("Error|print|write")  # in the lines of each call that is only wording


def what_counts(source: str, tree: ast.Module) -> str:
    """
    Return source code, which was parsed to a tree, without text for readers.

    The rest is unchanged text, because parsed code differs between versions of Python.
    """
    kept = STRING_OR_COMMENT.sub(_without_comment, _without_wording(source, tree))
    return "\n".join(line.rstrip() for line in kept.splitlines() if line.strip())


def _without_wording(source: str, tree: ast.Module) -> str:
    """Replace all wording by something short, and docstrings by nothing."""
    text = source.splitlines()
    lines = [line.encode() for line in text]  # in which ast counts columns
    for node, short in reversed([*_wording(tree, text)]):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        kept = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [kept[0] + short.encode() + kept[1]]
    return b"\n".join(lines).decode()


def _wording(node: ast.AST, text: list[str]) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Yield each piece of wording, in its order, and its replacement."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.expr) and (short := _shortened(part)) is not None:
            yield part, short
        elif not isinstance(part, ast.expr) or _may_tell(part, text):
            yield from _wording(part, text)


def _may_tell(node: ast.expr, text: list[str]) -> bool:
    """Return whether an expression can hold wording; most need no search through their parts."""
    return any(map(MAY_TELL.search, text[node.lineno - 1 : node.end_lineno]))


def _shortened(node: ast.stmt | ast.expr) -> str | None:
    """Return what replaces a statement or call that is only wording; None for others."""
    if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
        return ""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return f"raise {ast.unparse(node.exc.func)}"
    if isinstance(node, ast.Assign) and _names(node.targets) <= WORDING:
        return "pass"
    if isinstance(node, ast.Call):
        name = _dotted(node.func)
        if name.endswith("Error") or name in TELLING:
            return name
    return None


def _dotted(function: ast.expr) -> str:
    """Return the name of a function, nothing where it is computed."""
    if isinstance(function, ast.Attribute):
        around = _dotted(function.value)
        return f"{around}.{function.attr}" if around else ""
    return function.id if isinstance(function, ast.Name) else ""


def _names(targets: list[ast.expr]) -> set[str]:
    """Return the names of variables; ? for what is no plain variable."""
    parts = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return {part.id if isinstance(part, ast.Name) else "?" for part in parts}


def _without_comment(found: re.Match[str]) -> str:
    return "" if found[0].startswith("#") else found[0]
