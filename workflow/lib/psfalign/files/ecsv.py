"""Tables as ECSV, which `astropy.table.Table.read` takes with units and descriptions."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..system.atomic_file import publish_bytes

META = "# meta: "

Columns = Mapping[str, tuple[str, str, str]]
"""Name: (dtype, unit, description)."""


def write_ecsv(
    path: Path, columns: Columns, rows: Iterable[Iterable[Any]], meta: Mapping[str, Any]
) -> None:
    """Publish a table, numbers with all digits; its YAML is written as JSON, which is YAML too."""
    text = io.StringIO()
    lines = ["%ECSV 1.0", "---", "datatype:"]
    for name, (dtype, unit, description) in columns.items():
        entry = {"name": name} | ({"unit": unit} if unit else {}) | {"datatype": dtype}
        lines.append(f"- {json.dumps(entry | {'description': description})}")
    lines += [META.removeprefix("# ") + json.dumps(meta), "schema: astropy-2.0"]
    text.write("".join(f"# {line}\n" for line in lines))
    writer = csv.writer(text, delimiter=" ", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    publish_bytes(path, text.getvalue().encode())


def read_rows(lines: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a table as text, by column."""
    return list(csv.DictReader((x for x in lines if not x.startswith("#")), delimiter=" "))
