"""Refuse input files that differ from those that a job was planned with."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import InputError
from ..files.digest import sha256

REMEDY = (
    "start the run again; if a manifest lists this file, put the listed one in its place, or write "
    "the manifest again"
)


def check_given(planned: Mapping[str, str], files: Iterable[str]) -> None:
    """
    Check that the inputs of a job are those that were known when it was planned.

    Parameters
    ----------
    planned
        SHA-256 of the inputs from outside, by their paths in the configuration.
    files
        The inputs of the job, at the paths where Snakemake has put them: those from outside in the
        order of ``planned``, and others.

    Raises
    ------
    InputError
        For the first input that differs.
    """
    rest = list(dict.fromkeys(files))
    for path, digest in planned.items():
        # In storage, a file has another folder than in the configuration, but the same name.
        given = next((file for file in rest if Path(file).name == Path(path).name), None)
        if given is None:
            problem = f"the job was planned with {path}, which it was not given"
            raise InputError(problem, remedy="start the run again")
        rest.remove(given)
        found = sha256(Path(given))
        if found != digest:
            problem = f"its SHA-256 is {found[:12]}…, planned was {digest[:12]}…"
            raise InputError(problem, file=given, remedy=REMEDY)
