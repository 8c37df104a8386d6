"""How large jobs are, and what they ask for."""

from pathlib import Path
from typing import Any

import pytest
from files import PSF_STEPS, ROOT, SCIENCE_STEPS, SHAPE, completed, write_campaign

from psfalign import simulate
from psfalign.campaign import resources
from psfalign.campaign.attempts import LASTING
from psfalign.campaign.plan import Plan
from psfalign.campaign.resources import Size
from psfalign.campaign.sizes import Sizes
from psfalign.steps.registry import STEPS

NAME, STACK = "jw1_a3001", "star"
PIXELS = SHAPE[0] * SHAPE[1]
N_SCIENCE, N_PSFS = len(SCIENCE_STEPS), len(PSF_STEPS)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return make_plan(write_campaign(tmp_path))


def make_plan(config: dict[str, Any], **align_refs: Any) -> Plan:
    config = {**config, "align_refs": align_refs}
    return Plan(completed(config), scripts=ROOT / "workflow/scripts", looks="")


def test_size_is_that_of_what_a_step_works_on(plan: Plan) -> None:
    sizes = Sizes(plan)
    assert sizes.of("fit_shifts", NAME) == Size(N_SCIENCE, N_PSFS, PIXELS)
    assert sizes.of("clean_psfs", STACK) == Size(N_PSFS, 0, PIXELS)
    assert sizes.of("combine_rolls", f"{STACK}_a3001") == Size(N_SCIENCE, N_PSFS, PIXELS)
    assert sizes.of("simulate_demo", "") == Size(0, 0, 0)


def test_padding_counts_where_images_are_padded(tmp_path: Path, plan: Plan) -> None:
    sizes = Sizes(make_plan(write_campaign(tmp_path), padding=10))
    padded = (SHAPE[0] + 10) * (SHAPE[1] + 10)
    assert sizes.of("fit_shifts", NAME).pixels == padded
    assert sizes.of("plot_exposure", NAME).pixels == PIXELS


def test_shapes_of_the_demo_are_known_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    observation, folder = simulate.CAMPAIGN[0], tmp_path / "results/simulated"
    science, psfs = folder / observation.sciences[0].name, folder / observation.psfs.name
    config = {"exposures": [{"science": str(science), "psfs": str(psfs), "asn_id": "a1"}]}
    plan = make_plan({"output_dir": str(tmp_path / "results"), **config})
    (name,) = plan.exposures
    integrations, rows, columns = simulate.SHAPES[science.name]
    size = Sizes(plan).of("clean_science", name)
    assert (size.integrations, size.pixels) == (integrations, rows * columns)


def test_job_asks_for_memory_and_time_by_its_size(tmp_path: Path, plan: Plan) -> None:
    size = Size(N_SCIENCE, N_PSFS, PIXELS)
    dear = {"weighting": "inverse_variance", "method": "leastsq"}
    sizes = Sizes(make_plan(write_campaign(tmp_path), **dear))
    ask = {"weighting": dear["weighting"], "attempt": 2}
    assert sizes.memory_mb("fit_shifts", NAME, 3, 2, on_cluster=False) == resources.memory_mb(
        "fit_shifts", size, threads=3, **ask
    )
    assert sizes.minutes("fit_shifts", NAME, 2) == resources.minutes(
        "fit_shifts", size, method=dear["method"], **ask
    )
    alone = Sizes(plan).memory_mb("fit_shifts", NAME, 1, 1, on_cluster=False)
    sent = Sizes(plan).memory_mb("fit_shifts", NAME, 1, 1, on_cluster=True)
    assert sent == alone + resources.engine_mb(1)


def test_no_more_is_asked_for_after_a_mistake_in_the_data(plan: Plan) -> None:
    log = plan.settings.output_dir / f"logs/fit_shifts/{NAME}.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"{LASTING}\npsfalign: error: it is damaged\n")
    sizes = Sizes(plan)
    first = sizes.memory_mb("fit_shifts", NAME, 1, 1, on_cluster=False)
    assert sizes.memory_mb("fit_shifts", NAME, 1, 2, on_cluster=False) == first
    assert sizes.minutes("fit_shifts", NAME, 2) == sizes.minutes("fit_shifts", NAME, 1)


def test_item_31_campaign_that_needs_more_memory_than_there_is(plan: Plan) -> None:
    sizes = Sizes(plan)
    largest = max(
        resources.peak_bytes(step.name, sizes.of(step.name, NAME))
        for step in STEPS.values()
        if step.scope == "exposure"
    )
    sizes.refuse_without_memory(largest)
    with pytest.raises(ExceptionGroup) as raised:
        sizes.refuse_without_memory(10**6)
    (error,) = raised.value.exceptions
    assert str(error).startswith(f"{NAME}: ")
    assert str(error).endswith("1 MB available; run it where there is more memory")
