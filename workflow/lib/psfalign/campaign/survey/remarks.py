"""Collect the files that a survey leaves out, with the reasons, and warnings."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import PsfalignError

SHOWN = 4  # files of a group that are named on the terminal, where the configuration names all


class Remarks:
    """
    The files that are not used, and warnings about others.

    Attributes
    ----------
    left_out : dict
        The reason why each file is not used; the first reason counts.
    warnings : list
        Lines about files that are used, or are missing.
    """

    def __init__(self) -> None:
        self.left_out: dict[Path, str] = {}
        self.warnings: list[str] = []

    def leave_out(self, path: Path, reason: str | PsfalignError) -> None:
        """Record why a file is not used."""
        words = reason_of(reason, path) if isinstance(reason, PsfalignError) else reason
        self.left_out.setdefault(path, words)

    def warn(self, line: str) -> None:
        """Record a warning once."""
        if line not in self.warnings:
            self.warnings.append(line)

    def lines(self, *, written: object = None) -> Iterator[str]:
        """
        Return a line for each reason, then one for each warning.

        Parameters
        ----------
        written
            The configuration that lists all files; without it, the lines list them.
        """
        for reason, paths in self.grouped():
            yield f"left out: {_count(paths)}{reason}: {_names(paths, written)}"
        yield from (f"warning: {line}" for line in self.warnings)

    def grouped(self) -> list[tuple[str, list[Path]]]:
        """Return the files of each reason, in their order."""
        groups: dict[str, list[Path]] = {}
        for path, reason in sorted(self.left_out.items()):
            groups.setdefault(reason, []).append(path)
        return list(groups.items())


def reason_of(error: PsfalignError, path: Path) -> str:
    """Return what an error says without the name of the file, so that equal ones are grouped."""
    named = str(error.file)
    extension = named.removeprefix(str(path)) if named.startswith(f"{path}[") else ""
    if named != str(path) and error.file is not None and not extension:
        return str(error)
    short = type(error)(
        error.problem,
        file=extension or None,
        keyword=error.keyword,
        value=error.value,
        remedy=error.remedy,
    )
    return str(short)


def printable(text: object) -> str:
    """Write a path in one line that any terminal and any file can hold."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def listed(paths: Iterable[Path]) -> str:
    """Join the names of files."""
    return ", ".join(printable(path) for path in paths)


def _count(paths: list[Path]) -> str:
    return "" if len(paths) == 1 else f"{len(paths)} files: "


def _names(paths: list[Path], written: object) -> str:
    if written is None or len(paths) <= SHOWN:
        return listed(paths)
    return f"{listed(paths[: SHOWN - 1])} and {len(paths) - SHOWN + 1} more, named in {written}"
