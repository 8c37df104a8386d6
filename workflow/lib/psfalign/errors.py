"""Define the errors of psfalign, each of which prints as one line."""

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Self

# C0 and C1 control characters, and those that change the direction of text.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
OUT_OF_MEMORY = "out of memory; run fewer jobs at a time, or on a machine that has more"

# How the last line of a log begins after a failure, and after success.
ERROR, DONE = "psfalign: error: ", "psfalign: done in "

# The remedy for a file that psfalign wrote.
MAKE_AGAIN = "remove it and run the workflow again"

# The remedies for errors of the operating system.
REMEDIES: Mapping[int | None, str] = MappingProxyType(
    {
        errno.ENOSPC: "make room on that disk",
        errno.EDQUOT: "make room within the quota",
        errno.EFBIG: "raise the limit on the size of files",
        errno.EROFS: "choose a place that can be written to",
        errno.EACCES: "change the permissions",
        errno.EIO: "check the disk",
        errno.EISDIR: "name a file, or remove the folder",
        errno.EEXIST: "name another place",
        errno.ENOTDIR: "name a place in a folder",
        errno.ENAMETOOLONG: "choose a shorter name",
    }
)


class PsfalignError(Exception):
    """
    An error that the user can correct; its text is one line.

    Parameters
    ----------
    problem
        What is wrong, without a full stop.
    file
        The file that it is about, with ``[EXT]`` where one extension is meant.
    keyword, value
        The header keyword or configuration key and what was found there.
    remedy
        What to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        keyword: str | None = None,
        value: object = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(problem, file, keyword, value, remedy)
        self.problem = problem
        self.file = file
        self.keyword = keyword
        self.value = value
        self.remedy = remedy

    @classmethod
    def unreadable(cls, error: OSError, file: object) -> Self:
        """Return the error for a file that cannot be read, with the reason of the system."""
        remedy = REMEDIES.get(error.errno, "check the path")
        return cls(f"cannot be read: {error.strerror or error}", file=file, remedy=remedy)

    def of_own_file(self) -> Self:
        """Set the remedy for a file that psfalign wrote, which must be made again."""
        if (self.remedy or "").startswith("fetch"):
            self.remedy = MAKE_AGAIN
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception that comes from another process is unpickled with positional arguments.
        return _rebuild, (type(self), self.args)

    def __str__(self) -> str:
        subject = "" if self.file is None else str(self.file)
        if self.keyword is not None:
            entry = self.keyword if self.value is None else f"{self.keyword}={self.value}"
            subject = f"{subject} {entry}" if subject else entry
        line = f"{subject}: {self.problem}" if subject else self.problem
        if self.remedy is not None:
            line = f"{line}; {self.remedy}"
        return visible(" ".join(line.split()))


def visible(text: str) -> str:
    """Escape characters that a terminal, a page or a figure would interpret."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def system_error(error: OSError, file: object = None) -> PsfalignError:
    """Return one line for an error of the system, with the file that it names or another."""
    named = error.filename2 or error.filename or file
    problem, remedy = error.strerror or str(error), REMEDIES.get(error.errno)
    return PsfalignError(problem, file=named, remedy=remedy)


def error_line(error: object, file: object = None) -> str:
    """Return the line to print for an error of psfalign, of memory, or of the system."""
    if isinstance(error, MemoryError):
        return f"{ERROR}{OUT_OF_MEMORY}"
    return f"{ERROR}{system_error(error, file) if isinstance(error, OSError) else error}"


class ConfigError(PsfalignError):
    """The configuration cannot be used."""


class InputError(PsfalignError):
    """An input file cannot be used."""


class MaskError(InputError):
    """No mask, more than one, or one that cannot weight a fit."""


class FitError(PsfalignError):
    """A fit failed and the configuration asks to stop there."""


class WorkerError(PsfalignError):
    """A worker process died."""


def _rebuild(kind: type[PsfalignError], arguments: Sequence[Any]) -> PsfalignError:
    problem, file, keyword, value, remedy = arguments
    return kind(problem, file=file, keyword=keyword, value=value, remedy=remedy)


@contextmanager
def said_in_one_line() -> Iterator[None]:
    """End the program with one line for each error; Snakefiles, which have no `main`, use it."""
    try:
        yield
    except PsfalignError as error:
        raise SystemExit(error_line(error)) from None
    except ExceptionGroup as group:
        lines = dict.fromkeys(map(error_line, group.exceptions))
        raise SystemExit("\n".join(lines)) from None
