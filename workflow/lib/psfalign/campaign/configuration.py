"""Read a configuration, validate it with its schema, and convert it to `Settings`."""

import copy
import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..images.bad_pixels import SMALLEST_BOX
from ..images.dq_flags import parse_bad_bits
from .options import LIMITS, Json, build, paths_in
from .settings import Settings, config_schema
from .words import all_of, plural
from .yaml import read_yaml

COMMAND_LINE = "--config"
FORBIDDEN = ("://", "\0", "\n", "\r")
VARIABLE = re.compile(r"(^|/)\$(\w+|\{\w+\})(/|$)")  # of a shell, as a whole part of a path
# Characters that Snakemake interprets in paths, around wildcards and variables.
WILDCARD = "{}<>"
# The names in YAML of the types of JSON Schema, and of Python.
KINDS = {
    "array": "a list",
    "object": "a mapping",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
    list: "a list",
    dict: "a mapping",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
# How the command line's text is read as what an option takes.
READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "null": {"null": None, "": None}.__getitem__,
}
REMEDIES = {
    "median_box_length": f"use 3 or more; a box of less than {SMALLEST_BOX} has no neighbours",
    "asn_id": "write o, c or a and digits, for example a3001",
    "star": "write auto, or its [column, row], counted from 0",
    "context": "write the name of a pipeline mapping, for example jwst_1413.pmap",
}


def complete_config(
    config: Mapping[str, Any], file: object = None, *, command_line: Mapping[str, Any] | None = None
) -> Settings:
    """
    Validate a configuration, and complete it with all defaults.

    Parameters
    ----------
    config
        The configuration as it was read; not modified.
    file
        The name of the file in errors.
    command_line
        The part that comes from ``--config``. Snakemake reads nested values there as text; they are
        converted to the type of the option.

    Raises
    ------
    ConfigError
        For the first wrong key, with its path, its value, and the allowed values.
    """
    schema, given = _schema(), command_line or {}
    content = _overlay(copy.deepcopy(dict(config)), _typed(given, schema))
    for error in _schema_errors(content, schema):
        raise _explain(error, _origin(error, given, file))
    _check(content, schema, file)
    return build(Settings, content)


def read_strictly(files: Sequence[object]) -> str | None:
    """
    Raise `ConfigError` for configuration files that Snakemake would read differently.

    Returns
    -------
    The name of all of them in errors; None if there are none.

    Raises
    ------
    ConfigError
        See `psfalign.campaign.yaml.read_yaml`.
    """
    for file in files:
        read_yaml(Path(str(file)))
    return ", ".join(map(str, files)) or None


def read_settings(path: Path) -> Settings:
    """
    Read a configuration file.

    Raises
    ------
    ConfigError
        With what is wrong, see `complete_config`.
    """
    return complete_config(read_yaml(path), path)


@cache
def _schema() -> Json:
    return config_schema()


def _check(content: Json, schema: Json, file: object) -> None:
    """Raise `ConfigError` for mistakes that a schema cannot express."""
    if not (content.get("exposures") or content.get("associations")):
        problem, remedy = "there is no exposure", "list exposures or associations"
        raise ConfigError(problem, file=file, keyword="exposures", remedy=remedy)
    for keyword, path in paths_in(content, schema):
        _check_path(path, keyword, file)
    try:
        parse_bad_bits(content.get("align_refs", {}).get("bad_bits", ""))
    except ConfigError as error:
        error.file = file
        raise
    masks = content.get("psfmask", {})
    if masks.get("references") and "crds" in masks:
        problem, remedy = "psfmask.references is given too", "keep one source of masks"
        raise ConfigError(problem, file=file, keyword="psfmask.crds", remedy=remedy)


def _typed(value: Any, schema: Json) -> Any:
    """Convert text of the command line to the type of an option."""
    if isinstance(value, Mapping):
        parts = schema.get("properties", {})
        return {name: _typed(part, parts.get(name, {})) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(item, schema.get("items", {})) for item in value]
    kinds = schema.get("type", "string")
    if type(value) is int and kinds == "string":
        return str(value)
    if not isinstance(value, str) or "string" in kinds:
        return value
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        try:
            return READERS[kind](value)
        except (KeyError, ValueError):
            continue
    return value


def _overlay(config: Json, given: Mapping[str, Any]) -> Json:
    """Return a configuration with the values of the command line in it."""
    for name, value in given.items():
        below = config.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            _overlay(below, value)
        else:
            config[name] = value
    return config


def _origin(error: Any, given: Mapping[str, Any], file: object) -> object:
    """Return the origin of a value for errors: the command line or a file."""
    value: Any = given
    for part in error.absolute_path:
        if not isinstance(value, Mapping):
            return COMMAND_LINE
        if part not in value:
            return file
        value = value[part]
    unknown = error.validator == "additionalProperties"
    names = error.schema.get("properties", {})
    if isinstance(value, Mapping) and not (unknown and any(name not in names for name in value)):
        return file
    return COMMAND_LINE


def _schema_errors(config: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    from jsonschema import Draft202012Validator, validators

    # JSON Schema takes 3.0 for an integer; a box of 3.0 pixels is no slice. YAML has .nan and .inf.
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, x: type(x) is int, "number": lambda _, x: _is_number(x)}
    )
    strict: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, type_checker=types
    )
    return sorted(strict(schema).iter_errors(config), key=lambda error: list(error.path))


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _explain(error: Any, file: object) -> ConfigError:
    """Return an error of one line for an error of the schema."""
    keyword = _join(error.absolute_path)
    name = str(error.absolute_path[-1]) if error.absolute_path else ""
    if error.validator == "additionalProperties":
        allowed = list(error.schema["properties"])
        unknown = next(str(key) for key in error.instance if key not in allowed)
        return _unknown_key(f"{keyword}.{unknown}" if keyword else unknown, unknown, allowed, file)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return ConfigError(
            "is required", file=file, keyword=f"{keyword}.{missing}", remedy="add it"
        )
    if error.validator == "oneOf":
        kinds = [all_of(kind["required"]) for kind in error.validator_value]
        problem = f"has the keys {all_of(error.instance)}" if error.instance else "is empty"
        remedy = f"give it {', or '.join(kinds)}"
        return ConfigError(problem, file=file, keyword=keyword, remedy=remedy)
    problem, remedy = _expectation(error)
    return ConfigError(
        problem,
        file=file,
        keyword=keyword or None,
        value="null" if error.instance is None else repr(error.instance),
        remedy=REMEDIES.get(name, remedy),
    )


def _unknown_key(keyword: str, name: str, allowed: list[str], file: object) -> ConfigError:
    close = difflib.get_close_matches(name, allowed, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(allowed)}"
    return ConfigError("unknown key", file=file, keyword=keyword, remedy=remedy)


def _expectation(error: Any) -> tuple[str, str]:
    """Return the problem with a value, and the remedy."""
    expected = error.validator_value
    if error.validator == "type":
        names = [expected] if isinstance(expected, str) else expected
        if "number" in names and isinstance(error.instance, float):
            return "is not finite", "write a finite number"
        kinds = " or ".join(KINDS[name] for name in names)
        number = _meant_number(error.instance, names)
        found = KINDS.get(type(error.instance), f"a {type(error.instance).__name__}")
        return f"is {found}, expected {kinds}", f"write {number or kinds}"
    if error.validator == "enum":
        words = [str(word) for word in expected]
        close = difflib.get_close_matches(str(error.instance), words, n=1)
        return "is not known", f"write {close[0] if close else ' or '.join(words)}"
    if error.validator in LIMITS:
        _, problem, remedy = LIMITS[error.validator]
        return problem.format(expected), remedy.format(expected)
    if error.validator in ("minLength", "minItems") and not error.instance:
        return "is empty", "fill it in, or leave it out"
    problem = f"does not match {expected}"
    if error.validator in ("minItems", "maxItems"):
        problem = f"has {plural(len(error.instance), 'value')}, not {expected}"
    return problem, "see config/README.md"


def _meant_number(value: Any, kinds: Sequence[str]) -> str:
    """Return the number that 3.0 or 1e1 was meant to be; 1e1 is text in YAML 1.1."""
    try:
        number = float(value) if isinstance(value, str | float) else math.nan
    except ValueError:
        return ""
    if "number" in kinds:
        return str(number) if math.isfinite(number) else ""
    return str(int(number)) if "integer" in kinds and number.is_integer() else ""


def _join(path: Any) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _check_path(path: str, keyword: str, file: object) -> None:
    if path.startswith("~") or any(part in path for part in FORBIDDEN):
        problem, remedy = "is not a path: no URL, no ~, no line break", "write a file's path"
    elif variable := VARIABLE.search(path):
        problem = f"the variable ${variable[2]} is not replaced"
        remedy = "write the path in full"
    elif keyword == "output_dir" and any(character in path for character in WILDCARD):
        problem = f"Snakemake does not accept {' '.join(WILDCARD)} here"
        remedy = "name a folder without them"
    else:
        return
    raise ConfigError(problem, file=file, keyword=keyword, value=repr(path), remedy=remedy)
