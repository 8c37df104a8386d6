"""Warn about exposures that can be aligned: roles, positions of the star, segments."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..errors import PsfalignError
from .exposures import ScienceExposure
from .facts import FactsStore
from .roles import RoleHeader, check_usable, fiducial_of, role_of, target_of
from .words import some_of

SEGMENT = re.compile(r"-seg(\d+)", re.IGNORECASE)
SHOWN = 20  # files that a line names


def list_doubts(exposures: Collection[ScienceExposure], facts: FactsStore) -> list[str]:
    """
    Return a line for each warning, with all files that it concerns.

    Files that cannot be read, or do not exist yet, are left out.
    """
    lines: dict[str, None] = {}
    for exposure in exposures:
        if not facts.is_made_first(exposure.science):
            lines.update(dict.fromkeys(_doubts_of(exposure, facts)))
    lines.update(dict.fromkeys(_segments(exposures, facts)))
    return list(lines)


def _doubts_of(exposure: ScienceExposure, facts: FactsStore) -> Iterator[str]:
    science = _header(exposure.science, facts)
    psfs = {path: _header(path, facts) for path in exposure.stack.members}
    for role, path, header in (
        ("science", exposure.science, science),
        *(("psf", path, header) for path, header in psfs.items()),
    ):
        try:
            check_usable(header)
        except PsfalignError as error:
            yield f"{role} {path} {error}"
    yield from _roles(exposure, science, psfs)
    place = fiducial_of(science)
    for path, header in psfs.items():
        other = fiducial_of(header)
        if place and other and place != other:
            yield (
                f"science {exposure.science} has PPS_APER={place}, psf {path} PPS_APER={other}: "
                "the stars are at different places of the bar, too far apart for max_shift; use "
                "psfs of the same fiducial point"
            )


def _roles(
    exposure: ScienceExposure, science: RoleHeader, psfs: dict[Path, RoleHeader]
) -> Iterator[str]:
    """Warn if IS_PSF contradicts the role; the association may be right."""
    wrong = [path for path, header in psfs.items() if _role(header) == "science"]
    if _role(science) == "psf":
        others = wrong or list(psfs)
        state = "F" if wrong else _is_psf(psfs[others[0]])
        yield (
            f"science {exposure.science} has IS_PSF=T, psf {_names(others)} IS_PSF={state}: the "
            "header calls it a reference star; exchange them if they are mixed up"
        )
    elif wrong and not exposure.association:
        same = [path for path in wrong if target_of(psfs[path]) == target_of(science) != ""]
        if same:
            yield (
                f"science {exposure.science} and psf {_names(same)} show the same target "
                f"{target_of(science)} (IS_PSF=F): what turns little between the rolls, near the "
                "star, subtracts itself"
            )
        library = [path for path in wrong if path not in same]
        if library:
            yield (
                f"psf {_names(library)} has IS_PSF=F, like science {exposure.science}: right for "
                "the star of a library; exchange them if they are mixed up"
            )


def _segments(exposures: Iterable[ScienceExposure], facts: FactsStore) -> Iterator[str]:
    """Warn of exposures of which segments are missing."""
    found: dict[tuple[str, str], dict[int, Path]] = {}
    for exposure in exposures:
        for path in (exposure.science, *exposure.stack.members):
            part = SEGMENT.search(path.name)
            if part and not facts.is_made_first(path):
                key = path.name[: part.start()], path.name[part.end() :]
                found.setdefault(key, {})[int(part[1])] = path
    for numbers in found.values():
        total = _header(next(iter(numbers.values())), facts).get("EXSEGTOT", "")
        last = int(total) if total.isdigit() else max(numbers)
        missing = [str(number) for number in range(1, last + 1) if number not in numbers]
        if missing:
            yield (
                f"{_names(sorted(numbers.values()))}: of {last} segments, {', '.join(missing)} "
                "missing; fetch what is missing, or go on without it"
            )


def _header(path: Path, facts: FactsStore) -> RoleHeader:
    try:
        header: RoleHeader = facts.exposure(path)["header"]
    except PsfalignError:
        return {}
    return header


def _role(header: RoleHeader) -> str | None:
    try:
        return role_of(header)
    except PsfalignError:
        return None


def _is_psf(header: RoleHeader) -> str:
    return header.get("IS_PSF", "missing")


def _names(paths: Collection[Path]) -> str:
    return some_of(paths, SHOWN)
