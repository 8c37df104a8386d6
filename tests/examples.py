"""Find the examples of a page, and run them as a reader would."""

import doctest
import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
REFUSAL = "psfalign: error: "


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and its first line in the page."""

    page: str
    language: str
    text: str
    line: int

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of a console session, each with the output that it should give."""
        first, *sessions = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        assert not first, f"{self}: a session begins with a command"
        for session in sessions:
            command, _, expected = session.partition("\n")
            yield command, expected

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def find_blocks(text: str, page: str) -> list[Block]:
    """List the fenced blocks of a page."""
    return [
        Block(page, match[2], textwrap.dedent(match[3]), 2 + text.count("\n", 0, match.start()))
        for match in FENCE.finditer(text)
    ]


def run_session(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Run the commands of a block, and compare what they print, `...` standing for anything."""
    for command, expected in block.commands:
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        refused = expected.startswith(REFUSAL)
        assert (result.returncode != 0) == refused, f"{block}: {command}\n{result.stdout}"
        # Without any output in the page, only success counts.
        same = not expected or doctest.OutputChecker().check_output(
            expected, result.stdout, LENIENT
        )
        assert same, f"{block}: {command}\nexpected:\n{expected}\ngot:\n{result.stdout}"


def run_python(block: Block, names: dict[str, object]) -> None:
    """Run the statements of a block in the working directory; names stay for the next block."""
    test = doctest.DocTestParser().get_doctest(block.text, names, str(block), block.page, 0)
    assert test.examples, f"{block}: no statement"
    complaints: list[str] = []
    results = doctest.DocTestRunner(optionflags=LENIENT).run(
        test, out=complaints.append, clear_globs=False
    )
    names.update(test.globs)
    assert results.failed == 0, "".join(complaints)
