"""The registry of steps is what rules, scripts, profiles and modules are."""

import importlib
import re
from pathlib import Path

import pytest
import yaml
from files import ROOT
from snakemake.resources import Resources

from psfalign.campaign import layout
from psfalign.report.exposure import FIGURES
from psfalign.steps.registry import STEPS, Planes, Scope, Step, steps_of

RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
WILDCARDS = {scope: f"{{{scope}}}" for scope in Scope if scope is not Scope.CAMPAIGN}


def rules() -> dict[str, str]:
    """The text of each rule that runs a script, by its name."""
    files = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    found = [rule for file in files for rule in RULE.findall(file.read_text())]
    return {name: text for name, text in found if "script:" in text}


def script_path(rule: str) -> Path:
    (name,) = re.findall(r'"\.\./scripts/(\w+\.py)"', rule)
    return ROOT / "workflow" / "scripts" / name


each_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


def test_every_rule_is_a_step_and_every_step_a_rule() -> None:
    assert rules().keys() == STEPS.keys()
    assert all(name == step.name for name, step in STEPS.items())


@each_step
def test_rule_takes_files_and_needs_from_the_registry(step: Step) -> None:
    text = rules()[step.name]
    for helper in ("log_of", "memory_of", "minutes_of"):
        assert f'{helper}("{step.name}")' in text
    assert f'job_of("{step.name}")' in text
    assert (f'**files_of("{step.name}")' in text) == bool(step.outputs)
    assert (f'**sources_of("{step.name}")' in text) == bool(step.reads)
    assert script_path(text).stem == step.recorded_as


@each_step
def test_script_calls_the_module_of_the_step(step: Step) -> None:
    importlib.import_module(f"psfalign.{step.module}")
    assert f"from psfalign.{step.module} import" in script_path(rules()[step.name]).read_text()


def test_profile_leaves_no_resource_to_the_sizes_of_files() -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
    values = dict(entry.split("=", 1) for entry in profile["default-resources"])
    names = {{"mem": "mem_mb", "disk": "disk_mb"}.get(n, n) for n in Resources.DEFAULTS["full"]}
    assert values.keys() >= names
    assert not [value for value in values.values() if "input" in value]


def test_profile_puts_the_steps_of_each_scope_into_one_job() -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
    groups = dict(entry.split("=") for entry in profile["groups"])
    assert groups == {
        name: step.scope for name, step in STEPS.items() if step.scope is not Scope.CAMPAIGN
    }


def test_every_file_has_a_place_of_its_own() -> None:
    places = [
        layout.result_pattern(step.name, part) for step, part, _ in layout.outputs(STEPS.values())
    ]
    assert len(set(places)) == len(places)
    for step, part, _ in layout.outputs(STEPS.values()):
        wildcard = WILDCARDS.get(step.scope, "{")
        assert (wildcard in layout.result_pattern(step.name, part)) == (step.scope in WILDCARDS)


def test_places_of_results() -> None:
    folder = Path("results")
    assert layout.result(folder, "align_psfs", "a") == folder / "a/a_psfalign.fits"
    assert layout.result(folder, "stack_psfs", "s") == folder / "psfstacks/s_psfstack.fits"
    assert layout.result(folder, "plot_exposure", "a", "table") == folder / "report/a/a_table.html"
    assert layout.log(folder, "fit_shifts", "a") == folder / "logs/fit_shifts/a.log"
    assert layout.log(folder, "simulate_demo", "") == folder / "logs/simulate_demo.log"


def test_every_figure_of_the_report_has_a_caption() -> None:
    labelled = [part for _, part, output in layout.outputs(STEPS.values()) if output.label]
    assert labelled
    assert all((ROOT / f"workflow/report/{part}.rst").is_file() for part in labelled)


def test_figures_have_the_names_that_plot_exposure_knows() -> None:
    """It may remove them, and must not depend on this registry, or each edit here would redraw."""
    outputs = STEPS["plot_exposure"].outputs
    endings = {part: output.ending for part, output in outputs.items() if output.is_figure}
    assert endings == {part: f"_{part}.png" for part in FIGURES}


def test_what_has_planes_is_a_fits_file() -> None:
    for _, _, output in layout.outputs(STEPS.values()):
        assert (output.planes is not Planes.NONE) <= output.ending.endswith(".fits")


def test_steps_stand_in_the_order_of_the_work() -> None:
    assert [step.name for step in steps_of(Scope.STACK)] == ["stack_psfs", "clean_psfs"]
    assert [step.name for step in steps_of(Scope.EXPOSURE)][-1] == "plot_exposure"
