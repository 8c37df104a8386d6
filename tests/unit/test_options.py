"""Options are fields of dataclasses: types and limits make the schema, mappings make values."""

import dataclasses
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from psfalign.campaign.options import build, option, paths_in, plain, schema_of, values_of
from psfalign.campaign.settings import AlignOptions, PsfmaskOptions, Settings
from psfalign.fit.integration import FitOptions
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask


@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float = option("Its radius.", unit="pixels", exclusiveMinimum=0)
    column: int | None = option("Where it is.", None)


@dataclass(frozen=True, kw_only=True)
class Point:
    name: str = option("What it is called.")
    column: int | None = option("Where it is.", None)


@dataclass(frozen=True, kw_only=True)
class Example:
    word: Literal["one", "two"] = option("A word.", "one", step="fit")
    star: Literal["auto"] | tuple[float, float] = option("Where the star is.", "auto")
    circles: tuple[Circle, ...] = option("Circles.", (), step="fit")
    files: Path | tuple[Path, ...] = option("Files.", minItems=1)
    circle: Circle = option("One more.", Circle(radius=1.0))
    places: tuple[Circle | Point, ...] = option("Of either kind.", ())


def test_types_make_the_schema() -> None:
    schema = schema_of(Example)
    parts = schema["properties"]
    assert (schema["required"], schema["additionalProperties"]) == (["files"], False)
    assert parts["word"] == {"description": "A word.", "enum": ["one", "two"], "default": "one"}
    assert parts["star"] == {
        "description": "Where the star is.",
        "type": ["string", "array"],
        "pattern": "^(auto)$",
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
        "default": "auto",
    }
    circle = parts["circles"]["items"]
    assert circle["required"] == ["radius"]
    assert circle["properties"]["radius"] == {
        "description": "Its radius.",
        "unit": "pixels",
        "type": "number",
        "exclusiveMinimum": 0,
    }
    assert circle["properties"]["column"] == {"description": "Where it is.", "type": "integer"}
    assert parts["files"]["type"] == ["string", "array"]
    assert parts["circle"]["default"] == {}
    either = parts["places"]["items"]
    assert list(either["properties"]) == ["radius", "column", "name"]
    assert either["additionalProperties"] is False
    assert either["oneOf"] == [
        {"required": ["radius"], "propertyNames": {"enum": ["radius", "column"]}},
        {"required": ["name"], "propertyNames": {"enum": ["name", "column"]}},
    ]


def test_mappings_make_values_and_values_make_mappings() -> None:
    content = {
        "files": ["a/b", "c"],
        "star": [1, 2.5],
        "circles": [{"radius": 2}],
        "places": [{"name": "a", "column": 1}, {"radius": 3, "column": 1}],
    }
    built = build(Example, content)
    circle = Circle(radius=2)
    places = Point(name="a", column=1), Circle(radius=3, column=1)
    files = Path("a/b"), Path("c")
    assert built == Example(files=files, star=(1, 2.5), circles=(circle,), places=places)
    assert plain(built) == {"word": "one", **content, "circle": {"radius": 1.0}}
    assert build(Example, {"files": "x"}).files == Path("x")
    assert values_of(built, "fit") == {"word": "one", "circles": [{"radius": 2}]}


def test_paths_are_found_with_their_keywords() -> None:
    content = {"files": ["a", "b"], "word": "one", "circles": [{"radius": 1}]}
    assert list(paths_in(content, schema_of(Example))) == [("files[0]", "a"), ("files[1]", "b")]
    assert list(paths_in({"files": "a"}, schema_of(Example))) == [("files", "a")]


def defaults_of(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


@pytest.mark.parametrize(
    ("options", "step", "takers"),
    [
        (PsfmaskOptions, "resolve_psfmask", [resolve_psfmask]),
        (AlignOptions, "clean", [clean_exposure]),
        (AlignOptions, "fit_shifts", [FitOptions, fit_exposure]),
        (AlignOptions, "align_psfs", [align_exposure]),
    ],
)
def test_functions_take_the_options_with_the_same_defaults(
    options: type, step: str, takers: list[Any]
) -> None:
    taken = {name: value for taker in takers for name, value in defaults_of(taker).items()}
    configured = Settings().of_step(step)
    assert configured
    assert {name: taken[name] for name in configured} == configured


def test_every_option_is_described() -> None:
    def fields(kind: type) -> Any:
        for field in dataclasses.fields(kind):
            yield field
            if dataclasses.is_dataclass(field.default):
                yield from fields(type(field.default))

    assert all(len(field.metadata["notes"]["description"]) > 20 for field in fields(Settings))
