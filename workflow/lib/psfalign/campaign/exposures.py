"""List the exposures and psf stacks of a configuration, and name their results."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..errors import ConfigError
from ..steps.registry import Scope
from .associations import Product, read_association
from .demo import FOLDER as DEMO
from .layout import FOLDERS
from .manifest import Manifest, read_manifest
from .settings import Circles, ExposureEntry, Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
ASN_ID = re.compile(r"[oa][0-9]+|c[0-9]+")
# Endings of exposures. Names of crfints (calints with flagged outliers) hold a candidate, too.
EXPOSURE = re.compile(r"_calints\.fits?$|(_[oac][0-9]+)?_crfints\.fits?$", re.IGNORECASE)
STACKED = re.compile(r"(_psfstack)?\.fits?$", re.IGNORECASE)
LONGEST = 100  # characters of a stack's name; endings are added to it
RESERVED = (*FOLDERS, DEMO)  # folders of the output directory


@dataclass(frozen=True)
class Stack:
    """
    Psf images that are used together.

    Attributes
    ----------
    name
        The name of its files.
    members
        The exposures to stack, or the one file that already is a psfstack.
    is_stacked
        Whether the one member is a psfstack.
    """

    name: str
    members: tuple[Path, ...]
    is_stacked: bool


@dataclass(frozen=True)
class ScienceExposure:
    """
    A science exposure to align psf images to.

    Attributes
    ----------
    name
        The name of its results: the root of its file and the association candidate.
    science
        Its file.
    asn_id
        The association candidate.
    stack
        The psf images.
    psfmask
        The mask that the configuration names: a path, ``uniform``, ``N/A``, or None to choose one.
    origin
        Its key in the configuration.
    association
        The association file that lists it, if there is one.
    product
        The name of its product in the association.
    together
        The name of the combined exposures of this product.
    exclude
        Circles on this exposure that get no weight, in addition to those for all.
    """

    name: str
    science: Path
    asn_id: str
    stack: Stack
    psfmask: str | None
    origin: str
    association: Path | None = None
    product: str = ""
    together: str = ""
    exclude: Circles = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The exposures, and the association that lists them; masks are chosen later."""
        association = () if self.association is None else (self.association,)
        return (self.science, *self.stack.members, *association)

    def name_in(self, scope: Scope) -> str:
        """Return the name of the exposure, stack or association on which a step works."""
        if scope is Scope.EXPOSURE:
            return self.name
        if scope is Scope.STACK:
            return self.stack.name
        association = self.together or f"{self.stack.name}_{self.asn_id}"
        return association if scope is Scope.ASSOCIATION else ""


def plan_exposures(settings: Settings) -> list[ScienceExposure]:
    """
    List the exposures of a configuration, those of associations first.

    Raises
    ------
    ConfigError, InputError
        If two of them would write the same results, or a name cannot be that of a file.
    """
    adopted = _from_associations(settings.associations, _manifest_of(settings))
    exposures = [*adopted, *_explicit(settings.exposures)]
    exposures = _share_stacks(exposures)
    _check_names(exposures)
    return exposures


def list_warnings(settings: Settings) -> list[str]:
    """Return a line for each part of an association that is not used."""
    manifest = _manifest_of(settings)
    associations = (read_association(path, manifest) for path in settings.associations)
    return [f"{asn.path}: {words}" for asn in associations for words in asn.left_out]


def _manifest_of(settings: Settings) -> Manifest:
    """Read the manifest for associations; without any, results outlive it for `verify`."""
    return read_manifest(settings.manifest if settings.associations else None)


def _from_associations(paths: Sequence[Path], manifest: Manifest) -> Iterator[ScienceExposure]:
    taken = Counter(_stem_of(path).casefold() for path in paths)
    for index, path in enumerate(paths):
        association = read_association(path, manifest)
        # Folders may each hold an association of one name, as notebooks write them.
        stem = _stem_of(path)
        name = stem if taken[stem.casefold()] == 1 else f"{stem}_{_digest([str(path)])}"
        origin = f"associations[{index}] {path}"
        exposures = [
            replace(
                _exposure(science, association.asn_id, stack, None, origin),
                association=path,
                product=product.name,
                together=name if len(association.products) == 1 else f"{name}_{number}",
            )
            for number, product in enumerate(association.products, start=1)
            for science, stack in _stacks_of(product, origin)
        ]
        # Products may repeat each other, as those of a loop over filters do.
        yield from {(e.name, e.stack.members): e for e in exposures}.values()


def _stem_of(association: Path) -> str:
    return safe_name(association.stem.removesuffix("_asn"))


def _stacks_of(product: Product, origin: str) -> Iterator[tuple[Path, Stack]]:
    """Return each science exposure with its psfs, without itself if it is one of them."""
    for science in product.science:
        psfs = tuple(psf for psf in product.psfs if real_path(psf) != real_path(science))
        if not psfs:
            problem, remedy = "is its own only psf", "add another psf member"
            raise ConfigError(
                problem, file=origin, keyword="expname", value=science.name, remedy=remedy
            )
        yield science, Stack(_name_of(psfs), psfs, is_stacked=False)


def safe_name(text: str) -> str:
    """Return a name for any file system, as similar to a text as possible."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+|\.{2,}", "_", ascii_text).lstrip("_.-")[:LONGEST].rstrip("_")
    return f"{name}_psfs" if name in RESERVED else name or "psfs"


def _explicit(entries: Iterable[ExposureEntry]) -> Iterator[ScienceExposure]:
    for index, entry in enumerate(entries):
        psfmask = None if entry.psfmask is None else str(entry.psfmask)
        stack, origin = _stack_of(entry.psfs), f"exposures[{index}]"
        exposure = _exposure(entry.science, entry.asn_id, stack, psfmask, origin)
        yield replace(exposure, exclude=entry.exclude)


def _stack_of(psfs: Path | tuple[Path, ...]) -> Stack:
    if isinstance(psfs, Path) and not EXPOSURE.search(psfs.name):
        return Stack(safe_name(STACKED.sub("", psfs.name)), (psfs,), True)
    members = (psfs,) if isinstance(psfs, Path) else psfs
    return Stack(_name_of(members), members, is_stacked=False)


def _name_of(members: tuple[Path, ...]) -> str:
    """Return the name of a stack, from its members and their order in the product."""
    digest = _digest([member.name for member in members])
    return f"{safe_name(root_of(members[0]))}_{len(members)}psfs_{digest}"


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]


def _exposure(
    science: Path, asn_id: str, stack: Stack, psfmask: str | None, origin: str
) -> ScienceExposure:
    if not ASN_ID.fullmatch(asn_id):
        remedy = "write o, c or a and digits, for example a3001"
        raise ConfigError(
            "is not an association candidate",
            file=origin,
            keyword="asn_id",
            value=repr(asn_id),
            remedy=remedy,
        )
    members = [real_path(member) for member in stack.members]
    twice = next((path for path in members if members.count(path) > 1), None)
    if twice is not None:
        problem, remedy = "is listed twice", "list each psf exposure once"
        raise ConfigError(problem, file=origin, keyword="psfs", value=twice, remedy=remedy)
    if real_path(science) in members:
        problem = "is both science and psf"
        raise ConfigError(
            problem, file=origin, keyword="science", value=science, remedy="remove one"
        )
    return ScienceExposure(f"{root_of(science)}_{asn_id}", science, asn_id, stack, psfmask, origin)


def real_path(path: Path) -> str:
    """Resolve symbolic links; unlike `Path.resolve`, a loop of them is no error here."""
    absolute = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118 - Path is slow here
    folder, name = os.path.split(absolute)
    if name in ("", os.curdir, os.pardir) or os.path.islink(absolute):  # noqa: PTH114
        return os.path.realpath(absolute)
    # Thousands of files share a few folders.
    return os.path.join(_real_folder(folder), name)  # noqa: PTH118


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def root_of(path: Path) -> str:
    """Return the part of a file name that the results of an exposure share."""
    return EXPOSURE.sub("", path.name).removesuffix(".fits")


def _share_stacks(exposures: list[ScienceExposure]) -> list[ScienceExposure]:
    """
    Return exposures that share a stack where their psf images are the same.

    Psf files in several folders, one for each filter, may have the same names. The names of such
    stacks get a digest of their paths.
    """
    first: dict[tuple[str, ...], Stack] = {}
    keys = [tuple(map(real_path, exposure.stack.members)) for exposure in exposures]
    shared = [
        replace(e, stack=first.setdefault(key, e.stack))
        for e, key in zip(exposures, keys, strict=True)
    ]
    taken = Counter(stack.name.casefold() for stack in first.values())
    return [
        replace(e, stack=_distinguished(e.stack)) if taken[e.stack.name.casefold()] > 1 else e
        for e in shared
    ]


def _distinguished(stack: Stack) -> Stack:
    return replace(stack, name=f"{stack.name}_{_digest(map(str, stack.members))}")


def _check_names(exposures: list[ScienceExposure]) -> None:
    seen: dict[str, ScienceExposure] = {}
    for exposure in exposures:
        for name in (exposure.name, exposure.name_in(Scope.ASSOCIATION)):
            _check_name(name, exposure)
        other = seen.setdefault(exposure.name.casefold(), exposure)
        if other is not exposure:
            raise ConfigError(
                f"{other.origin} and {exposure.origin} would both write {exposure.name}",
                remedy="remove one, or list it under exposures with another asn_id",
            )


def _check_name(name: str, exposure: ScienceExposure) -> None:
    if not NAME.fullmatch(name) or name in RESERVED or ".." in name:
        raise ConfigError(
            f"{name!r} cannot be the name of results",
            file=exposure.origin,
            keyword="science",
            value=exposure.science,
            remedy="name files with letters, digits, _ . and -, not beginning with a dash",
        )
