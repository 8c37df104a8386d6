"""Define the arguments that commands share, and read their values."""

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..campaign.options import LIMITS, schema_of
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

# Options with a syntax of their own on the command line: --star COLUMN,ROW; --roll (stars+rolls).
OWN = ("star", "references")
# The options of the configuration that steps take: the field of each, and its schema.
OPTIONS = {
    field: schema_of(kind)["properties"][field.name]
    for kind in (PsfmaskOptions, AlignOptions, SubtractionOptions)
    for field in dataclasses.fields(kind)
    if field.metadata["step"] and field.name not in OWN
}
NUMBERS: dict[str, Callable[[str], Any]] = {"integer": int, "number": float}  # by the names of JSON
# The help of arguments that name files.
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
    """Add required options that name files, with the help of `PATHS`."""
    for name in names:
        command.add_argument(
            f"--{name}", type=Path, required=True, metavar="FILE", help=PATHS[name]
        )


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add the number of processes."""
    text = "number of processes, default 1; the result does not depend on it"
    command.add_argument("--threads", type=int, default=1, help=text)


def add_star(command: argparse.ArgumentParser) -> None:
    """Add the position of the star."""
    command.add_argument(
        "--star",
        type=_numbers(2),
        metavar="COLUMN,ROW",
        help="position of the star in pixels from 0, default that of the header",
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
        help="circle without weight, in arcsec from the star, degrees from north to east, arcsec",
    )


def add_candidate(command: argparse.ArgumentParser) -> None:
    """Add the association, its candidate and its product, which the header records."""
    command.add_argument(
        "--candidate", default="", help="association candidate such as a3001, for the header"
    )
    command.add_argument(
        "--association", type=Path, metavar="FILE", help="association file, for the header"
    )
    command.add_argument(
        "--product-name", default="", help="name of the product in the association, for the header"
    )


def add_options(command: argparse.ArgumentParser, *steps: str, names: Collection[str] = ()) -> None:
    """Add the options of some steps from the configuration, and others by name."""
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
    """Return a function that reads ``count`` numbers joined by commas."""

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
    """Return the options of a step from the command line, by the names of its arguments."""
    own = [field for field in OPTIONS if field.metadata["step"] == step]
    values = {field.name: getattr(options, field.name) for field in own}
    for field in own:
        schema, value = OPTIONS[field], values[field.name]
        for number in value if "items" in schema else [value]:
            _check_number(number, schema.get("items", schema), _flag(field.name))
    if "bad_bits" in values:
        values["bad_bits"] = parse_bad_bits(values["bad_bits"])
    return values


def excluded_of(options: argparse.Namespace) -> dict[str, Any]:
    """
    Return the circles and the position of the star, as arguments of `fit_exposure`.

    Raises
    ------
    ConfigError
        If a circle covers no pixel of the science exposure.
    """
    kinds = (
        ("--exclude", PixelCircle, options.exclude),
        ("--exclude-sky", SkyCircle, options.exclude_sky),
    )
    star, circles = options.star or "auto", []
    for name, kind, given in kinds:
        for numbers in given:
            names = (field.name for field in dataclasses.fields(kind))
            place = dict(zip(names, numbers, strict=True))
            _check_covers(options.science, place, star, name, numbers)
            circles.append(place)
    return {"exclude": circles, "star": star}


def _check_covers(
    science: Path, place: dict[str, float], star: Any, name: str, numbers: Iterable[float]
) -> None:
    from ..files.circles import find_circles, say_beside
    from ..files.exposure import Exposure

    exposure = Exposure(science)
    shape = exposure.shape[1:]
    (circle,) = find_circles(exposure, [place], star)
    if not circle.covers(shape).any():
        raise ConfigError(
            say_beside(science, shape),
            keyword=name,
            value=",".join(f"{number:g}" for number in numbers),
            remedy="correct its place, or leave it out",
        )


def _check_number(number: Any, limits: Mapping[str, Any], option: str) -> None:
    """Raise `ConfigError` if the value of an option is a number beyond its limits."""
    if isinstance(number, float) and not math.isfinite(number):
        remedy = "write a finite number"
        raise ConfigError("is not finite", keyword=option, value=number, remedy=remedy)
    for keyword in LIMITS.keys() & limits.keys():
        _check_limit(number, keyword, limits[keyword], option)


def _check_limit(number: Any, keyword: str, limit: Any, option: str) -> None:
    is_within, problem, remedy = LIMITS[keyword]
    if number is not None and not is_within(number, limit):
        remedy = remedy.format(limit)
        raise ConfigError(problem.format(limit), keyword=option, value=number, remedy=remedy)


def at_least(least: int, number: Any, option: str) -> Any:
    """
    Return the value of an option.

    Raises
    ------
    ConfigError
        If it is less than ``least``.
    """
    _check_limit(number, "minimum", least, option)
    return number


def keep_inputs(options: argparse.Namespace) -> None:
    """Raise `ConfigError` if the output is one of the inputs."""
    output = getattr(options, "output", None)
    values = [getattr(options, name) for name in INPUTS if hasattr(options, name)]
    inputs = [path for value in values for path in (value if isinstance(value, list) else [value])]
    if output is not None:
        keep_apart(output, [Path(path) for path in inputs if path is not None])


def keep_apart(output: Path, inputs: Iterable[Path], option: str = "--output") -> None:
    """Raise `ConfigError` if the output is the same file as an input, under any name."""
    if output.exists() and any(path.exists() and path.samefile(output) for path in inputs):
        remedy = "name another file"
        raise ConfigError("is an input", keyword=option, value=output, remedy=remedy)


def warn(text: str) -> None:
    """Print a warning in one line on standard error."""
    print(f"psfalign: warning: {text}", file=sys.stderr)
