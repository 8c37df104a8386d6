"""Read level-3 coronagraphic associations, also those that were written by notebooks or by hand."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.fits.structure import check_regular_file
from ..files.text import check_size
from .manifest import NO_MANIFEST, Manifest

# jwst's coron3 looks at the members only; asn_from_list writes the word None for any rule.
ASN_TYPES = ("coron3", "user_built", "none", "")
ASN_ID = "a3001"  # where an association has none, as jwst writes it for associations of users
ROLES = ("science", "psf")
UNSAID = ("target_acquisition",)  # left out without a warning, because every program has them
BY_HAND = "list its files under `exposures` in the configuration"


@dataclass(frozen=True)
class Product:
    """
    The members of one product of an association.

    Attributes
    ----------
    name
        The name in the file, which may have any characters; empty if there is none.
    science, psfs
        Paths of its science and psf exposures, in the order of the file.
    """

    name: str
    science: tuple[Path, ...]
    psfs: tuple[Path, ...]


@dataclass(frozen=True)
class Association:
    """
    Exposures that belong together.

    Attributes
    ----------
    path
        The association file.
    asn_id
        Association candidate, for example ``a3001``.
    products
        The products that have science and psf members; at least one.
    left_out
        Descriptions of the parts that are not used.
    """

    path: Path
    asn_id: str
    products: tuple[Product, ...]
    left_out: tuple[str, ...]


def read_association(path: Path, manifest: Manifest = NO_MANIFEST) -> Association:
    """
    Read an association.

    Paths in it are relative to its own folder or, if a file is not there, to the working directory.
    Files that a manifest lists need not exist.

    Raises
    ------
    InputError
        If it is not JSON, is of another type, or no product has both science and psf members.
    """
    listed = path in manifest
    content = manifest.fact(path, "association") if listed else read_json(path)
    kind = content.get("asn_type")
    if "products" in content and _plain(kind) not in ASN_TYPES:
        problem = "is not a level-3 coronagraphic association"
        remedy = f"name one of type coron3, or {BY_HAND}"
        raise InputError(problem, file=path, keyword="asn_type", value=kind, remedy=remedy)
    try:
        products = [
            _read_product(product, path.parent, manifest) for product in content["products"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        problem = "lacks products whose members have expname and exptype"
        raise InputError(problem, file=path, remedy=f"complete it, or {BY_HAND}") from error
    complete = [product for product, _ in products if product.science and product.psfs]
    if not complete:
        raise _nothing_to_align([product for product, _ in products], path)
    asn_id = content.get("asn_id")
    left_out = tuple(_say_left_out(products))
    return Association(path, ASN_ID if asn_id is None else str(asn_id), tuple(complete), left_out)


def read_json(path: Path) -> dict[str, Any]:
    """
    Read an object from a JSON file in any Unicode encoding, with a byte order mark or without.

    Raises
    ------
    InputError
        If it cannot be read, or does not contain an object.
    """
    check_regular_file(path)
    check_size(path)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError.unreadable(error, path) from error
    except (ValueError, RecursionError) as error:
        remedy = f"correct it with a text editor, or {BY_HAND}"
        raise InputError(f"is not JSON: {error}", file=path, remedy=remedy) from error
    if not isinstance(content, dict):
        remedy = "name a coron3 association"
        raise InputError("is not an association", file=path, remedy=remedy)
    return content


def _plain(value: object) -> str:
    return "" if value is None else str(value).strip().lower()


def _read_product(
    product: dict[str, Any], folder: Path, manifest: Manifest
) -> tuple[Product, dict[str, int]]:
    """Return a product, and how many members it has of each other type."""
    found: dict[str, list[Path]] = {}
    for member in product["members"]:
        kind, name = member["exptype"].strip().lower(), member["expname"].strip()
        found.setdefault(kind, []).append(_find_member(name, folder, manifest))
    science, psfs = (tuple(dict.fromkeys(found.pop(role, ()))) for role in ROLES)
    name = product.get("name")
    others = {kind: len(paths) for kind, paths in found.items() if kind not in UNSAID}
    return Product("" if name is None else str(name), science, psfs), others


def _find_member(name: str, folder: Path, manifest: Manifest) -> Path:
    path, other = folder / name, Path(name)
    if path in manifest or _exists(path):
        return path
    return other if other in manifest or _exists(other) else path


def check_member(member: Path, association: Path) -> None:
    """Raise `InputError` if a member is missing, with the folders that were searched."""
    if _exists(member):
        return
    folder = association.parent
    name = member.relative_to(folder) if member.is_relative_to(folder) else member
    where = "" if name.is_absolute() else f" in {folder}, nor in the working directory"
    raise InputError(
        f"no such file{where}",
        file=association,
        keyword="expname",
        value=name,
        remedy="fetch the file, correct expname, or remove the member",
    )


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where it may not look


def _nothing_to_align(products: list[Product], path: Path) -> InputError:
    lacking = next((r for r in ROLES if not any(_of_role(p, r) for p in products)), None)
    problem = f"has no {lacking} members" if lacking else "no product has science and psf members"
    remedy = f"add them, or {BY_HAND}"
    return InputError(problem, file=path, keyword="exptype", remedy=remedy)


def _of_role(product: Product, role: str) -> tuple[Path, ...]:
    return product.science if role == "science" else product.psfs


def _say_left_out(products: list[tuple[Product, dict[str, int]]]) -> Iterator[str]:
    for number, (product, others) in enumerate(products):
        for kind, count in others.items():
            members = "member" if count == 1 else "members"
            yield f"{count} {members} of exptype {kind or '(blank)'} not used"
        lacking = next((role for role in ROLES if not _of_role(product, role)), None)
        if lacking:
            yield f"products[{number}] {product.name!r} left out, it has no {lacking} members"
