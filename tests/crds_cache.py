"""A small CRDS cache: a pipeline, two instruments, and the rules of NIRCam's psf masks."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from files import write_mask

CONTEXT = "jwst_0001.pmap"
IMAP = "jwst_nircam_0001.imap"
RMAP = "jwst_nircam_psfmask_0012.rmap"
# Of a row: FILTER, CORONMSK and SUBARRAY.
Row = tuple[str, str, str]
ROW: Row = ("F335M", "MASKA335R", "SUB320A335R")
# Of a row: the files by USEAFTER, or N/A.
Rows = Mapping[Row, Mapping[str, str] | str]
SERVER_CONFIG = {
    "observatory": "jwst",
    "operational_context": CONTEXT,
    "bad_files_list": [],
    "force_remote_mode": False,
    "last_synced": "2026-01-01 00:00:00",
}
HEADER = """header = {{
    'derived_from' : 'made by hand',
    'mapping' : '{kind}',
    'name' : '{name}',
    'observatory' : 'JWST',
{entries}
    'sha1sum' : '{sha1sum}',
}}

selector = {selector}
"""
MATCHING = "('META.INSTRUMENT.FILTER', 'META.INSTRUMENT.CORONAGRAPH', 'META.SUBARRAY.NAME')"
STARTING = "('META.OBSERVATION.DATE', 'META.OBSERVATION.TIME')"


def write_cache(root: Path, rows: Rows, *, references: bool = True) -> Path:
    """Write mappings with valid checksums, and a mask for each reference that rows name."""
    write_server_config(root)
    write_context(root, CONTEXT)
    write_instrument(root, IMAP, RMAP)
    write_rules(root, rows)
    if references:
        for files in rows.values():
            for name in files.values() if isinstance(files, Mapping) else ():
                write_mask(root / "references/jwst/nircam" / name)
    return root


def write_case(root: Path, number: int, rows: Rows) -> str:
    """Write a context with an instrument and rules of its own, and return its name."""
    context, imap = f"jwst_{number}.pmap", f"jwst_nircam_{number}.imap"
    rmap = f"jwst_nircam_psfmask_{number}.rmap"
    write_context(root, context, imap)
    write_instrument(root, imap, rmap)
    write_rules(root, rows, rmap)
    return context


def write_server_config(root: Path, **entries: object) -> Path:
    path = root / "config/jwst/server_config"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(repr(SERVER_CONFIG | entries))
    return path


def write_context(root: Path, name: str, imap: str = IMAP) -> Path:
    """A context; the rules of MIRI are not in the cache."""
    return write_mapping(
        root, name, "PIPELINE",
        {"parkey": "('META.INSTRUMENT.NAME',)"},
        f"{{\n    'MIRI' : 'jwst_miri_0001.imap',\n    'NIRCAM' : '{imap}',\n"
        "    'NIRSPEC' : 'N/A',\n}",
    )  # fmt: skip


def write_instrument(root: Path, name: str, rules: str) -> Path:
    """The rules of its flat fields are not in the cache."""
    return write_mapping(
        root, name, "INSTRUMENT",
        {"instrument": "'NIRCAM'", "parkey": "('REFTYPE',)"},
        f"{{\n    'PSFMASK' : '{rules}',\n    'FLAT' : 'jwst_nircam_flat_9999.rmap',\n}}",
    )  # fmt: skip


def write_rules(root: Path, rows: Rows, name: str = RMAP) -> Path:
    entries = {
        "classes": "('Match', 'UseAfter')",
        "filekind": "'PSFMASK'",
        "instrument": "'NIRCAM'",
        "parkey": f"({MATCHING}, {STARTING})",
    }
    lines = [f"    {row} : {_files(files)},\n" for row, files in rows.items()]
    return write_mapping(root, name, "REFERENCE", entries, f"Match({{\n{''.join(lines)}}})")


def _files(files: Mapping[str, str] | str) -> str:
    if isinstance(files, str):
        return repr(files)
    lines = [f"        '{useafter}' : '{name}',\n" for useafter, name in files.items()]
    return f"UseAfter({{\n{''.join(lines)}    }})"


def write_mapping(
    root: Path, name: str, kind: str, entries: Mapping[str, str], selector: str
) -> Path:
    """Write a mapping whose sha1sum is that of all its other lines."""
    lines = "\n".join(f"    '{key}' : {value}," for key, value in entries.items())
    text = HEADER.format(
        kind=kind, name=name, entries=lines, sha1sum="{sha1sum}", selector=selector
    )
    rest = "".join(line for line in text.splitlines(keepends=True) if "sha1sum" not in line)
    path = root / "mappings/jwst" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("{sha1sum}", hashlib.sha1(rest.encode()).hexdigest()))
    return path
