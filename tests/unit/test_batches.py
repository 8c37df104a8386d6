"""Batches of a cluster: their exposures, their resources, and unfinished work."""

from pathlib import Path

import pytest
import yaml
from files import ROOT, completed, touch_results
from workflow.test_planning import make_campaign

from psfalign.campaign import batches, layout, truth
from psfalign.campaign.batches import Batch, Work, exposures_left, plan_batches
from psfalign.campaign.judgement import Judgement
from psfalign.campaign.plan import Plan
from psfalign.steps.registry import Scope


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Three associations, each of two science exposures that share a stack; nothing is combined."""
    monkeypatch.chdir(tmp_path)
    make_campaign(tmp_path, 3)
    settings = completed(yaml.safe_load((tmp_path / "campaign.yaml").read_text()))
    return Plan(settings, scripts=ROOT / "workflow/scripts", looks="")


def divide(plan: Plan, most: int) -> dict[str, Batch]:
    return plan_batches(plan, Judgement(plan), most=most)


def names(batch: Batch) -> list[str]:
    """Return what a batch makes, by the folders of its files."""
    return [path.parent.name for path in batch.targets]


def test_exposures_that_share_psf_images_share_a_batch(plan: Plan) -> None:
    found = divide(plan, most=4)
    exposures = list(plan.exposures)
    assert {name: names(batch) for name, batch in found.items()} == {
        "1": exposures[:4],
        "2": exposures[4:],
    }
    assert [batch.after for batch in found.values()] == [(), ()]
    assert divide(plan, most=3).keys() == {"1", "2", "3"}  # none is divided


def test_what_batches_share_comes_first(plan: Plan) -> None:
    found = divide(plan, most=1)
    assert list(found) == ["shared", *"123456"]
    stacks = [layout.result(Path("results"), "clean_psfs", n) for n in plan.names(Scope.STACK)]
    assert found.pop("shared").targets == tuple(stacks)
    assert {batch.after for batch in found.values()} == {("shared",)}


def test_files_of_the_demo_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = completed(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    plan = Plan(settings, scripts=ROOT / "workflow/scripts", looks="")
    assert "shared" not in divide(plan, most=250)
    shared = divide(plan, most=1)["shared"].targets
    assert "results/simulated" in {str(path.parent) for path in shared}


def test_what_is_combined_stays_together(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = plan.names(Scope.ASSOCIATION)[0]
    monkeypatch.setattr(Plan, "combined", [picture])
    found = divide(plan, most=1)
    pair = [exposure.name for exposure in plan.members(Scope.ASSOCIATION, picture)]
    assert names(found["1"]) == [pair[0], "combined", pair[1]]
    # Its stack serves no other batch.
    assert len(found["shared"].targets) == 2


def test_batch_of_large_exposures_ends_in_time(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = divide(plan, most=6)["1"]
    assert whole.minutes(cores=1) <= 3 + batches.MOST_MINUTES
    # Time for one pair of exposures and not for two.
    monkeypatch.setattr(batches, "MOST_MINUTES", (whole.minutes(cores=1) - 3) / 2)
    found = divide(plan, most=6)
    assert [len(batch.targets) for batch in found.values()] == [2, 2, 2]
    assert whole.minutes(cores=4) < whole.minutes(cores=1)
    assert whole.memory_mb(6, cores=4) == whole.memory_mb(6, cores=1) + 3 * whole.megabytes


@pytest.fixture
def finished(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """All results are there, and are as a run would make them."""
    touch_results(plan)
    monkeypatch.setattr(truth, "judge", lambda *_: "")
    return plan


def test_what_is_finished_is_not_asked_for(finished: Plan) -> None:
    plan = finished
    work, judgement = Work(plan), Judgement(plan)
    assert (exposures_left(work, judgement), divide(plan, most=250)) == ([], {})
    first, second, *_ = plan.exposures.values()
    layout.result(Path("results"), "fit_shifts", second.name).unlink()
    assert exposures_left(work, judgement) == [second]
    layout.result(Path("results"), "clean_psfs", first.stack.name).unlink()
    assert exposures_left(work, judgement) == [first, second]


def test_results_that_are_outdated_are_left(plan: Plan) -> None:
    touch_results(plan)  # which say nothing of how they were made
    assert exposures_left(Work(plan), Judgement(plan)) == list(plan.exposures.values())
