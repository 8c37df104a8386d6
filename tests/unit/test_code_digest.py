"""The digest of a script changes with what it runs, and with nothing else."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from files import ROOT

from psfalign.files.provenance import code as provenance
from psfalign.files.provenance.code import code_digest

SCRIPTS = sorted(p.name for p in (ROOT / "workflow/scripts").glob("*.py"))
STEPS = [name for name in SCRIPTS if name != "psfalign_adapter.py"]


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    copy = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def digests(workflow: Path) -> Callable[[], dict[str, str]]:
    """Digests of the copy's scripts by the copy's own code, as a new process would see them."""

    def digests() -> dict[str, str]:
        module = load(workflow / "lib/psfalign/files/provenance/code.py")
        return {name: module.code_digest(workflow / "scripts" / name) for name in STEPS}

    return digests


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("provenance_of_the_copy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name.removesuffix(".py") for name in before if before[name] != after[name]}


# A module, and the scripts whose work depends on it; the deepest are imported by others only.
USERS = {
    "fit/least_squares.py": {"fit_shifts"},
    "fit/spectral.py": {"fit_shifts"},
    "steps/stack.py": {"stack_psfs"},
    "report/figures/shifts.py": {"plot_exposure"},
    "report/campaign.py": set(),
    "report/states.py": set(),
    "campaign/associations.py": set(),
    "campaign/exposures.py": set(),
    "cli.py": set(),
    "campaign/facts.py": set(),
    "campaign/yaml.py": set(),
}


@pytest.mark.parametrize("module", USERS)
def test_module_changes_the_scripts_that_use_it_and_no_other(
    module: str, workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    before = digests()
    file = workflow / "lib/psfalign" / module
    file.write_text(file.read_text() + "\nNEW = 1\n")
    assert changed(before, digests()) == USERS[module]


def test_module_that_all_use_changes_all(
    workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    before = digests()
    file = workflow / "lib/psfalign/__init__.py"
    file.write_text(file.read_text() + "\nNEW = 1\n")
    assert changed(before, digests()) == {name.removesuffix(".py") for name in STEPS}


def test_script_changes_itself_only(workflow: Path, digests: Callable[[], dict[str, str]]) -> None:
    before = digests()
    with open(workflow / "scripts/fit_shifts.py", "a") as script:
        script.write("# new\n")
    assert changed(before, digests()) == {"fit_shifts"}


def test_digest_does_not_depend_on_where_the_checkout_lies(
    digests: Callable[[], dict[str, str]],
) -> None:
    here = {name: code_digest(ROOT / "workflow/scripts" / name) for name in STEPS}
    assert digests() == here


def test_digest_does_not_depend_on_how_the_code_came(
    workflow: Path, digests: Callable[[], dict[str, str]]
) -> None:
    """The engine drops the end of the last line of what it fetches."""
    before = digests()
    for path in workflow.rglob("*.py"):
        path.write_text(path.read_text().removesuffix("\n"))
    assert digests() == before


@pytest.mark.parametrize("script", ["fit_shifts", "resolve_psfmask", "plot_exposure"])
def test_whatever_python_loads_is_in_the_closure(script: str) -> None:
    code = (
        "import sys, json\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "__import__(sys.argv[1])\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'psfalign']\n"
        "print(json.dumps(files))"
    )
    folders = [str(ROOT / "workflow" / name) for name in ("lib", "scripts")]
    command = [sys.executable, "-c", code, script, *folders]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {Path(file) for file in json.loads(result.stdout)}
    assert len(loaded) > 10
    assert loaded <= provenance._closure(ROOT / "workflow/scripts" / f"{script}.py")


def parsed_imports(path: Path) -> set[str]:
    """What Python itself finds imported in a file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = (
                path.parents[node.level - 1].relative_to(ROOT / "workflow/lib").parts
                if node.level
                else ()
            )
            base = ".".join((*inside, *filter(None, [node.module])))
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


CODE = sorted((ROOT / "workflow").rglob("*.py"))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT / "workflow")))
def test_imports_are_those_that_python_finds(path: Path) -> None:
    text = path.read_text()
    assert set(provenance._imported_names(text, path)) >= parsed_imports(path)


def test_every_form_of_an_import_is_found() -> None:
    path = provenance.PACKAGE / "fit" / "some.py"
    code = """
import os, psfalign.images.mask_weight as mask  # both
from ..images import bad_pixels
    from ..files.fits.writer import (
        A,  # of two lines
        B as C,
    )
from . import pair, result
from .noise import *
from psfalign.report.html import (x, y)
from ..files import (
    digest,  # see f()
    shifts,
)
from ..images.dq_flags \\
    import parse_bits
from ..system import \\
    progress
import psfalign.cli; import psfalign.campaign.facts
if X: from ..images import(padding)
from..campaign.layout import PRODUCT
from .. campaign.layout import SUMMARY
text = "import nothing"
"""
    assert list(provenance._imported_names(code, path)) == [
        *("os", "psfalign.images.mask_weight"),
        *("psfalign.images", "psfalign.images.bad_pixels"),
        *(
            "psfalign.files.fits.writer",
            "psfalign.files.fits.writer.A",
            "psfalign.files.fits.writer.B",
        ),
        *("psfalign.fit", "psfalign.fit.pair", "psfalign.fit.result"),
        *("psfalign.fit.noise", "psfalign.fit.noise.*"),
        *("psfalign.report.html", "psfalign.report.html.x", "psfalign.report.html.y"),
        *("psfalign.files", "psfalign.files.digest", "psfalign.files.shifts"),
        *("psfalign.images.dq_flags", "psfalign.images.dq_flags.parse_bits"),
        *("psfalign.system", "psfalign.system.progress"),
        *("psfalign.cli", "psfalign.campaign.facts"),
        *("psfalign.images", "psfalign.images.padding"),
        *("psfalign.campaign.layout", "psfalign.campaign.layout.PRODUCT"),
        *("psfalign.campaign.layout", "psfalign.campaign.layout.SUMMARY"),
    ]
