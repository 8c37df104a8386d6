"""Convert dataclasses of options to a JSON schema, and mappings to such dataclasses."""

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Json = dict[str, Any]

WORDS = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
PATH: Json = {"type": "string", "minLength": 1, "format": "path"}
# What a number must be, by the keyword of JSON Schema: the test, the problem otherwise, the remedy.
LIMITS: Mapping[str, tuple[Callable[[Any, Any], bool], str, str]] = {
    "minimum": (operator.ge, "is less than {}", "write {} or more"),
    "maximum": (operator.le, "is more than {}", "write {} or less"),
    "exclusiveMinimum": (operator.gt, "is not more than {}", "write more than {}"),
}


def option(
    text: str,
    default: Any = dataclasses.MISSING,
    *,
    step: str = "",
    values: str = "",
    unit: str = "",
    **limits: Any,
) -> Any:
    """
    Return a field of a dataclass that is an option of the configuration.

    Parameters
    ----------
    text
        Its description, in Markdown.
    default
        Its default. Without a default it is required; with None it may be missing.
    step
        The step that gets it as an argument of the same name.
    values, unit
        A description of its values, if type and limits are not enough; its unit.
    limits
        Keywords of JSON Schema, such as ``minimum`` or ``pattern``.
    """
    notes = {"description": text, "values": values, "unit": unit}
    metadata = {"notes": {k: v for k, v in notes.items() if v}, "step": step, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def schema_of(kind: type) -> Json:
    """Return the JSON schema of a dataclass of options."""
    fields = dataclasses.fields(kind)
    required = [field.name for field in fields if field.default is dataclasses.MISSING]
    schema: Json = {"type": "object", "additionalProperties": False}
    if required:
        schema["required"] = required
    hints = _hints(kind)
    return {**schema, "properties": {f.name: _property(f, hints[f.name]) for f in fields}}


def build(kind: Any, content: Mapping[str, Any]) -> Any:
    """Make a dataclass of options of a mapping that fits its schema."""
    hints = _hints(kind)
    return kind(**{name: _value(hints[name], value) for name, value in content.items()})


def plain(value: Any) -> Any:
    """Turn options into types of JSON and YAML, without those that were left out."""
    if dataclasses.is_dataclass(value):
        given = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {f.name: plain(v) for f, v in given if not (v is None and f.default is None)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def values_of(options: Any, step: str) -> Json:
    """Return the options that a step takes, by the names of its arguments."""
    own = (f.name for f in dataclasses.fields(options) if f.metadata["step"] == step)
    return {name: plain(getattr(options, name)) for name in own}


def paths_in(content: Any, schema: Json, keyword: str = "") -> Iterator[tuple[str, str]]:
    """Yield each path in a mapping that fits a schema, with the keyword that leads there."""
    if isinstance(content, dict):
        for name, part in schema.get("properties", {}).items():
            if name in content:
                yield from paths_in(content[name], part, f"{keyword}.{name}".removeprefix("."))
    elif isinstance(content, list):
        for index, item in enumerate(content):
            yield from paths_in(item, schema.get("items", {}), f"{keyword}[{index}]")
    elif isinstance(content, str) and schema.get("format") == "path":
        yield keyword, content


def _property(field: "dataclasses.Field[Any]", hint: Any) -> Json:
    schema = {**field.metadata["notes"], **_type(hint, field.default), **field.metadata["limits"]}
    if field.default is dataclasses.MISSING or field.default is None:
        return schema
    default = {} if dataclasses.is_dataclass(field.default) else plain(field.default)
    return {**schema, "default": default}


def _type(hint: Any, default: Any = dataclasses.MISSING) -> Json:
    """Return the schema of a type; None stands for an option left out where it is the default."""
    parts = [part for part in _parts(hint) if part is not NoneType or default is not None]
    if len(parts) > 1:
        return _either([_type(part) for part in parts])
    (part,) = parts
    if dataclasses.is_dataclass(part):
        return schema_of(part)  # type: ignore[arg-type]
    if get_origin(part) is Literal:
        return {"enum": list(get_args(part))}
    if get_origin(part) is tuple:
        item, rest = get_args(part)[0], get_args(part)[1:]
        length = {} if rest == (...,) else {"minItems": len(rest) + 1, "maxItems": len(rest) + 1}
        return {"type": "array", "items": _type(item), **length}
    return dict(PATH) if part is Path else {"type": WORDS[part]}


def _either(schemas: list[Json]) -> Json:
    """Return the schema of what may be of several types; each constraint is about one of them."""
    if all("properties" in schema for schema in schemas):
        return _one_of(schemas)
    merged: Json = {"type": []}
    for schema in schemas:
        words = "|".join(schema.get("enum", ()))
        part = {"type": "string", "pattern": f"^({words})$"} if words else schema
        merged = {**merged, **part, "type": [*merged["type"], part["type"]]}
    return merged


def _one_of(schemas: list[Json]) -> Json:
    """Return the schema of a mapping with the keys of one of several."""
    properties = {name: part for schema in schemas for name, part in schema["properties"].items()}
    kinds = [
        {"required": schema.get("required", []), "propertyNames": {"enum": [*schema["properties"]]}}
        for schema in schemas
    ]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "oneOf": kinds,
    }


def _value(hint: Any, value: Any) -> Any:
    parts = _parts(hint)
    if isinstance(value, dict):
        kinds: Any = (part for part in parts if dataclasses.is_dataclass(part))
        return build(next(kind for kind in kinds if value.keys() <= _hints(kind).keys()), value)
    if isinstance(value, list):
        item = get_args(next(part for part in parts if get_origin(part) is tuple))[0]
        return tuple(_value(item, one) for one in value)
    return Path(value) if isinstance(value, str) and Path in parts else value


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


@cache
def _hints(kind: Any) -> Json:
    return get_type_hints(kind)
