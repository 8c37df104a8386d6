"""The arguments that commands share, and what was given for them."""

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ..campaign.options import schema_of
from ..campaign.settings import (
    AlignOptions,
    PixelCircle,
    PsfmaskOptions,
    SkyCircle,
    SubtractionOptions,
)
from ..errors import ConfigError
from ..images.dq_flags import parse_bad_bits

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

# Options that the command line spells in its own way: --star COLUMN,ROW; --roll for stars+rolls.
OWN = ("star", "references")
# The options of the configuration that steps take: the field of each, and its schema.
OPTIONS = {
    field: schema_of(kind)["properties"][field.name]
    for kind in (PsfmaskOptions, AlignOptions, SubtractionOptions)
    for field in dataclasses.fields(kind)
    if field.metadata["step"] and field.name not in OWN
}
NUMBERS: dict[str, Callable[[str], Any]] = {"integer": int, "number": float}  # by JSON's names
# What a path means, where its name alone does not say it all.
PATHS = {
    "science": "science exposure, calints; cleaned for fit-shifts",
    "psfs": "cleaned psf images",
    "psfmask": "psfmask.json that resolve-psfmask wrote",
    "shifts": "table of shifts that fit-shifts wrote",
    "product": "aligned psf images that align-psfs wrote",
    "input": "calints or psfstack",
    "output": "file to write",
}
INPUTS = ("science", "psfs", "psfmask", "shifts", "input", "association", "product", "exposures")


def add_paths(command: argparse.ArgumentParser, *names: str) -> None:
    """Add required options that name files, each explained by `PATHS`."""
    for name in names:
        command.add_argument(
            f"--{name}", type=Path, required=True, metavar="FILE", help=PATHS[name]
        )


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add the number of processes."""
    text = "how many at a time, default 1; the bytes stay the same"
    command.add_argument("--threads", type=int, default=1, help=text)


def add_star(command: argparse.ArgumentParser) -> None:
    """Add the place of the star."""
    command.add_argument(
        "--star",
        type=_numbers(2),
        metavar="COLUMN,ROW",
        help="place of the star in pixels from 0, default what the header says",
    )


def add_circles(command: argparse.ArgumentParser) -> None:
    """Add circles without weight, in pixels and on the sky."""
    command.add_argument(
        "--exclude",
        type=_circle,
        action="append",
        default=[],
        metavar="COLUMN,ROW,RADIUS",
        help="circle without weight, in pixels from 0; may be repeated",
    )
    command.add_argument(
        "--exclude-sky",
        type=_circle,
        action="append",
        default=[],
        metavar="SEPARATION,ANGLE,RADIUS",
        help="likewise, from the star: arcsec, degrees from north to east, arcsec",
    )


def add_candidate(command: argparse.ArgumentParser) -> None:
    """Add what a product records of its association."""
    command.add_argument("--candidate", default="", help="association candidate, e.g. a3001")
    command.add_argument("--association", type=Path, metavar="FILE", help="its file, to record it")
    command.add_argument("--product-name", default="", help="its product's name, to record it")


def add_options(command: argparse.ArgumentParser, *steps: str, names: Collection[str] = ()) -> None:
    """Add the options of the configuration that some steps take, and others by their names."""
    for field, schema in OPTIONS.items():
        if field.metadata["step"] in steps or field.name in names:
            default: Any = field.default
            items = schema.get("items")
            said = " ".join(map(str, default or ["none"])) if items else default
            command.add_argument(
                _flag(field.name),
                type=NUMBERS.get(str((items or schema).get("type")), str),
                nargs="+" if items else None,
                choices=schema.get("enum"),
                default=default,
                help=f"{schema['description'].replace('%', '%%')} Default {said}.",
            )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """Return what reads so many numbers joined by commas."""

    def read(text: str) -> tuple[float, ...]:
        numbers = tuple(map(float, text.split(",")))
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers joined by commas")
        return numbers

    return read


def _circle(text: str) -> tuple[float, ...]:
    numbers = _numbers(3)(text)
    if numbers[-1] <= 0:
        raise argparse.ArgumentTypeError(f"the radius of {text!r} is not more than 0")
    return numbers


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("is not 1 or more")
    return number


def values_of(options: argparse.Namespace, step: str) -> dict[str, Any]:
    """Return what was given for a step, by the names of its arguments."""
    own = [field for field in OPTIONS if field.metadata["step"] == step]
    values = {field.name: getattr(options, field.name) for field in own}
    for field in own:
        schema, value = OPTIONS[field], values[field.name]
        least = schema.get("items", schema).get("minimum")
        for number in value if "items" in schema else [value]:
            at_least(least, number, _flag(field.name))
    if "bad_bits" in values:
        values["bad_bits"] = parse_bad_bits(values["bad_bits"])
    return values


def excluded_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the circles that were given, and where the star is, as `fit_exposure` takes them."""
    kinds = ((PixelCircle, options.exclude), (SkyCircle, options.exclude_sky))
    circles = [
        dict(zip((field.name for field in dataclasses.fields(kind)), numbers, strict=True))
        for kind, places in kinds
        for numbers in places
    ]
    return {"exclude": circles, "star": options.star or "auto"}


def at_least(least: int | None, number: Any, option: str) -> Any:
    """
    Return what was given for an option.

    Raises
    ------
    ConfigError
        If it is less than the least that is allowed.
    """
    if least is not None and number is not None and not number >= least:  # nor is NaN
        problem, remedy = f"is less than {least}", f"write {least} or more"
        raise ConfigError(problem, keyword=option, value=number, remedy=remedy)
    return number


def keep_inputs(options: argparse.Namespace) -> None:
    """Refuse an output that is one of the inputs."""
    output = getattr(options, "output", None)
    values = [getattr(options, name) for name in INPUTS if hasattr(options, name)]
    inputs = [path for value in values for path in (value if isinstance(value, list) else [value])]
    if output is not None:
        keep_apart(output, [Path(path) for path in inputs if path is not None])


def keep_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    if output.exists() and any(path.exists() and path.samefile(output) for path in inputs):
        remedy = "name another file"
        raise ConfigError("is an input", keyword="--output", value=output, remedy=remedy)


def warn(text: str) -> None:
    """Print a warning in one line on standard error."""
    print(f"psfalign: warning: {text}", file=sys.stderr)
