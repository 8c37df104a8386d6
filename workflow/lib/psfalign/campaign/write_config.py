"""Write the configuration of what a survey has found, with comments."""

from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..system.atomic_file import publish_bytes
from .survey import Survey, candidates, entries_of

HEAD = """\
# Written by `psfalign campaign`: look it over, check it, and see what would be done:
#     psfalign check {name}
#     snakemake --configfile {name} -n
# config/README.md of psfalign explains every key, and those that are left out here. Paths are
# relative to the working directory.

# Folder that all results go to.
"""
ASSOCIATIONS = """
# Level-3 coronagraphic associations (asn_type coron3); their science members become exposures,
# their psf members are stacked.
"""
EXPOSURES = """
# Science exposures and the psf images to stack and align to each: all reference stars (IS_PSF) with
# the same instrument, filter, coronagraph, subarray and detector. Results are named after asn_id.
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
    """Refuse to write over a file."""
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
    if not (survey.associations or survey.groups):
        problem = "no exposure that can be aligned was found"
        raise ConfigError(problem, file=path, remedy="mend what was left out, or write it by hand")
    refuse_existing(path)
    publish_bytes(path, render_campaign(survey, path.name).encode())


def render_campaign(survey: Survey, name: str) -> str:
    """Render the configuration; `name` is that of its file."""
    config = survey.config
    parts = [HEAD.format(name=name), _dump({"output_dir": config["output_dir"]})]
    if survey.associations:
        parts += [ASSOCIATIONS, _dump({"associations": config["associations"]})]
    else:
        parts.append(EXPOSURES)
    for asn_id, group in candidates(survey.groups):
        counts = f"{len(group.science)} science, {len(group.psfs)} psf exposures"
        entries = _dump({"exposures": entries_of(asn_id, group)}).partition("\n")[2]
        parts += [f"  # {asn_id}: {group.title}; {counts}\n", entries]
    references = _dump({"psfmask": config["psfmask"]}).partition("\n")[2]
    return "".join([*parts, MASKS, references])


def _dump(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)
