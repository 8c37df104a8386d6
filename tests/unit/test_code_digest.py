"""The digest of a script changes only with the code that it runs."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from files import ROOT

from psfalign.files.provenance import code as provenance
from psfalign.files.provenance.code import code_digest
from psfalign.files.provenance.source import what_counts

SCRIPTS = sorted(p.name for p in (ROOT / "workflow/scripts").glob("*.py"))
STEPS = [name for name in SCRIPTS if name != "psfalign_adapter.py"]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("digests") / "workflow"
    shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def workflow(copied: Path) -> Iterator[Path]:
    """A copy of the workflow, whose edits are reverted."""
    yield copied
    for path in copied.rglob("*"):
        original = ROOT / "workflow" / path.relative_to(copied)
        if path.is_file() and original.is_file() and path.read_bytes() != original.read_bytes():
            path.write_bytes(original.read_bytes())
    shutil.rmtree(copied / ".snakemake", ignore_errors=True)


@pytest.fixture(scope="module")
def library(copied: Path) -> ModuleType:
    return load(copied / "lib/psfalign/files/provenance/code.py")


@pytest.fixture
def digests(workflow: Path, library: ModuleType) -> Callable[[], dict[str, str]]:
    """Digests of the copy's scripts by the copy's own code, with the memory of earlier parsing."""

    def digests() -> dict[str, str]:
        for name in ("code_digest", "_module", "_files"):
            getattr(library, name).cache_clear()
        return {name: library.code_digest(workflow / "scripts" / name) for name in STEPS}

    return digests


def load(path: Path) -> ModuleType:
    """Load a module of a copy of the library, with those beside it."""
    package = ModuleType("copied")
    package.__path__ = [str(path.parent)]
    sys.modules["copied"] = package
    sys.modules.pop("copied.source", None)
    spec = importlib.util.spec_from_file_location("copied.code", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name.removesuffix(".py") for name in before if before[name] != after[name]}


ALL = {name.removesuffix(".py") for name in STEPS}
# A module of each room, and the steps that compute with it.
USERS = {
    "__init__.py": ALL,
    "errors.py": set(),
    "system/parallel.py": set(),
    "system/progress.py": set(),
    "system/atomic_file.py": set(),
    "images/bad_pixels.py": {"clean", "fit_shifts", "align_psfs", "subtract_psf", "plot_exposure"},
    "images/shifted_psf.py": {"align_psfs", "subtract_psf"},
    "fit/least_squares.py": {"fit_shifts"},
    "fit/spectral.py": {"fit_shifts"},
    "files/fits/writer.py": ALL
    - {"simulate_demo", "resolve_psfmask", "plot_exposure", "plot_association"},
    "psfmask/catalogue.py": {"resolve_psfmask"},
    "steps/stack.py": {"stack_psfs"},
    "steps/registry.py": set(),
    "steps/in_memory.py": set(),
    "simulate/scene.py": {"simulate_demo"},
    "campaign/attempts.py": set(),
    "campaign/facts.py": set(),
    "report/figures/shifts.py": {"plot_exposure"},
    "report/campaign.py": set(),
    "archive/rocrate.py": set(),
    "cli/steps.py": set(),
}


@pytest.mark.parametrize("module", USERS)
def test_what_runs_again_after_an_edit_of_each_room(
    module: str, workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    before = digests()
    file = workflow / "lib/psfalign" / module
    text = file.read_text()
    file.write_text(f'"""Another docstring."""\n\n# A comment.\n{text}\n')
    assert changed(before, digests()) == set()
    file.write_text(f"{text}\nNEW = 1\n")
    assert changed(before, digests()) == USERS[module]


def test_every_room_is_edited() -> None:
    package = ROOT / "workflow/lib/psfalign"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    assert {name.split("/")[0] for name in USERS if "/" in name} == rooms


def test_script_changes_itself_only(workflow: Path, digests: Callable[[], dict[str, str]]) -> None:
    before = digests()
    with open(workflow / "scripts/fit_shifts.py", "a") as script:
        script.write("# new\n")
    assert changed(before, digests()) == set()
    with open(workflow / "scripts/fit_shifts.py", "a") as script:
        script.write("NEW = 1\n")
    assert changed(before, digests()) == {"fit_shifts"}


SOURCE = '''"""A docstring
of two lines."""

import os  # a comment


class A:
    """Another."""

    x: int = 1
    """Of an attribute."""

    def f(self, y="# no comment"):
        \'\'\'One more.\'\'\'  # with a comment
        text = """not
        a docstring"""
        return y, text

    def g(self):
        """Nothing else."""
'''


def counting(source: str) -> str:
    return what_counts(source, ast.parse(source))


def test_comments_docstrings_and_blank_lines_do_not_count() -> None:
    assert counting(SOURCE).splitlines() == [
        "import os",
        "class A:",
        "    x: int = 1",
        '    def f(self, y="# no comment"):',
        '        text = """not',
        '        a docstring"""',
        "        return y, text",
        "    def g(self):",
    ]


STRINGS = r"""
x = "it's # \" one"  # a comment
y = '''"#
# two''' # another
z = f"{x!r}#", '"' # the "last"
"""


def test_what_looks_like_a_comment_in_a_string_counts() -> None:
    assert counting(STRINGS).splitlines() == [
        r'''x = "it's # \" one"''',
        """y = '''"#""",
        "# two'''",
        """z = f"{x!r}#", '"'""",
    ]


SAYING = """
import sys

def check(size: int, path: str) -> None:
    problem, remedy = "holds é nothing", "look"
    if size < 3:
        problem = f"holds {size}"
        raise InputError(problem, remedy="now")
    refusal = kinds.MaskError(
        "is too large",  # a comment
        file=path,
    )
    if size > 9:
        raise refusal from None
    sys.stderr.write("done"); size = 5
    raise ValueError
"""


def test_wording_of_errors_does_not_count() -> None:
    assert counting(SAYING).splitlines() == [
        "import sys",
        "def check(size: int, path: str) -> None:",
        "    pass",
        "    if size < 3:",
        "        pass",
        "        raise InputError",
        "    refusal = kinds.MaskError",
        "    if size > 9:",
        "        raise refusal from None",
        "    sys.stderr.write; size = 5",
        "    raise ValueError",
    ]


# Words of errors in rooms that count, and others.
REWORDED = {
    "images/bad_pixels.py": ("holds no neighbours", "has nothing beside it"),
    "files/fits/structure.py": ("fetch the file again", "mend it"),
    "psfmask/file.py": ("is not a PSFMASK file", "is something else"),
    "steps/fit.py": ("look at the exposure", "think"),
}


def test_nothing_runs_again_for_other_words_of_an_error(
    workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    before = digests()
    for module, (old, new) in REWORDED.items():
        file = workflow / "lib/psfalign" / module
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
    assert changed(before, digests()) == set()


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_end_of_the_last_line_does_not_count(end: str) -> None:
    """Snakemake loses it where it fetches a workflow from elsewhere."""
    assert counting(f"x = 1{end}") == "x = 1"


def test_remembered_modules_are_those_that_are_parsed(
    workflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workflow)
    file = workflow / "lib/psfalign/files/provenance/code.py"
    scripts = [workflow / "scripts" / name for name in STEPS]
    first = load(file)
    parsed = [first.code_digest(script) for script in scripts]
    first.remember_code()
    second = load(file)
    monkeypatch.setattr(second, "what_counts", lambda *_: pytest.fail("parsed again"))
    assert [second.code_digest(script) for script in scripts] == parsed
    edited = workflow / "lib/psfalign/fit/spectral.py"
    edited.write_text(edited.read_text() + "\nNEW = 1\n")
    third = load(file)
    assert changed(
        dict(zip(STEPS, parsed, strict=True)),
        {name: third.code_digest(workflow / "scripts" / name) for name in STEPS},
    ) == {"fit_shifts"}


def test_memory_of_other_code_is_not_believed(
    workflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workflow)
    file = workflow / "lib/psfalign/files/provenance/code.py"
    first = load(file)
    digest = first.code_digest(workflow / "scripts/clean.py")
    first.remember_code()
    cache = workflow / first.CACHE
    content = json.loads(cache.read_text())
    for entry in content["modules"].values():
        entry[1] = "0" * 64
    cache.write_text(json.dumps(content | {"version": "another"}))
    assert load(file).code_digest(workflow / "scripts/clean.py") == digest


def test_digest_does_not_depend_on_where_the_checkout_lies(
    digests: Callable[[], dict[str, str]],
) -> None:
    here = {name: code_digest(ROOT / "workflow/scripts" / name) for name in STEPS}
    assert digests() == here


def test_digest_does_not_depend_on_how_the_code_came(
    workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    """Snakemake drops the end of the last line of what it fetches."""
    before = digests()
    for path in workflow.rglob("*.py"):
        path.write_text(path.read_text().removesuffix("\n"))
    assert digests() == before


@pytest.mark.parametrize("module", ["steps.fit", "steps.resolve", "report.exposure"])
def test_whatever_python_loads_is_in_the_closure(module: str) -> None:
    code = (
        "import sys, json\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "__import__(sys.argv[1])\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'psfalign']\n"
        "print(json.dumps(files))"
    )
    folder = str(ROOT / "workflow" / "lib")
    command = [sys.executable, "-c", code, f"psfalign.{module}", folder]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {Path(file) for file in json.loads(result.stdout)}
    assert len(loaded) > 10
    counting = {path for path in loaded if room_of(path) not in provenance.NOT_COMPUTING}
    start = provenance.PACKAGE / f"{module.replace('.', '/')}.py"
    assert counting <= provenance._closure(start) | {start, start.with_name("__init__.py")}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "workflow/lib/psfalign").parts[0]


def test_every_form_of_an_import_is_found() -> None:
    path = provenance.PACKAGE / "fit" / "some.py"
    code = """
import os, psfalign.images.mask_weight as mask  # both
from ..images import bad_pixels
from ..files.fits.writer import (
    A,  # of two lines
    B as C,
)
from . import pair
from .noise import *
def f():
    from ..system \\
        import progress
if os: from psfalign.report.html import(page)
text = "import nothing"
"""
    assert set(provenance._imported_names(ast.parse(code), path)) == {
        *("os", "psfalign.images.mask_weight"),
        *("psfalign.images", "psfalign.images.bad_pixels"),
        *("psfalign.files.fits.writer", "psfalign.files.fits.writer.A"),
        "psfalign.files.fits.writer.B",
        *("psfalign.fit", "psfalign.fit.pair", "psfalign.fit.noise", "psfalign.fit.noise.*"),
        *("psfalign.system", "psfalign.system.progress"),
        *("psfalign.report.html", "psfalign.report.html.page"),
    }
