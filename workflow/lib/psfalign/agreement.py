"""Refuse science, psf and mask files that do not belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalogue import ANY, matches
from .errors import InputError
from .files.exposure import SELECTORS


@dataclass(frozen=True)
class Party:
    """One of the files: its role, its image size (rows, columns), and the selectors it has."""

    role: str
    path: Path
    shape: Sequence[int]
    selectors: Mapping[str, str]


def check_agreement(parties: Sequence[Party]) -> None:
    """
    Refuse files whose images differ in size, or whose selectors contradict the first one's.

    Raises
    ------
    InputError
        With the values of all files.
    """
    first = parties[0]
    if len({tuple(party.shape) for party in parties}) > 1:
        table = ", ".join(
            f"{party.role} {party.path} {party.shape[1]}×{party.shape[0]}" for party in parties
        )
        problem = f"image sizes differ (columns×rows): {table}"
        raise InputError(problem, file=first.path, remedy="use files of the same subarray")
    differing = [
        keyword
        for keyword in SELECTORS
        if not all(_agree(keyword, first, party) for party in parties[1:])
    ]
    if differing:
        table = "; ".join(
            f"{party.role} {party.path} "
            + ", ".join(f"{key}={party.selectors.get(key, '-')}" for key in differing)
            for party in parties
        )
        problem = f"{' and '.join(differing)} differ: {table}"
        raise InputError(problem, file=first.path, remedy="use files that belong together")


def _agree(keyword: str, first: Party, other: Party) -> bool:
    if keyword not in first.selectors or keyword not in other.selectors:
        return True
    row, wanted = {keyword: other.selectors[keyword]}, {keyword: first.selectors[keyword]}
    return wanted[keyword] in ANY or matches(row, wanted)
