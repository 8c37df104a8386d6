"""
Run the tests that bear numbers, and write docs/reliability.md with what came of them.

    PYTHONPATH=tests:workflow/lib python -m studies.reliability [PYTEST ARGUMENTS]
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from reliability import PAGE, ROOT, find_tests, render_page

# In this order, what matters most about a test with several sets of parameters.
WORDS = ("failed", "error", "skipped", "passed")


def run_tests(arguments: list[str], report: Path) -> None:
    """Run what bears a number, in the files that hold it."""
    tests = [f"{test.file}::{test.name}" for test in find_tests()]
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, *tests]
    subprocess.run(command, cwd=ROOT, check=False)


def read_results(report: Path) -> dict[tuple[str, str], str]:
    """Give the worst result of each test function, by file and name."""
    results: dict[tuple[str, str], str] = {}
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        key = file, case.get("name", "").partition("[")[0]
        word = _word_of(case)
        results[key] = min(word, results.get(key, "passed"), key=WORDS.index)
    return results


def _word_of(case: ET.Element) -> str:
    tags = {"failure": "failed", "error": "error", "skipped": "skipped"}
    return next((word for tag, word in tags.items() if case.find(tag) is not None), "passed")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="psfalign-reliability-") as folder:
        report = Path(folder) / "report.xml"
        run_tests(sys.argv[1:], report)
        results = read_results(report)
    PAGE.write_text(render_page(results), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(results)} tests")
    return any(word in ("failed", "error") for word in results.values())


if __name__ == "__main__":
    sys.exit(main())
