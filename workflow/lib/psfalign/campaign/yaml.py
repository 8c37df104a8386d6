"""Read plain YAML, without duplicate keys, aliases, merge keys or tags."""

import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..files.text import check_size

MERGE_KEY = "<<"
NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
# Unusual numbers of YAML 1.1: 010 is octal, and 1:30 is in base 60.
OTHER_BASE = re.compile(r"[-+]?0[0-9_]+|.*:.*")


class _StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses ambiguous input."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused("anchors and aliases are not allowed", event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _Refused(f"the tag {tag} is not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.value == MERGE_KEY:
                raise _Refused("merge keys are not allowed", key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused("a key must be a word", key_node.start_mark)
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if key in lines:
                problem = f"the key {key} is there twice, in lines {lines[key]} and {line}"
                raise _Refused(problem, key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except ValueError as error:  # a date or a number that only looks like one
            problem = f"{node.value} is not a value: {error}"
            raise _Refused(problem, node.start_mark) from error
        if node.tag in NUMBERS and OTHER_BASE.fullmatch(node.value):
            problem = f"{node.value} is the number {value} in YAML; write a decimal number"
            raise _Refused(f"{problem}, or put text in quotes", node.start_mark)
        return value


class _Refused(yaml.MarkedYAMLError):
    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Read a configuration file.

    Raises
    ------
    ConfigError
        With line and column, if it is not plain YAML with keys at the top.
    """
    try:
        check_size(path)
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        problem = f"{_place(before)}: byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise ConfigError(problem, file=path, remedy="save it as UTF-8") from error
    except OSError as error:
        raise ConfigError.unreadable(error, path) from error
    content = _load(text, path)
    if not isinstance(content, dict):
        found = "empty" if content is None else f"a {type(content).__name__} at the top"
        remedy = "start from config/config.yaml"
        raise ConfigError(f"is {found}, expected keys", file=path, remedy=remedy)
    return content


def _load(text: str, path: Path) -> Any:
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        problem = _describe(error)
    except yaml.reader.ReaderError as error:
        place = _place(text[: error.position])
        problem = f"{place}: a character that YAML does not allow, #x{error.character:04x}"
    except RecursionError:
        problem = "is nested too deeply"
    raise ConfigError(problem, file=path, remedy="correct the YAML")


def _place(before: str) -> str:
    lines = before.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _describe(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    return f"{where}{problem}"
