"""Small changes of a source file, each of which the tests should notice."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Comparisons: what holds at the boundary, too, or no longer; and the contrary.
COMPARISONS: Mapping[type[ast.cmpop], tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        ast.Lt: ("<", ("<=", ">=")),
        ast.LtE: ("<=", ("<", ">")),
        ast.Gt: (">", (">=", "<=")),
        ast.GtE: (">=", (">", "<")),
        ast.Eq: ("==", ("!=",)),
        ast.NotEq: ("!=", ("==",)),
        ast.Is: ("is", ("is not",)),
        ast.IsNot: ("is not", ("is",)),
        ast.In: ("in", ("not in",)),
        ast.NotIn: ("not in", ("in",)),
    }
)
ARITHMETIC: Mapping[type[ast.operator], tuple[str, str]] = MappingProxyType(
    {
        ast.Add: ("+", "-"),
        ast.Sub: ("-", "+"),
        ast.Mult: ("*", "/"),
        ast.Div: ("/", "*"),
        ast.FloorDiv: ("//", "*"),
        ast.Mod: ("%", "//"),
        ast.Pow: ("**", "*"),
        ast.BitAnd: ("&", "|"),
        ast.BitOr: ("|", "&"),
        ast.LShift: ("<<", ">>"),
    }
)
BOTH_WAYS = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("sin", "cos"),
    ("zeros", "ones"),
)
NAMES: Mapping[str, str] = MappingProxyType(
    {one: other for a, b in BOTH_WAYS for one, other in ((a, b), (b, a))}
)


@dataclass(frozen=True)
class Mutant:
    """
    A changed source.

    Attributes
    ----------
    where
        The class and function, ``module`` outside of any.
    original, changed
        The lines of the change, before and after it, with single blanks.
    source
        The whole of the changed source.
    """

    where: str
    original: str
    changed: str
    source: str


@dataclass(frozen=True)
class _Edit:
    """A replacement of the bytes from start to end."""

    start: int
    end: int
    text: str


def make_mutants(source: str) -> list[Mutant]:
    """List all mutants of a source in the order of its lines."""
    whole = source.encode()
    offsets = [0]
    for line in whole.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    found = _Changes(whole, offsets)
    found.visit(ast.parse(source))
    return [_apply(whole, where, edit) for where, edit in found.edits]


def _apply(whole: bytes, where: str, edit: _Edit) -> Mutant:
    first = whole.rfind(b"\n", 0, edit.start) + 1
    last = whole.find(b"\n", edit.end)
    before, after = whole[: edit.start], whole[edit.end :]
    changed = whole[first : edit.start] + edit.text.encode() + whole[edit.end : last]
    return Mutant(
        where,
        _show(whole[first:last]),
        _show(changed),
        (before + edit.text.encode() + after).decode(),
    )


def _show(lines: bytes) -> str:
    """Give lines without comments, in one."""
    bare = re.sub(r"  # .*", "", lines.decode())
    return " ".join(bare.split()) or "(nothing)"


class _Changes(ast.NodeVisitor):
    """Collects edits; those of messages and annotations would change nothing that counts."""

    def __init__(self, whole: bytes, offsets: list[int]) -> None:
        self.whole, self.offsets = whole, offsets
        self.names: list[str] = []
        self.edits: list[tuple[str, _Edit]] = []

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.offsets[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offsets[node.end_lineno - 1] + node.end_col_offset

    def change(self, start: int, end: int, text: str) -> None:
        self.edits.append((".".join(self.names) or "module", _Edit(start, end, text)))

    def replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        self.change(self.start(node), self.end(node), text)

    def between(self, left: ast.expr, right: ast.expr, token: str, text: str) -> None:
        """Replace the operator between two operands, whatever brackets stand around it."""
        start = self.end(left)
        gap = self.whole[start : self.start(right)].decode()
        gap = re.sub(r"#.*", lambda comment: " " * len(comment[0].encode()), gap)
        pattern = token.replace(" ", r"\s+") if token[0].isalpha() else re.escape(token)
        match = re.search(pattern, gap)
        assert match, (gap, token)
        self.change(start + match.start(), start + match.end(), text)

    def text(self, node: ast.expr) -> str:
        return self.whole[self.start(node) : self.end(node)].decode()

    # Where nothing is changed

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave messages and patterns as they are."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *filter(None, node.kw_defaults)):
            self.visit(default)

    # Functions and classes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names.append(node.name)
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)
        self.names.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.names.pop()

    # Statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        # Without a plain name nothing would run; what a plain array holds is another matter.
        if not all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.replace(node, "pass")
        token, other = ARITHMETIC[type(node.op)]
        self.between(node.target, node.value, f"{token}=", f"{other}=")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not _is_none(node.value):
            self.replace(node.value, "None")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self.replace(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self.replace(node, "break")

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        if not isinstance(node.test, ast.Compare) or len(node.test.ops) > 1:
            self.replace(node.test, f"not ({self.text(node.test)})")
        self.generic_visit(node)

    visit_IfExp = visit_If  # noqa: N815

    # Expressions

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, right, kind in zip(operands, operands[1:], node.ops, strict=False):
            token, others = COMPARISONS[type(kind)]
            for other in others:
                self.between(left, right, token, other)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC:
            self.between(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, *words)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self.replace(node, f"({self.text(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        for other in _other_constants(node.value):
            self.replace(node, repr(other))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NAMES and isinstance(node.ctx, ast.Load):
            self.replace(node, NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NAMES:
            self.change(self.end(node) - len(node.attr), self.end(node), NAMES[node.attr])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is not None:
                self.drop(keyword)
        self.generic_visit(node)

    def drop(self, keyword: ast.keyword) -> None:
        """Leave an argument out, and the comma behind or before it."""
        start, end = self.start(keyword), self.end(keyword)
        if behind := re.match(rb"\s*,[ \t]*", self.whole[end:]):
            end += behind.end()
        elif before := re.search(rb",\s*$", self.whole[:start]):
            start = before.start()
        self.change(start, end, "")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _other_constants(value: object) -> Iterator[object]:
    """Give the other truth value, the neighbours of a whole number, twice and half of a real one."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1)
        case float() | complex():
            yield from (2 * value, value / 2) if value else (1.0,)
