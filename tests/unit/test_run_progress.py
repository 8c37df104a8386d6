"""How far a run is: a line of JSON and the page, now and then."""

import json
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from files import completed, write_campaign

from psfalign.campaign.exposures import ScienceExposure, plan_exposures
from psfalign.campaign.layout import CAMPAIGN_PAGE, CAMPAIGN_STATES, PROGRESS
from psfalign.report import run_progress
from psfalign.report.run_progress import Progress
from psfalign.report.states import State


@pytest.fixture
def exposures(tmp_path: Path) -> list[ScienceExposure]:
    return plan_exposures(completed(write_campaign(tmp_path)))


def lines(output: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (output / PROGRESS).read_text().splitlines()]


def test_line_says_how_many_exposures_are_how_far(
    exposures: list[ScienceExposure], tmp_path: Path
) -> None:
    output = tmp_path / "results"
    log = output / "logs/fit_shifts/jw1_a3001.log"
    log.parent.mkdir(parents=True)
    log.write_text("working\n")
    with Progress(output, exposures, interval=60):
        pass
    (line,) = lines(output)
    assert datetime.fromisoformat(str(line.pop("time"))).tzinfo is not None
    assert line == {
        "seconds": 0,
        "exposures": 1,
        "done": 0,
        "running": 1,
        "failed": 0,
        "left": 0,
        "finished": 0,
    }
    assert "1 unfinished" in (output / CAMPAIGN_PAGE).read_text()
    assert not (output / CAMPAIGN_STATES).exists()  # by which a run knows that Snakemake ended


def test_lines_come_while_a_run_goes_on_and_old_ones_go(
    exposures: list[ScienceExposure], tmp_path: Path
) -> None:
    for _ in range(2):
        with Progress(tmp_path, exposures, interval=0.01):
            while not (tmp_path / PROGRESS).exists() or len(lines(tmp_path)) < 2:
                time.sleep(0.01)
    times = [line["seconds"] for line in lines(tmp_path)]
    assert times == sorted(times)
    assert times[0] == 0


def test_what_was_finished_earlier_is_done_and_not_finished_now(
    exposures: list[ScienceExposure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = SimpleNamespace(name="jw1_a3001", state=State.DONE, summary={}, failure=None)
    monkeypatch.setattr(run_progress, "survey_states", lambda *_, **__: [done])
    monkeypatch.setattr(run_progress, "renew_campaign_page", lambda *_: None)
    summary = tmp_path / "report/jw1_a3001/jw1_a3001_summary.json"
    summary.parent.mkdir(parents=True)
    summary.touch()
    time.sleep(0.02)  # coarser than the clock of files
    with Progress(tmp_path, exposures, interval=60):
        pass
    assert [(line["done"], line["finished"]) for line in lines(tmp_path)] == [(1, 0)]
    with Progress(tmp_path, exposures, interval=60):
        time.sleep(0.02)
        summary.touch()
    assert [(line["done"], line["finished"]) for line in lines(tmp_path)] == [(1, 1)]


def test_nothing_is_written_without_an_output_directory(
    exposures: list[ScienceExposure], tmp_path: Path
) -> None:
    with Progress(tmp_path / "none", exposures, interval=60):
        pass
    assert not (tmp_path / "none").exists()


def test_run_does_not_fail_for_it(exposures: list[ScienceExposure], tmp_path: Path) -> None:
    (tmp_path / "report").touch()  # no folder
    with pytest.raises(ValueError, match="^of the run$"), Progress(tmp_path, exposures, interval=9):
        raise ValueError("of the run")
