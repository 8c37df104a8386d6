"""The records of existing results decide whether a run makes them again."""

from pathlib import Path

import pytest
from files import ROOT, completed, write_campaign

from psfalign.campaign.judgement import Judgement
from psfalign.campaign.plan import Plan
from psfalign.steps.registry import STEPS
from psfalign.steps.resolve import resolve_psfmask

NAME = "jw1_a3001"


@pytest.fixture
def mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The result of resolve_psfmask as it is today; the campaign has no other."""
    monkeypatch.chdir(tmp_path)
    plan = judged(tmp_path)[0]
    exposure = plan.exposures[NAME]
    output = plan.settings.output_dir / NAME / f"{NAME}_psfmask.json"
    output.parent.mkdir(parents=True)
    resolve_psfmask(
        exposure.science, output, candidates=plan.findings.masks[NAME], psfmask=exposure.psfmask
    )
    return output


def judged(folder: Path, **options: bool) -> tuple[Plan, Judgement]:
    config = write_campaign(folder)
    plan = Plan(completed(config), scripts=ROOT / "workflow/scripts", looks="", **options)
    return plan, Judgement(plan)


def test_a_result_as_a_run_would_make_it_stays(tmp_path: Path, mask: Path) -> None:
    judgement = judged(tmp_path)[1]
    assert judgement.outdated == []
    assert judgement.lines == []
    # No other result is there, so that what rests on the mask has to run.
    assert judgement.follows("resolve_psfmask", "fit_shifts", NAME)


def test_a_damaged_result_runs_again(tmp_path: Path, mask: Path) -> None:
    mask.write_text("{")
    judgement = judged(tmp_path)[1]
    assert judgement.outdated == [mask]
    line = f"resolve_psfmask runs again for {NAME}: is not a resolved mask, psfmask.json"
    assert judgement.lines == [line]
    assert judgement.follows("clean_science", "resolve_psfmask", NAME)


@pytest.mark.parametrize("options", [{"is_whole": False}, {"in_storage": True}])
def test_results_are_not_judged_in_one_job_or_in_storage(
    tmp_path: Path, mask: Path, options: dict[str, bool]
) -> None:
    mask.write_text("{")
    judgement = judged(tmp_path, **options)[1]
    assert judgement.outdated == []
    assert judgement.lines == []
    assert not judgement.is_of("resolve_psfmask")
    assert judgement.follows("clean_science", "fit_shifts", NAME)
    assert not judgement.follows("align_psfs", "plot_exposure", NAME)  # which only waits for it


def test_all_results_say_how_they_were_made(tmp_path: Path, mask: Path) -> None:
    """Snakemake need not plan what is finished only because it could tell nothing besides."""
    judgement = judged(tmp_path)[1]
    assert {name for name in STEPS if not judgement.is_of(name)} == {"simulate_demo"}
    assert not STEPS["simulate_demo"].outputs
