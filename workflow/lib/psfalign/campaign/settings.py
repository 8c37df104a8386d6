"""Check a configuration against its schema, and fill in what it leaves out."""

import copy
import difflib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..images.bad_pixels import SMALLEST_BOX
from ..images.dq_flags import parse_bad_bits

SCHEMA = Path(__file__).with_name("config.schema.yaml")
FORBIDDEN = ("://", "\0", "\n", "\r")
# Characters that the engine reads as the bounds of a wildcard or of a variable in a path.
WILDCARD = "{}<>"
# What YAML calls the types of JSON Schema, and those of Python.
KINDS = {
    "array": "a list",
    "object": "a mapping",
    "string": "a string",
    "integer": "an integer",
    "null": "null",
    list: "a list",
    dict: "a mapping",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
REMEDIES = {
    "median_box_length": f"use 3 or more; a box of less than {SMALLEST_BOX} has no neighbours",
    "asn_id": "write o, c or a and digits, for example a3001",
    "context": "write the name of a pipeline mapping, for example jwst_1413.pmap",
}


def load_schema() -> dict[str, Any]:
    """Read the schema of the configuration."""
    schema: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema


def complete_config(config: dict[str, Any], file: object = None) -> dict[str, Any]:
    """
    Validate a configuration and give it with all defaults.

    Parameters
    ----------
    config
        As it was read; not modified.
    file
        The file to name in errors.

    Raises
    ------
    ConfigError
        With the path of the first key that is wrong, what it holds, and what it may hold.
    """
    schema = load_schema()
    for error in _schema_errors(config, schema):
        raise _explain(error, file)
    completed = copy.deepcopy(config)
    _fill_defaults(completed, schema)
    if not completed["exposures"] and not completed["associations"]:
        problem, remedy = "there is no exposure", "list exposures or associations"
        raise ConfigError(problem, file=file, keyword="exposures", remedy=remedy)
    for keyword, path in _paths(completed):
        _check_path(path, keyword, file)
    _check_bad_bits(completed["align_refs"]["bad_bits"], file)
    if completed["psfmask"]["references"] and "crds" in completed["psfmask"]:
        problem, remedy = "psfmask.references is given too", "keep one source of masks"
        raise ConfigError(problem, file=file, keyword="psfmask.crds", remedy=remedy)
    return completed


def _schema_errors(config: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    from jsonschema import Draft202012Validator, validators

    # JSON Schema takes 3.0 for an integer; a box of 3.0 pixels is no slice.
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, x: type(x) is int)
    strict: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, type_checker=types
    )
    return sorted(strict(schema).iter_errors(config), key=lambda error: list(error.path))


def _check_bad_bits(bad_bits: str | int | None, file: object) -> None:
    try:
        parse_bad_bits(bad_bits)
    except ConfigError as error:
        error.file = file
        raise


def _fill_defaults(value: Any, schema: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if "default" in part:
                value.setdefault(name, copy.deepcopy(part["default"]))
            if name in value:
                _fill_defaults(value[name], part)
    elif isinstance(value, list):
        for item in value:
            _fill_defaults(item, schema.get("items", {}))


def _explain(error: Any, file: object) -> ConfigError:
    """Put a schema error into one line."""
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
    """Say what is wrong with a value, and what to write instead."""
    expected = error.validator_value
    if error.validator == "type":
        names = [expected] if isinstance(expected, str) else expected
        kinds = " or ".join(KINDS[name] for name in names)
        number = _meant_integer(error.instance) if "integer" in names else ""
        found = KINDS.get(type(error.instance), f"a {type(error.instance).__name__}")
        return f"is {found}, expected {kinds}", f"write {number or kinds}"
    if error.validator == "enum":
        words = [str(word) for word in expected]
        close = difflib.get_close_matches(str(error.instance), words, n=1)
        return "is not known", f"write {close[0] if close else ' or '.join(words)}"
    if error.validator == "minimum":
        return f"is less than {expected}", f"write {expected} or more"
    if error.validator in ("minLength", "minItems"):
        return "is empty", "fill it in, or leave it out"
    return f"does not match {expected}", "see config/README.md"


def _meant_integer(value: Any) -> str:
    """Return the integer that 3.0, or the text 1e1, was meant to be: that is text in YAML 1.1."""
    try:
        number = float(value) if isinstance(value, str | float) else math.nan
    except ValueError:
        return ""
    return str(int(number)) if number.is_integer() else ""


def _join(path: Any) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _paths(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "output_dir", config["output_dir"]
    for i, path in enumerate(config["associations"]):
        yield f"associations[{i}]", path
    for i, path in enumerate(config["psfmask"]["references"]):
        yield f"psfmask.references[{i}]", path
    if "crds" in config["psfmask"]:
        yield "psfmask.crds.path", config["psfmask"]["crds"]["path"]
    for i, exposure in enumerate(config["exposures"]):
        yield f"exposures[{i}].science", exposure["science"]
        psfs = exposure["psfs"]
        for path in [psfs] if isinstance(psfs, str) else psfs:
            yield f"exposures[{i}].psfs", path
        if "psfmask" in exposure:
            yield f"exposures[{i}].psfmask", exposure["psfmask"]


def _check_path(path: str, keyword: str, file: object) -> None:
    if path.startswith("~") or any(part in path for part in FORBIDDEN):
        problem, remedy = "is not a path: no URL, no ~, no line break", "write a file's path"
    elif keyword == "output_dir" and any(character in path for character in WILDCARD):
        problem = f"the engine reads {' '.join(WILDCARD)} itself"
        remedy = "name a folder without them"
    else:
        return
    raise ConfigError(problem, file=file, keyword=keyword, value=repr(path), remedy=remedy)
