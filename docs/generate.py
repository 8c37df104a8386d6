"""
Write the parts of pages that repeat what the code defines.

In a page, such a part stands between `<!-- generated: NAME ... -->` and `<!-- end -->`. Run
`python docs/generate.py` after a change of the configuration, the command line or the products, and
after a benchmark; a test fails as long as a page and the code disagree. It writes the schema of the
configuration, too. `<!-- generated: measured PAGE: HEADING -->` is the first table below a heading
of `benchmarks/results/PAGE.md`; without a heading, the first table of that page.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "workflow" / "lib")]

from sample import describe_product  # noqa: E402

from psfalign import cli  # noqa: E402
from psfalign.archive.checkout import list_code  # noqa: E402
from psfalign.archive.verify.findings import Finding, Remark  # noqa: E402
from psfalign.campaign.layout import result_pattern  # noqa: E402
from psfalign.campaign.settings import config_schema  # noqa: E402
from psfalign.files.provenance.table import DESCRIPTIONS  # noqa: E402
from psfalign.files.shifts import COLUMNS  # noqa: E402
from psfalign.steps.contrast import COLUMNS as CONTRAST  # noqa: E402
from psfalign.steps.registry import STEPS, Step  # noqa: E402

PAGES = (
    "config/README.md",
    "docs/reference/products.md",
    "docs/reference/command_line.md",
    "docs/reliability.md",
    "docs/contributing.md",
    "docs/archive.md",
    "docs/cluster.md",
    "docs/accuracy.md",
    "docs/comparison.md",
    "docs/own_data.md",
    "docs/performance.md",
    "docs/scale.md",
    "README.md",
)
MEASURED = ROOT / "benchmarks" / "results"
CARRIED = "workflow/carried.txt"
SCHEMA = "workflow/schemas/config.schema.yaml"
PART = re.compile(r"(<!-- generated: (\w+)([^>]*)-->\n).*?(<!-- end -->)", re.DOTALL)
KINDS = {"string": "text", "integer": "whole number", "boolean": "true, false", "null": "null"}
METAVARS = {int: "N", Path: "FILE"}
SECTIONS = (
    "psfmask",
    "align_refs",
    "psf_subtraction",
)  # the mappings of the configuration, each with its own table


def write_pages() -> list[str]:
    """Bring all pages up to date; return the names of those that were not."""
    changed = []
    for name in (*PAGES, SCHEMA):
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = schema_file() if name == SCHEMA else up_to_date(old)
        if new != old:
            changed.append(name)
            path.write_text(new, encoding="utf-8")
    carried = ROOT / CARRIED
    if carried.read_text(encoding="utf-8") != carried_files():
        changed.append(CARRIED)
        carried.write_text(carried_files(), encoding="utf-8")
    return changed


def carried_files() -> str:
    """Return the names of the files that come along when the workflow is fetched."""
    return "".join(f"{path.relative_to(ROOT).as_posix()}\n" for path in list_code(ROOT))


def up_to_date(page: str) -> str:
    """Return a page with its generated parts made again."""
    return PART.sub(lambda part: f"{part[1]}\n{_made(part[2], part[3])}\n\n{part[4]}", page)


def _made(name: str, words: str) -> str:
    """Return one part, made again; that of a benchmark is named by its page and heading."""
    if name != "measured":
        return PARTS[name]()
    page, _, heading = words.strip().partition(":")
    return measured_table(page.strip(), heading.strip())


def measured_table(name: str, heading: str = "") -> str:
    """Return the first table below a heading of what a benchmark printed."""
    text = (MEASURED / f"{name}.md").read_text(encoding="utf-8")
    if heading:
        below = re.search(rf"^##+ {re.escape(heading)}\n", text, re.MULTILINE)
        text = text[below.end() :] if below else ""
    found = re.search(r"^\|.*?(?=\n[^|]|\n*\Z)", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise SystemExit(f"{MEASURED / name}.md: has no table below {heading!r}")
    return found[0].strip()


def measured_since() -> str:
    """Return when the oldest and the newest page of a benchmark were written."""
    dates = {
        re.findall(r"\d{4}-\d\d-\d\d", path.read_text(encoding="utf-8"))[0]: path.stem
        for path in MEASURED.glob("*.md")
    }
    first, last = min(dates), max(dates)
    return f"The pages of measurements were written from {first} (`{dates[first]}.md`) to {last}."


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    names = list(header)
    lines = [
        names,
        ["---"] * len(names),
        *([cell.replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def schema_file() -> str:
    """Return the schema of the configuration for the catalogue of workflows, as YAML."""
    head = "# Written by docs/generate.py from psfalign.campaign.settings; edit it there.\n"
    return head + yaml.safe_dump(config_schema(), sort_keys=False, allow_unicode=True, width=100)


def campaign_keys() -> str:
    """Return the keys of the configuration outside its sections."""
    schema = config_schema()
    return _keys({**schema, "properties": _without(schema["properties"], SECTIONS)})


def _without(properties: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: part for name, part in properties.items() if name not in names}


def _section(name: str) -> Callable[[], str]:
    return lambda: _keys(config_schema()["properties"][name])


def _keys(schema: dict[str, Any]) -> str:
    return table(("key", "meaning", "values", "default"), _rows(schema, ""))


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, part in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = "required" if required else _default(part)
        yield f"`{prefix}{name}`", part["description"], _values(part), default
        yield from _rows(part, f"{prefix}{name}.")
        if not prefix:  # lists in lists have another place
            yield from _rows(part.get("items", {}), f"{name}[].")


def _default(part: dict[str, Any]) -> str:
    if "default" not in part:
        return "none"
    default = part["default"]
    return f"`{default}`" if isinstance(default, str) else f"`{default!r}`".lower()


def _values(part: dict[str, Any]) -> str:
    """Return what a key may hold: words, or a kind with its unit and range."""
    if "values" in part:
        return str(part["values"])
    if "enum" in part:
        return ", ".join(f"`{word}`" for word in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    said = [part["unit"] if "unit" in part else " or ".join(KINDS.get(k, k) for k in kinds)]
    if "minimum" in part:
        last = f"to {part['maximum']}" if "maximum" in part else "or more"
        said.append(f"{part['minimum']} {last}")
    return ", ".join(said)


def shift_columns() -> str:
    """Return the columns of the table of shifts."""
    rows = ((f"`{name}`", text, unit, kind) for name, (kind, unit, text) in COLUMNS.items())
    return table(("column", "meaning", "unit", "type"), rows)


def contrast_columns() -> str:
    """Return the columns of the table of noise."""
    rows = ((f"`{name}`", text, unit, kind) for name, (kind, unit, text) in CONTRAST.items())
    return table(("column", "meaning", "unit", "type"), rows)


def provenance_columns() -> str:
    """Return the columns of the table PROVENANCE."""
    return table(
        ("column", "meaning"), ((f"`{name}`", text) for name, text in DESCRIPTIONS.items())
    )


def _keywords(extension: str) -> Callable[[], str]:
    return lambda: table(
        ("keyword", "meaning"),
        ((f"`{key}`", text) for key, text in describe_product().keywords[extension].items()),
    )


def command_line() -> str:
    """Return all commands with their options."""
    parser = cli._parser()  # noqa: SLF001
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    summaries = {action.dest: action.help or "" for action in commands._choices_actions}  # noqa: SLF001
    return "\n\n".join(
        f"## {name}\n\n{_sentence(summaries[name])}\n\n{_options(command)}"
        for name, command in commands.choices.items()
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _options(command: argparse.ArgumentParser) -> str:
    actions = [a for a in command._actions if a.dest != "help"]  # noqa: SLF001
    rows = (
        (f"`{_usage(action)}`", _meaning(action), "required" if action.required else _given(action))
        for action in actions
    )
    return table(("argument", "meaning", "default"), rows)


def _meaning(action: argparse.Action) -> str:
    """Return what an argument means; for a key of the configuration, what the schema says."""
    schema = config_schema()["properties"]
    for section in SECTIONS:
        if action.metavar is None and action.dest in schema[section]["properties"]:
            return str(schema[section]["properties"][action.dest]["description"])
    return _sentence((action.help or "").partition(", default")[0])


def _usage(action: argparse.Action) -> str:
    if action.nargs == 0:
        return action.option_strings[-1]
    words = "|".join(map(str, action.choices)) if action.choices else ""
    metavar = words or str(action.metavar or METAVARS.get(action.type, action.dest.upper()))
    repeated = f"{metavar} …" if action.nargs in ("+", "*") else metavar
    return " ".join([*action.option_strings[-1:], repeated])


def _given(action: argparse.Action) -> str:
    return (
        "none"
        if action.default in (None, [], "") or action.default is False
        else f"`{action.default}`"
    )


def reliability_studies() -> str:
    """Return what the studies of killed runs and damaged files printed."""
    results = sorted((ROOT / "tests" / "studies" / "results").glob("*.md"))
    return "\n\n".join(path.read_text(encoding="utf-8").strip() for path in results)


def steps() -> str:
    """Return the steps of the workflow and their files."""
    rows = (
        (f"`{step.name}`", str(step.scope), f"`{step.module}`", _files(step))
        for step in STEPS.values()
    )
    return table(("step", "works on", "module", "writes"), rows)


def _files(step: Step) -> str:
    return ", ".join(f"`{result_pattern(step.name, part)}`" for part in step.outputs)


def findings() -> str:
    """Return what verify compares, and what it says where something is wrong."""
    return _what_verify_says(Finding)


def remarks() -> str:
    """Return what verify only says."""
    return _what_verify_says(Remark)


def _what_verify_says(kind: type[Finding | Remark]) -> str:
    return table(
        ("what", "verify says"), ((one.looked_at, re.sub(r"{\w+}", "…", one.text)) for one in kind)
    )


PARTS: dict[str, Callable[[], str]] = {
    "campaign_keys": campaign_keys,
    "psfmask_keys": _section("psfmask"),
    "align_refs_keys": _section("align_refs"),
    "psf_subtraction_keys": _section("psf_subtraction"),
    "contrast_columns": contrast_columns,
    "primary_keywords": _keywords("PRIMARY"),
    "science_keywords": _keywords("SCI"),
    "steps": steps,
    "findings": findings,
    "remarks": remarks,
    "shift_columns": shift_columns,
    "provenance_columns": provenance_columns,
    "command_line": command_line,
    "reliability_studies": reliability_studies,
    "measured_since": measured_since,
}

if __name__ == "__main__":
    for page in write_pages():
        print(f"{page}: written")  # noqa: T201
