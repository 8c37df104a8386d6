"""The records of results are compared with those of a new run."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from small_campaign import NAME, PRODUCT

from psfalign.campaign import expected as expected_module
from psfalign.campaign.expected import Expectations, Made
from psfalign.campaign.exposures import ScienceExposure, Stack
from psfalign.campaign.facts import FactsStore
from psfalign.campaign.truth import Truth, compare
from psfalign.files.provenance.records import Record, software_versions
from psfalign.fit.integration import FitOptions
from psfalign.steps.registry import STEPS

STEM = f"results/{NAME}/{NAME}"
FITTING = {
    "options": asdict(FitOptions(max_shift=4)),
    "align_to": "each",
    "shifts": "pairwise",
    "on_failed_fit": "flag",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "resolve_psfmask": {"convention": "auto"},
    "clean_science": {"median_box_length": 3, "bad_bits": 1},
    "clean_psfs": {"median_box_length": 3, "bad_bits": 1},
    "fit_shifts": FITTING,
    "align_psfs": {"errors": "variance", "candidate": "a3001"},
}


def exposure() -> ScienceExposure:
    stack = Stack("star", (Path("data/star_psfstack.fits"),), is_stacked=True)
    science = Path("data/sci_calints.fits")
    return ScienceExposure(NAME, science, "a3001", stack, "data/mask.fits", "exposures[0]")


def judge(
    folder: Path,
    settings: dict[str, dict[str, Any]] = SETTINGS,
    software: tuple[tuple[str, str], ...] = (),
) -> Truth:
    """Judge the results of a campaign, its figures left out."""
    facts = FactsStore(folder / "facts.json")
    never = ("stack_psfs", *(step.name for step in STEPS.values() if step.is_optional))
    expectations = Expectations(
        Path("results"),
        lambda step, _: None if step in never else settings.get(step, {}),
        {NAME: [Path("data/mask.fits")]},
        facts,
        software=software,
    )
    truth = Truth(expectations.results([exposure()]), facts)
    facts.save()
    return truth


@pytest.fixture
def results(copied_results: Path) -> Path:
    """The results of a campaign whose mask lies where this campaign has it."""
    change_mask(psfmask="data/mask.fits")
    return copied_results


def change_mask(**values: object) -> None:
    path = Path(f"{STEM}_psfmask.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def outdated(truth: Truth) -> dict[str, str]:
    return {found.job[0]: found.reason for found in truth.outdated}


@pytest.mark.bad_input(55)
def test_results_that_say_what_a_run_would_make_stay(results: Path) -> None:
    assert outdated(judge(results)) == {}
    assert outdated(judge(results)) == {}  # as it is remembered


def set_option(step: str, **values: object) -> dict[str, dict[str, Any]]:
    return SETTINGS | {step: SETTINGS[step] | values}


AFTER_CLEAN = ("fit_shifts", "align_psfs")


@pytest.mark.bad_input(55)
@pytest.mark.parametrize(
    ("settings", "expected", "steps"),
    [
        (
            set_option("fit_shifts", options=asdict(FitOptions(max_shift=5))),
            "max_shift was 4, is now 5",
            AFTER_CLEAN,
        ),
        (
            set_option("align_psfs", errors="fourier"),
            'errors was "variance", is now "fourier"',
            ("align_psfs",),
        ),
        (
            set_option("resolve_psfmask", convention="weight"),
            'convention was "auto", is now "weight"',
            ("resolve_psfmask", *AFTER_CLEAN),
        ),
        (
            set_option("fit_shifts", new=1),
            "new was not a setting, is now 1",
            AFTER_CLEAN,
        ),
    ],
)
def test_another_setting_makes_what_depends_on_it_again(
    settings: dict[str, dict[str, Any]],
    expected: str,
    steps: tuple[str, ...],
    results: Path,
) -> None:
    judge(results)
    assert outdated(judge(results, settings)) == dict.fromkeys(steps, expected)


def append(path: str) -> Callable[[], None]:
    return lambda: Path(path).write_bytes(Path(path).read_bytes() + b"x")


@pytest.mark.bad_input(55)
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("data/sci_calints.fits", ("clean_science", *AFTER_CLEAN)),
        ("data/star_psfstack.fits", ("clean_psfs", *AFTER_CLEAN)),
        ("data/mask.fits", ("resolve_psfmask", *AFTER_CLEAN)),
    ],
)
def test_another_input_makes_what_depends_on_it_again(
    name: str, steps: tuple[str, ...], results: Path
) -> None:
    append(name)()
    reason = f"{Path(name).name} has changed"
    assert outdated(judge(results)) == dict.fromkeys(steps, reason)


@pytest.mark.bad_input(55)
def test_other_code_makes_what_depends_on_it_again(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_of = expected_module.code_of
    monkeypatch.setattr(
        expected_module, "code_of", lambda step: "0" if step == "fit_shifts" else code_of(step)
    )
    reason = "the code of fit_shifts has changed"
    assert outdated(judge(results)) == dict.fromkeys(AFTER_CLEAN, reason)


def test_versions_of_software_count_only_where_they_are_asked_for(results: Path) -> None:
    now = software_versions()
    assert outdated(judge(results)) == {}
    assert outdated(judge(results, software=tuple(now.items()))) == {}
    newer = outdated(judge(results, software=(*now.items(), ("numpy", "99.0"))))
    reason = f"numpy was {now['numpy']}, is now 99.0"
    steps = ("resolve_psfmask", "clean_science", "clean_psfs", *AFTER_CLEAN)
    assert newer == dict.fromkeys(steps, reason)
    assert outdated(judge(results)) == {}


def test_software_that_is_not_recorded_is_another() -> None:
    wanted = replace(MADE, inputs=None, software=(("numpy", "2.0"),))
    assert compare(records(), [wanted]) == "numpy was not recorded, is now 2.0"


def test_several_versions_of_software_are_not_one() -> None:
    told = [*records(), *(Record("stack_psfs", "software", "numpy", v) for v in ("2.0", "1.9"))]
    wanted = replace(MADE, inputs=None, software=(("numpy", "2.0"),))
    assert compare(told, [wanted]) == "numpy was 2.0, 1.9, is now 2.0"


DAMAGES: dict[str, tuple[Callable[[], None], str, str]] = {
    "empty product": (lambda: Path(PRODUCT).write_bytes(b""), "align_psfs", "is not a FITS file"),
    "cut table": (
        lambda: Path(f"{STEM}_shifts.ecsv").write_bytes(
            Path(f"{STEM}_shifts.ecsv").read_bytes()[:-300]
        ),
        "fit_shifts",
        "is damaged",
    ),
    "row that is missing": (
        lambda: Path(f"{STEM}_shifts.ecsv").write_text(
            "".join(Path(f"{STEM}_shifts.ecsv").read_text().splitlines(keepends=True)[:-1])
        ),
        "fit_shifts",
        "is damaged",
    ),
    "empty table": (lambda: Path(f"{STEM}_shifts.ecsv").write_text(""), "fit_shifts", "is damaged"),
    "mask without JSON": (
        lambda: Path(f"{STEM}_psfmask.json").write_text("{"),
        "resolve_psfmask",
        "is not a resolved mask, psfmask.json",
    ),
    "mask elsewhere": (
        lambda: change_mask(psfmask="elsewhere/mask.fits"),
        "resolve_psfmask",
        "it names another mask, elsewhere/mask.fits",
    ),
    "appended bytes": (
        append("results/psfstacks/star_clean.fits"),
        "clean_psfs",
        "is damaged: the header at byte",
    ),
}


@pytest.mark.bad_input(56)
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_result_is_made_again(name: str, results: Path) -> None:
    damage, step, reason = DAMAGES[name]
    judge(results)
    damage()
    ((found, why),) = outdated(judge(results)).items()
    assert found == step
    assert why.startswith(reason)


def test_what_is_not_there_is_not_judged_but_counts(results: Path) -> None:
    Path(f"{STEM}_shifts.ecsv").unlink()
    truth = judge(results)
    assert outdated(truth) == {}
    assert truth.follows("fit_shifts", NAME)
    assert truth.follows("clean_psfs", "star")
    assert truth.follows("resolve_psfmask", NAME)
    assert not truth.follows("align_psfs", NAME)


def test_reasons_are_said_once_for_all_exposures(results: Path) -> None:
    truth = judge(results, set_option("align_psfs", errors="fourier"))
    assert truth.describe() == [
        f'align_psfs runs again for {NAME}: errors was "variance", is now "fourier"'
    ]


MADE = Made("stack_psfs", "c0de", {}, (("p1.fits", "1"), ("p2.fits", "2")))


def records(*inputs: tuple[str, str], step: str = "stack_psfs", code: str = "c0de") -> list[Record]:
    return [
        *(Record(step, "input", *one) for one in inputs),
        Record(step, "code", "psfalign", code),
    ]


@pytest.mark.bad_input(57)
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (records(("p1.fits", "1"), ("p2.fits", "2")), ""),
        (records(("p2.fits", "2"), ("p1.fits", "1")), "its inputs have another order"),
        (records(("p1.fits", "1")), "it has other inputs"),
        (records(("p1.fits", "1"), ("p2.fits", "3")), "p2.fits has changed"),
        (records(code="d0d0"), "the code of stack_psfs has changed"),
        ([], "it does not record stack_psfs"),
        (records(step="clean"), "it was made with clean"),
    ],
)
def test_first_difference_is_named(told: list[Record], reason: str) -> None:
    assert compare(told, [MADE]) == reason


@pytest.mark.parametrize("chooser", ["catalogue", "crds", "configuration"])
def test_a_mask_that_somebody_else_chose_is_chosen_again(chooser: str) -> None:
    """Where it is the same file, its name and its digest cannot tell."""
    step = "resolve_psfmask"
    told = [Record(step, "code", "psfalign", "c0de"), Record(step, "mask", "source", "catalogue")]
    made = Made(step, "c0de", inputs=None, source=chooser)
    reason = f"its mask was chosen by catalogue, is now by {chooser}"
    assert compare(told, [made]) == ("" if chooser == "catalogue" else reason)
