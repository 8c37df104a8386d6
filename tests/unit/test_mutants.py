"""The study of mistakes in the core makes the mistakes that it says."""

import ast

import pytest
from studies.mutants import draw, list_trials, render
from studies.operators import make_mutants


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("x = a < b", ["x = a <= b", "x = a >= b"]),
        ("x = β is not None", ["x = β is None"]),  # two bytes, of which positions are counted
        ("x = (a) + (b)", ["x = (a) - (b)"]),
        ("x = a and not b", ["x = a or not b", "x = a and (b)"]),
        ("x = min(a, 2)", ["x = max(a, 2)", "x = min(a, 3)", "x = min(a, 1)"]),
        ("x = 0.5", ["x = 1.0", "x = 0.25"]),
        ("f(a, b=True)", ["pass", "f(a)", "f(a, b=False)"]),
        ("f(b=c, d=e)", ["pass", "f(d=e)", "f(b=c)"]),
        ("x *= a", ["pass", "x /= a"]),
        ("x[i] = a", ["pass"]),
        ("x = a if b else c", ["x = a if not (b) else c"]),
        ("raise f", ["pass"]),
        ("x: int | None = a  # why", []),
        ('x = f"{a + b}"', []),
    ],
)
def test_mutants_of_a_line(line: str, changed: list[str]) -> None:
    assert [mutant.changed for mutant in make_mutants(f"{line}\n")] == changed


def test_mutants_say_where_they_are() -> None:
    source = "class A:\n    def f(self):\n        # why\n        return 1  # one\n"
    found = [(mutant.where, mutant.original, mutant.changed) for mutant in make_mutants(source)]
    assert found == [
        ("A.f", "return 1", "return None"),
        ("A.f", "return 1", "return 2"),
        ("A.f", "return 1", "return 0"),
    ]


def test_mutants_of_the_library_are_python_and_each_has_a_name() -> None:
    for module, trials in list_trials().items():
        for trial in trials:
            ast.parse(trial.mutant.source)
        assert len({trial.name for trial in trials}) == len(trials), module


def test_page_tells_survivors_without_a_reason() -> None:
    trials = list_trials()
    one, other, *killed = draw(trials)
    outcomes = [(one, True), (other, True), *((trial, False) for trial in killed)]
    page = render(trials, outcomes, {one.name: "Only speed."})
    assert page.endswith(
        f"\nOnly speed.\n\n- `{one.name}`\n\n**Not explained yet.**\n\n- `{other.name}`\n"
    )
