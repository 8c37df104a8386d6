"""Work out which exposures, psf stacks and results a configuration means."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..errors import ConfigError
from ..steps.registry import Scope
from .associations import read_association
from .layout import FOLDERS
from .settings import ExposureEntry, Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
ASN_ID = re.compile(r"[oa][0-9]+|c[0-9]+")
CALINTS = "_calints.fits"
RESERVED = (*FOLDERS, "simulated")  # folders of the output directory


@dataclass(frozen=True)
class Stack:
    """
    Psf images that are used together.

    Attributes
    ----------
    name
        What its files are called.
    members
        The exposures to stack, or the one file that is a psfstack already.
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
        What its results are called: the root of its file and the association candidate.
    science
        Its file.
    asn_id
        The association candidate.
    stack
        The psf images.
    psfmask
        The mask that was named for it: a path, ``N/A``, or None to choose one.
    origin
        Where in the configuration it stands.
    association
        The association file that names it, where there is one.
    """

    name: str
    science: Path
    asn_id: str
    stack: Stack
    psfmask: str | None
    origin: str
    association: Path | None = None

    def name_in(self, scope: Scope) -> str:
        """Return the name of what a step of this scope works on."""
        association = (
            self.association.stem.removesuffix("_asn")
            if self.association
            else f"{self.stack.name}_{self.asn_id}"
        )
        names = {Scope.EXPOSURE: self.name, Scope.STACK: self.stack.name}
        return names.get(scope, association if scope is Scope.ASSOCIATION else "")


def plan_exposures(settings: Settings) -> list[ScienceExposure]:
    """
    List the exposures of a configuration, those of associations first.

    Raises
    ------
    ConfigError, InputError
        If two of them would write the same results, or a name cannot be that of a file.
    """
    exposures = [*_from_associations(settings.associations), *_explicit(settings.exposures)]
    exposures = _share_stacks(exposures)
    _check_names(exposures)
    return exposures


def list_warnings(settings: Settings) -> list[str]:
    """Say what was left out of associations although nobody knows what it is."""
    associations = map(read_association, settings.associations)
    return [
        f"{asn.path}: members of unknown exptype {', '.join(asn.unknown_types)} are left out"
        for asn in associations
        if asn.unknown_types
    ]


def _from_associations(paths: Iterable[Path]) -> Iterator[ScienceExposure]:
    for index, path in enumerate(paths):
        association = read_association(path)
        stack = Stack(association.name, association.psfs, is_stacked=False)
        for science in association.science:
            origin = f"associations[{index}] {path}"
            exposure = _exposure(science, association.asn_id, stack, None, origin)
            yield replace(exposure, association=path)


def _explicit(entries: Iterable[ExposureEntry]) -> Iterator[ScienceExposure]:
    for index, entry in enumerate(entries):
        psfmask = None if entry.psfmask is None else str(entry.psfmask)
        stack, origin = _stack_of(entry.psfs), f"exposures[{index}]"
        yield _exposure(entry.science, entry.asn_id, stack, psfmask, origin)


def _stack_of(psfs: Path | tuple[Path, ...]) -> Stack:
    if isinstance(psfs, Path) and not psfs.name.endswith(CALINTS):
        return Stack(psfs.name.removesuffix(".fits").removesuffix("_psfstack"), (psfs,), True)
    members = (psfs,) if isinstance(psfs, Path) else psfs
    names = "\n".join(member.name for member in members)
    digest = hashlib.sha256(names.encode()).hexdigest()[:8]
    return Stack(f"{_root(members[0])}_{len(members)}psfs_{digest}", members, is_stacked=False)


def _exposure(
    science: Path, asn_id: str, stack: Stack, psfmask: str | None, origin: str
) -> ScienceExposure:
    if not ASN_ID.fullmatch(asn_id):
        remedy = "write o, c or a and digits, for example a3001"
        raise ConfigError(
            "is no association candidate",
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
    return ScienceExposure(f"{_root(science)}_{asn_id}", science, asn_id, stack, psfmask, origin)


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


def _root(path: Path) -> str:
    return path.name.removesuffix(".fits").removesuffix("_calints")


def _share_stacks(exposures: list[ScienceExposure]) -> list[ScienceExposure]:
    """Let exposures whose psf images are the same use one stack."""
    first: dict[tuple[Path, ...], Stack] = {}
    return [replace(e, stack=first.setdefault(e.stack.members, e.stack)) for e in exposures]


def _check_names(exposures: list[ScienceExposure]) -> None:
    seen: dict[str, ScienceExposure] = {}
    stacks: dict[str, ScienceExposure] = {}
    for exposure in exposures:
        for name in (exposure.name, exposure.stack.name, exposure.name_in(Scope.ASSOCIATION)):
            _check_name(name, exposure)
        other = seen.setdefault(exposure.name.casefold(), exposure)
        if other is not exposure:
            raise ConfigError(
                f"{other.origin} and {exposure.origin} would both write {exposure.name}",
                remedy="remove one, or give it another asn_id",
            )
        other = stacks.setdefault(exposure.stack.name.casefold(), exposure)
        if other.stack != exposure.stack:
            raise ConfigError(
                f"{other.origin} and {exposure.origin} have different psf stacks called "
                f"{exposure.stack.name}",
                remedy="rename one of the files",
            )


def _check_name(name: str, exposure: ScienceExposure) -> None:
    if not NAME.fullmatch(name) or name in RESERVED or ".." in name:
        raise ConfigError(
            f"{name!r} cannot be the name of results",
            file=exposure.origin,
            remedy="name files with letters, digits, _ . and -, not beginning with a dash",
        )
