"""
What counts of source code: what it computes, and not what it says.

Comments, docstrings and blank lines do not count, nor the wording of errors: what is raised counts
by its class only, other text for users not at all.
"""

import ast
import io
import tokenize
from collections.abc import Iterator

LAYOUT = (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENCODING)
# Names that are only about wording: variables with parts of an error, and functions that report.
WORDING = {"problem", "remedy"}
TELLING = {"print", "sys.stderr.write"}


def what_counts(source: str, tree: ast.Module) -> str:
    """
    Return source code, which was parsed to a tree, without what it says.

    The rest stays as it is written: what Python makes of it differs between its releases.
    """
    lines = [*_without_wording(source, tree).splitlines(), ""]
    for (row, column), (last, end) in reversed([*_silent("\n".join(lines))]):
        kept = lines[row - 1][:column], lines[last - 1][end:]
        lines[row - 1 : last] = [kept[0] + kept[1], *[""] * (last - row)]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _without_wording(source: str, tree: ast.Module) -> str:
    """Replace all wording by something short."""
    lines = [line.encode() for line in source.splitlines()]  # in which ast counts columns
    for node, short in reversed([*_wording(tree)]):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        kept = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [kept[0] + short.encode() + kept[1]]
    return b"\n".join(lines).decode()


def _wording(node: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Yield each piece of wording, in its order, and its replacement."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.expr) and (short := _shortened(part)):
            yield part, short
        else:
            yield from _wording(part)


def _shortened(node: ast.stmt | ast.expr) -> str:
    """Return the replacement of a statement or call that only reports; empty for others."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return f"raise {ast.unparse(node.exc.func)}"
    if isinstance(node, ast.Assign) and _names(node.targets) <= WORDING:
        return "pass"
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name.endswith("Error") or name in TELLING:
            return name
    return ""


def _names(targets: list[ast.expr]) -> set[str]:
    """Return the names of variables; ? for what is no plain variable."""
    parts = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return {part.id if isinstance(part, ast.Name) else "?" for part in parts}


def _silent(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield start and end (row from 1, column) of comments and of text that stands by itself."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    starts_line = True
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        stands_alone = starts_line and after.type in (tokenize.NEWLINE, tokenize.COMMENT)
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and stands_alone):
            yield token.start, token.end
        if token.type not in LAYOUT:
            starts_line = token.type == tokenize.NEWLINE
