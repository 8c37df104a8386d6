"""What must never get through, which tests say so, and the page docs/reliability.md of both."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = Path(__file__).parent / "studies" / "results"
MARKER = "bad_input"

# Number: what psfalign does about it.
ITEMS: Mapping[int, str] = MappingProxyType(
    {
        1: "A configuration that is absent, not UTF-8, has a tab or breaks YAML's syntax is refused "
        "with line and column.",
        2: "An empty configuration, or one that is a list or a word, is refused.",
        3: "A key that psfalign does not know is refused, with the nearest one that it does.",
        4: "A key that stands twice is refused with both lines.",
        5: "A value of the wrong type is refused with what to write, also where YAML reads a number "
        "as text.",
        6: "A median box without neighbours, or larger than the image, is refused.",
        7: "A missing key is named by its whole path.",
        8: "A campaign without exposures is refused; the demo does not fill in.",
        9: "Two exposures whose results would have one name, be it in other letters' case, are refused.",
        10: "Names of exposures and paths that could lead out of the output directory, or that the "
        "engine would read as patterns, are refused.",
        11: "An output directory is refused that is a file, is read-only, holds inputs where results "
        "go, or has too little room, which is estimated from the headers.",
        12: "Anchors, aliases, merge keys and tags in a configuration are refused; nothing in it is "
        "evaluated.",
        13: "URLs, the home abbreviation and control characters are no paths; nothing is fetched.",
        14: "Names of flags that do not exist, and bits out of range, are refused.",
        15: "No mask that matches, two that match equally, or a date that is none: refused, with "
        "what was tried.",
        16: "An association candidate that is not a letter and digits is refused.",
        17: "An association is refused that is not JSON, of another type, lacks members, or names "
        "files that are missing or serve twice.",
        18: "Inputs that are missing, folders, pipes, loops of links or unreadable are refused by "
        "name, and a pipe or device is never waited for.",
        19: "Empty files and files of other kinds are refused.",
        20: "A file that is cut anywhere is refused, even between two of its extensions.",
        21: "Bytes behind the end, headers that do not end or go on behind their end, and characters "
        "that headers may not hold, are refused.",
        22: "Compressed files are refused with the advice to decompress them.",
        23: "Checksums that a file carries are verified before planning and at each reading; a wrong "
        "one is refused, and where there is none, the cleaned file says so.",
        24: "An extension of pixels that is missing, there twice, in the wrong place, a table or "
        "empty is refused.",
        25: "Without errors or flags the documented defaults hold; of another shape, they are refused.",
        26: "Pixels with too few or too many axes, or an axis of length zero, are refused.",
        27: "Images of different sizes are refused, with the sizes of all.",
        28: "Integers with scaling are read as double precision, and undefined pixels are bad.",
        29: "Flags that are stored with a sign keep their highest bit.",
        30: "The order of bytes in a file never shows.",
        31: "A job that needs more memory than there is, is refused before the first job starts.",
        32: "Absurd or negative lengths of axes are refused at once.",
        33: "Keywords that are missing, blank, of the wrong type or said twice are named; case and "
        "blanks of values do not matter.",
        34: "Science, psf images and mask that do not belong together are refused with what differs.",
        35: "A file that changes while it is read ends the job.",
        36: "Nothing is deserialised, and no coordinate system is built from a header.",
        37: "Integrations and psf images without any content are flagged, all others are aligned.",
        38: "Infinite pixels and errors are bad pixels like any others.",
        39: "A bad pixel without good neighbours gets its value from a larger box.",
        40: "Edges and corners are treated like the rest.",
        41: "Masks that are empty, not finite, out of range or leave hardly a pixel are refused, and "
        "before any job where their pixels alone tell.",
        42: "What lies where the mask has no weight changes no bit of the shifts.",
        43: "Fits that do not converge, leave the range or find negative flux are flagged, and never "
        "give the start value.",
        44: "Nothing in a product is infinite or NaN but the planes of failed fits.",
        45: "On a full disk, without inodes or beyond a quota, a job ends with one line; what was "
        "there stays, and no part of a file is left.",
        46: "Whichever call of the system fails while any kind of file is written, the file is there "
        "completely, or as it was before.",
        47: "Killed jobs, engines and whole runs are finished by two commands, to the same bytes.",
        48: "A run that is asked to stop leaves nothing half done.",
        49: "A second run at once is refused, and the first goes on unharmed.",
        50: "Digests decide what runs again: not clocks, nor files that come back with older times.",
        51: "`psfalign verify` finds products that were edited or cut afterwards.",
        52: "An output directory may be a link; what matters is where it leads.",
        53: "Blanks, quotes and other letters in paths work.",
        54: "It works with a read-only checkout, from another folder, without HOME and without network.",
    }
)


@dataclass(frozen=True)
class Test:
    """A test function, and the kinds of bad input that it is about."""

    file: str
    name: str
    items: frozenset[int]
    is_slow: bool


def find_tests(folder: Path = ROOT / "tests") -> list[Test]:
    """List the tests that bear a number, in their names or by their marker."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module_is_slow = any(
            isinstance(node, ast.Assign) and "pytestmark" in ast.dump(node) for node in tree.body
        )
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                items = frozenset(_numbers(node))
                slow = module_is_slow or any(_is_slow(d) for d in node.decorator_list)
                if items:
                    found.append(Test(str(path.relative_to(ROOT)), node.name, items, slow))
    return found


def _numbers(function: ast.FunctionDef) -> Iterator[int]:
    match = re.match(r"test_item_(\d\d)_", function.name)
    if match:
        yield int(match[1])
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") == MARKER:
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def _is_slow(decorator: ast.expr) -> bool:
    return getattr(decorator, "attr", "") == "slow"


def structure(text: str) -> list[str]:
    """Give what of a page must agree with the tests: all but results."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [" | ".join(line.split(" | ")[:-1]) for line in rows if re.match(r"\| \d+ ", line)]


def render_page(results: Mapping[tuple[str, str], str]) -> str:
    """
    Render the page.

    Parameters
    ----------
    results
        What came of each test, by file and name.
    """
    tests = find_tests()
    rows = []
    for number, behaviour in ITEMS.items():
        own = [test for test in tests if number in test.items]
        names = "<br>".join(f"`{test.file}::{test.name}`" for test in own)
        outcome = _sum_up([results.get((test.file, test.name), "not run") for test in own])
        rows.append(f"| {number} | {behaviour} | {names} | {outcome} |")
    studies = [path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("*.md"))]
    return "\n".join([HEAD, *rows, "", *studies]).rstrip() + "\n"


def _sum_up(outcomes: list[str]) -> str:
    """Say how many tests passed, and how many did not."""
    words = sorted(set(outcomes), key=lambda word: (word != "passed", word))
    return ", ".join(f"{outcomes.count(word)} {word}" for word in words)


HEAD = """# What must never get through

A mistake in a configuration, a damaged file, a full disk or a crash must never produce a wrong
product that looks right. This page lists what can go wrong, what psfalign does about it, and the
tests that prove it, with what came of them when the page was made. A mistake is refused in one
line, `psfalign: error: FILE KEYWORD=value: problem; remedy`, and what can be known beforehand is
refused before any job starts, on every invocation.

`make reliability` runs the tests and the studies anew and writes this page; a test fails when the
page lists other tests than there are.

| item | behaviour | tests | last result |
|---|---|---|---|"""
