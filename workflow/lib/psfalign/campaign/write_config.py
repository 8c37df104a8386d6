"""Write the configuration that a survey has found, with comments."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..system.atomic_file import publish_bytes
from .configuration import WILDCARD
from .survey.campaign import Survey
from .survey.entries import Entry
from .survey.remarks import Remarks, printable

HEAD = """\
# Written by `psfalign campaign`: look it over, check it, and see what would be done:
#     psfalign check {name}
#     snakemake --configfile {name} -n
# config/README.md of psfalign explains every key, and those that are left out here. Paths are
# relative to the working directory. At the end, all files are named that are not used.

# Folder that all results go to.
"""
ASSOCIATIONS = """
# Level-3 coronagraphic associations that are used as they are: their science members become
# exposures, their psf members are stacked.
"""
EXPOSURES = """
# Science exposures and the psf images to stack and align to each: of the rest, all reference stars
# (IS_PSF) with the same instrument, filter, coronagraph, subarray and detector. Results are named
# after asn_id.
exposures:
"""
MASKS = """
psfmask:
  # Catalogue of PSFMASK files: files, folders, globs. The headers decide which serves what.
"""


class _Dumper(yaml.SafeDumper):
    """Indent lists, and write nothing by reference, which psfalign refuses to read."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def refuse_existing(path: Path) -> None:
    """Raise `ConfigError` if a file exists."""
    if path.exists() or path.is_symlink():
        raise ConfigError("exists already", file=path, remedy="name another --output")


def write_campaign(survey: Survey, path: Path) -> None:
    """
    Write the configuration that a survey makes.

    Raises
    ------
    ConfigError
        If there is nothing to align, or the file exists.
    """
    if not (survey.associations or survey.entries):
        problem = "no exposure that can be aligned was found"
        remedy = "correct what was left out, or write it by hand"
        raise ConfigError(problem, file=path, remedy=remedy)
    refuse_existing(path)
    publish_bytes(path, render_campaign(survey, path).encode())


def output_of(path: Path) -> str:
    """Return the folder for the results, which has the name of the configuration."""
    name = "".join("_" if c in WILDCARD else c for c in path.stem)
    folder = str(path.with_name(f"{name}_results"))
    return f"./{folder}" if folder.startswith("~") else folder


def render_campaign(survey: Survey, path: Path) -> str:
    """Render the configuration; `path` is that of its file."""
    config = survey.config
    parts = [HEAD.format(name=printable(path.name)), _dump({"output_dir": output_of(path)})]
    if survey.associations:
        parts += [ASSOCIATIONS, _dump({"associations": config["associations"]})]
    if survey.entries:
        parts += [EXPOSURES, *_entries(survey.entries)]
    references = _dump({"psfmask": config["psfmask"]}).partition("\n")[2]
    return "".join([*parts, MASKS, references, *_comments(survey.remarks, survey.n_files)])


def _entries(entries: list[Entry]) -> Iterator[str]:
    for (asn_id, title), group in itertools.groupby(entries, lambda e: (e.asn_id, e.title)):
        listed = list(group)
        n_psfs = len({path for entry in listed for path in entry.psfs})
        counts = f"{len(listed)} science, {n_psfs} psf exposures"
        yield f"  # {asn_id}: {printable(title)}; {counts}\n"
        yield _dump({"exposures": [entry.config for entry in listed]}).partition("\n")[2]


def _comments(remarks: Remarks, n_files: int) -> Iterator[str]:
    """Return the output of `psfalign campaign` as comments, with all files."""
    if remarks.warnings:
        yield "\n# Doubtful:\n"
        yield from (f"#   {printable(line)}\n" for line in remarks.warnings)
    if remarks.left_out:
        yield f"\n# Not used, {len(remarks.left_out)} of {n_files} FITS and JSON files:\n"
    for reason, paths in remarks.grouped():
        yield f"#   {printable(reason)}:\n"
        yield from (f"#     {printable(path)}\n" for path in paths)


def _dump(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)
