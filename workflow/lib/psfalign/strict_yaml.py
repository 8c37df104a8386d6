"""Read YAML that means what it says: no duplicate keys, aliases, merge keys or tags."""

from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

MERGE_KEY = "<<"


class _StrictLoader(yaml.SafeLoader):
    """A loader that refuses what YAML would accept silently."""

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
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if key in lines:
                problem = f"the key {key} is there twice, in lines {lines[key]} and {line}"
                raise _Refused(problem, key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)


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
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
        raise ConfigError(problem, file=path, remedy="save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        content = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_describe(error), file=path, remedy="mend the YAML") from error
    except yaml.YAMLError as error:
        raise ConfigError(str(error), file=path, remedy="mend the YAML") from error
    if not isinstance(content, dict):
        found = "empty" if content is None else f"a {type(content).__name__} at the top"
        remedy = "start from config/config.yaml"
        raise ConfigError(f"is {found}, expected keys", file=path, remedy=remedy)
    return content


def _describe(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    return f"{where}{problem}"
