"""Ambiguous YAML is refused with line and column."""

from pathlib import Path

import pytest
from files import refused

from psfalign.campaign.yaml import read_yaml
from psfalign.errors import ConfigError


def test_plain_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = 'a: 1\nb: {c: [x, "y: z"], d: null}\nblicht: "ä"\ne: ["010", 0, -0.5, 0x1F, 08]\n'
    path.write_text(text, encoding="utf-8")
    expected = {"a": 1, "b": {"c": ["x", "y: z"], "d": None}, "blicht": "ä"}
    assert read_yaml(path) == expected | {"e": ["010", 0, -0.5, 31, "08"]}


def test_the_demo_is_plain_yaml() -> None:
    assert read_yaml(Path(__file__).parents[2] / "config/config.yaml")["output_dir"] == "results"


MISTAKES = {
    "item_01_tab": ("a: 1\n\tb: 2\n", "line 2, column 1: a tab; YAML is indented with spaces"),
    "item_01_syntax": ("a: 1\nb: [1\nc: 2\n", "line 3, column 2: expected ',' or ']', but got ':'"),
    "item_01_control_character": (
        "a: 1\nbc: \x01\n",
        "line 2, column 5: a character that YAML does not allow, #x0001",
    ),
    "item_01_two_documents": ("a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
    "item_01_key_not_a_word": ("a: 1\n[b]: 2\n", "line 2, column 1: a key must be a word"),
    "item_01_nested_too_deeply": ("[" * 5000, "is nested too deeply"),
    "item_01_no_such_date": (
        "a: 2020-99-99\n",
        "line 1, column 4: 2020-99-99 is not a value: month must be in 1..12",
    ),
    "item_05_octal": (
        "a: {b: -010}\n",
        "line 1, column 8: -010 is the number -8 in YAML; write a decimal number, or put text in "
        "quotes",
    ),
    "item_05_base_60": (
        "a: 1:30.5\n",
        "line 1, column 4: 1:30.5 is the number 90.5 in YAML; write a decimal number, or put text "
        "in quotes",
    ),
    "item_05_octal_key": (
        "010: a\n",
        "line 1, column 1: 010 is the number 8 in YAML; write a decimal number, or put text in "
        "quotes",
    ),
    "item_04_duplicate_key": (
        "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
        "line 5, column 3: the key c is there twice, in lines 3 and 5",
    ),
    "item_04_duplicate_key_by_value": (
        "1: a\n0x1: b\n",
        "line 2, column 1: the key 1 is there twice, in lines 1 and 2",
    ),
    "item_12_anchor": ("a: &x 1\n", "line 1, column 4: anchors and aliases are not allowed"),
    "item_12_alias": ("a: 1\nb: *x\n", "line 2, column 4: anchors and aliases are not allowed"),
    "item_12_merge_key": ("a:\n  <<: {b: 1}\n", "line 2, column 3: merge keys are not allowed"),
    "item_12_python": (
        'a: !!python/object/apply:os.system ["true"]\n',
        "line 1, column 4: the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed",
    ),
    "item_12_tag": ("a: !x b\n", "line 1, column 4: the tag !x is not allowed"),
}


@pytest.mark.bad_input(1, 4, 5, 12)
@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_where_it_stands(name: str, tmp_path: Path) -> None:
    text, problem = MISTAKES[name]
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with refused(f"{path}: {problem}; correct the YAML", ConfigError):
        read_yaml(path)


def test_item_01_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xc3\xa9\xe9\n")
    message = f"{path}: line 2, column 5: byte 0xe9 is not UTF-8; save it as UTF-8"
    with refused(message, ConfigError):
        read_yaml(path)


def test_item_01_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    message = f"{path}: cannot be read: No such file or directory; check the path"
    with refused(message, ConfigError):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a\n", "a list at the top"),
        ("a", "a str at the top"),
    ],
)
def test_item_02_no_keys_at_the_top(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    message = f"{path}: is {found}, expected keys; start from config/config.yaml"
    with refused(message, ConfigError):
        read_yaml(path)
