"""Read level-3 coronagraphic association files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.text import read_text

ASN_TYPE = "coron3"
KNOWN_TYPES = ("science", "psf", "target_acquisition")


@dataclass(frozen=True)
class Association:
    """
    Exposures that belong together.

    Attributes
    ----------
    path
    asn_id
        Association candidate, for example ``a3001``.
    name
        Name of its product, of which its psfstack takes its own.
    science, psfs
        Paths of its science and psf exposures, in the order of the file.
    unknown_types
        Exposure types of members that were left out and are not known to be useless here.
    """

    path: Path
    asn_id: str
    name: str
    science: tuple[Path, ...]
    psfs: tuple[Path, ...]
    unknown_types: tuple[str, ...]


def read_association(path: Path) -> Association:
    """
    Read an association; the paths in it are relative to its own folder.

    Raises
    ------
    InputError
        If it is not JSON, not of type coron3, or lacks science or psf members.
    """
    content = _read_json(path)
    kind = content.get("asn_type")
    if kind != ASN_TYPE:
        raise InputError(
            f"is not {ASN_TYPE}",
            file=path,
            keyword="asn_type",
            value=kind,
            remedy="name a coron3 one",
        )
    try:
        product = content["products"][0]
        name, asn_id = str(product["name"]), str(content["asn_id"])
        members = [(m["exptype"].lower(), path.parent / m["expname"]) for m in product["members"]]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        problem = "lacks asn_id, or products[0] with name and members of expname and exptype"
        raise InputError(problem, file=path, remedy="fetch it again") from error
    if len(content["products"]) > 1:
        problem = f"has {len(content['products'])} products, of which one would be made"
        raise InputError(problem, file=path, remedy="write an association for each")
    science, psfs = (_of_type(members, kind, path) for kind in ("science", "psf"))
    both = set(science) & set(psfs)
    if both:
        problem = f"{min(both).name} is both science and psf"
        raise InputError(problem, file=path, remedy="remove one of the members")
    unknown = tuple(sorted({kind for kind, _ in members} - set(KNOWN_TYPES)))
    return Association(path, asn_id, name, science, psfs, unknown)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", file=path, remedy="fetch it again") from error
    if not isinstance(content, dict):
        raise InputError("is not an association", file=path, remedy="name a coron3 association")
    return content


def _of_type(members: list[tuple[str, Path]], kind: str, path: Path) -> tuple[Path, ...]:
    found = tuple(dict.fromkeys(member for exptype, member in members if exptype == kind))
    if not found:
        problem = f"has no {kind} members"
        raise InputError(problem, file=path, keyword="exptype", remedy="leave it out")
    return found
