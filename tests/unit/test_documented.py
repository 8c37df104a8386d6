"""Generated parts of pages agree with the code, and docstrings can be typeset."""

import importlib
import inspect
import io
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docutils.core
import draw
import draw_report
import generate
import numpy as np
import pytest
import yaml
from check_site import find_problems
from files import ROOT
from matplotlib.image import imread
from sample import describe_product

import psfalign
from psfalign.campaign.configuration import complete_config
from psfalign.campaign.settings import config_schema
from psfalign.fit.result import Status

HEADINGS = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)  # of numpydoc's sections


@pytest.mark.parametrize("name", generate.PAGES)
def test_page_is_up_to_date(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- generated: " in page
    assert generate.up_to_date(page) == page, f"{name}: run python docs/generate.py, and commit"


def test_list_of_carried_files_is_up_to_date() -> None:
    listed = (ROOT / generate.CARRIED).read_text(encoding="utf-8")
    assert "workflow/lib/psfalign/__init__.py\n" in listed
    assert listed == generate.carried_files(), "run python docs/generate.py, and commit"


def test_schema_of_the_catalogue_is_up_to_date() -> None:
    written = (ROOT / generate.SCHEMA).read_text(encoding="utf-8")
    assert written == generate.schema_file(), "run python docs/generate.py, and commit"


def test_a_page_that_drifted_is_mended() -> None:
    page = (ROOT / "config/README.md").read_text(encoding="utf-8")
    drifted = page.replace("| `max_shift` |", "| `largest_shift` |")
    assert drifted != page
    assert generate.up_to_date(drifted) == page


def test_measured_tables_are_those_of_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = "| a |\n|---|\n| 1 |", "| b |\n|---|\n| 2 |"
    third = "| c |\n|---|\n| 3 |"
    page = f"# Title\n\n{first}\n\n## Below\n\nText.\n\n{second}\n\n### Deeper\n\n{third}\n"
    (tmp_path / "study.md").write_text(page)
    monkeypatch.setattr(generate, "MEASURED", tmp_path)
    old = "<!-- generated: measured study: Below -->\n| b |\n|---|\n| 3 |\n<!-- end -->"
    new = f"<!-- generated: measured study: Below -->\n\n{second}\n\n<!-- end -->"
    assert generate.up_to_date(old) == new
    assert generate.measured_table("study") == first
    assert generate.measured_table("study", "Deeper") == third
    with pytest.raises(SystemExit, match=r"study\.md: has no table below 'Elsewhere'"):
        generate.measured_table("study", "Elsewhere")


def test_readme_repeats_the_measured_whole_job() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in readme.splitlines() if line.startswith("| whole job"))
    job = generate.measured_table("whole_job").splitlines()[2:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in job]
    times = {(name, to): (cpu, memory) for name, to, _, cpu, memory, _ in rows}
    ours, each = times["psfalign", "each"], times["jwst 1.15.1", "each"]
    first = times["jwst 1.16.1", "first"]
    assert re.findall(r"([\d.]+) s, (\d+) MB", line) == [
        ours,
        (f"{float(each[0]):.0f}", each[1]),
        first,
    ]


def test_every_page_of_measurements_is_repeated_and_explained() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nbench:")[2]
    repeated = set(re.findall(r"benchmarks/(\w+)\.py", recipe.partition("\n\n")[0]))
    described = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    for name in repeated:
        assert f"`python benchmarks/{name}.py`" in described, name
    assert {path.stem for path in generate.MEASURED.glob("*.md")} == repeated


def test_every_key_is_explained() -> None:
    page = (ROOT / "config/README.md").read_text(encoding="utf-8")
    for key in _keys(config_schema()):
        assert re.search(rf"^\| `[\w.\[\]]*\b{key}` \| .{{10,}}", page, re.MULTILINE), key


def test_the_demo_names_every_option_with_its_default() -> None:
    demo = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    entry = {"science": "s", "psfs": "p", "asn_id": "a1"}
    defaults = complete_config({"exposures": [entry]}).as_dict()
    assert demo["align_refs"] == defaults["align_refs"]
    assert set(demo) == set(defaults)


def test_all_statuses_are_explained() -> None:
    page = (ROOT / "docs/reference/products.md").read_text(encoding="utf-8")
    explained = page.partition("| status | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \| .{10,} \|$", explained, re.MULTILINE)
    assert sorted(named) == sorted(Status)


def test_all_extensions_are_explained() -> None:
    page = (ROOT / "docs/reference/products.md").read_text(encoding="utf-8")
    table = page.partition("| HDU | type |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([A-Z]+) \|", table, re.MULTILINE) == describe_product().extensions


def test_keywords_of_a_product_have_a_meaning() -> None:
    keywords = describe_product().keywords["PRIMARY"]
    assert {"SCISHA", "RAWSHA", "R_PSFMAS", "NFAILED"} <= set(keywords)
    assert all(len(text) > len("unit") for text in keywords.values()), keywords


def test_links_of_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    pages += [ROOT / "docs/reference/products.md", ROOT / "docs/reference/command_line.md"]
    pages += [ROOT / "config/README.md", *(ROOT / "benchmarks").glob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists() and "reference/python/" not in target
    ]
    assert not dead, "\n".join(dead)  # the pages of the Python functions exist in the site only


def test_a_site_with_dead_links_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top"><a href="b.html#end">b</a> <a href="#top">top</a>'
    )
    (tmp_path / "b.html").write_text('<a href="https://example.org">e</a> <img src="c.png">')
    assert find_problems(tmp_path) == [
        f"{tmp_path}/a.html: b.html#end: has no such place",
        f"{tmp_path}/b.html: c.png: leads nowhere",
    ]
    (tmp_path / "b.html").write_text('<p id="end"><script src="//cdn.example/x.js"></script>')
    assert find_problems(tmp_path) == [
        f"{tmp_path}/b.html: //cdn.example/x.js: is loaded from the network"
    ]


def test_figures_of_the_algorithm_are_drawn() -> None:
    page = (ROOT / "docs/algorithm.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(images/(\S+)\)", page)) == set(draw.FIGURES)


@pytest.mark.slow
def test_figures_are_what_the_code_draws(tmp_path: Path) -> None:
    draw.draw_all(tmp_path)
    for name in draw.FIGURES:
        drawn, stored = (imread(folder / name) for folder in (tmp_path, ROOT / "docs" / "images"))
        assert drawn.shape == stored.shape
        # Text is drawn a bit differently by other versions of the fonts; a curve that moved by a
        # pixel or a map of other values changes far more.
        assert np.abs(drawn - stored).mean() < 0.004, f"{name}: run python docs/draw.py"


@pytest.mark.slow
def test_picture_of_the_demo_is_what_the_code_draws(tmp_path: Path) -> None:
    draw_report.draw_demo(tmp_path, tmp_path)
    drawn, stored = (imread(folder / "demo.png") for folder in (tmp_path, ROOT / "docs/images"))
    assert drawn.shape == stored.shape
    # Text of other fonts, as above.
    assert np.abs(drawn - stored).mean() < 0.004, "run python docs/draw_report.py"


# Of scripts, not whether their own variables keep one type.
OTHER_MISTAKES = ("assignment", "misc", "return-value", "union-attr")


@pytest.mark.slow
def test_benchmarks_call_what_there_is(tmp_path: Path) -> None:
    """They take minutes to hours, so that nobody notices soon when what they call has changed."""
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--check-untyped-defs"]
    command += ["--ignore-missing-imports", "--follow-imports", "silent", "--cache-dir", tmp_path]
    for code in OTHER_MISTAKES:
        command += ["--disable-error-code", code]
    folders = ("benchmarks", "workflow/lib")
    scripts = sorted(path.relative_to(ROOT) for path in (ROOT / "benchmarks").glob("*.py"))
    result = subprocess.run(
        [*map(str, [*command, "--explicit-package-bases", *scripts])],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_docstrings_can_be_typeset() -> None:
    broken = [problem for module in _modules() for problem in _problems(module)]
    assert not broken, "\n".join(broken)


def test_a_docstring_that_cannot_be_typeset_is_found() -> None:
    assert _complaints("The cost Σ |w| p is least.\n\nParameters\n----------\nx\n    A number.")
    assert not _complaints("The cost.\n\nParameters\n----------\nx : (rows,) float64\n    A `Jet`.")


def _keys(schema: dict) -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        if name not in generate.SECTIONS:
            yield name
        yield from _keys(part)
        yield from _keys(part.get("items", {}))


def _modules() -> Iterator[str]:
    yield "psfalign"
    for module in pkgutil.walk_packages(psfalign.__path__, "psfalign."):
        if not module.name.endswith("__main__"):
            yield module.name


def _problems(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    members = [*vars(module).values()]
    members += [item for one in members if inspect.isclass(one) for item in vars(one).values()]
    own = [item for item in members if getattr(item, "__module__", "") == name]
    for item in [module, *own]:
        documented = inspect.isroutine(item) or inspect.isclass(item) or inspect.ismodule(item)
        if documented and item.__doc__:
            where = f"{name}.{getattr(item, '__qualname__', '')}"
            yield from (f"{where}: {line}" for line in _complaints(inspect.cleandoc(item.__doc__)))


def _complaints(docstring: str) -> list[str]:
    """What docutils has to say of a docstring without the layout of numpydoc's sections."""
    prose, *sections = HEADINGS.split(docstring)
    entries = [re.sub(r"^( *)(?=\S)", r"\n", text, flags=re.MULTILINE) for text in sections[1::2]]
    complaints = io.StringIO()
    settings = {"report_level": 2, "warning_stream": complaints, "default_role": "literal"}
    docutils.core.publish_doctree("\n".join([prose, *entries]), settings_overrides=settings)
    return complaints.getvalue().splitlines()
