"""After a crash, the two documented commands complete the work, and leave no traces."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE
from studies.crashes import (
    SEED,
    Campaign,
    kill_and_finish,
    make_campaign,
    run_undisturbed,
)

KILLS = 8
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return make_campaign(tmp_path_factory.mktemp("crashes"))


@pytest.fixture(scope="module")
def undisturbed(campaign: Campaign) -> tuple[dict[str, bytes], float]:
    return run_undisturbed(campaign)


def wait_for(condition: Callable[[], object]) -> object:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def jobs_of(group: int) -> list[int]:
    """List the processes of a group that run a script: forks of the one with all modules."""
    parents, servers = {}, set()
    for folder in Path("/proc").iterdir():
        try:
            number = int(folder.name)
            if os.getpgid(number) == group:
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[number] = int(status[1])
                if b"psfalign.system.warm" in (folder / "cmdline").read_bytes():
                    servers.add(number)
        except (OSError, ValueError):
            continue
    return [number for number in servers if parents[number] in servers]


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def check_finished(campaign: Campaign, expected: dict[str, bytes]) -> None:
    campaign.finish()
    results = campaign.results()
    assert sorted(results) == sorted(expected)
    assert [name for name in expected if results[name] != expected[name]] == []
    assert campaign.leftovers() == []


@pytest.mark.bad_input(47)
def test_item_47_kill_of_engine_and_jobs_at_random_times(
    campaign: Campaign, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    expected, duration = undisturbed
    rng = random.Random(SEED + 1)
    for _ in range(KILLS):
        delay = rng.uniform(0.2 * duration, duration)
        stage = kill_and_finish(campaign, delay)
        assert campaign.results() == expected, (delay, stage)
        assert campaign.leftovers() == [], (delay, stage)


def test_item_47_kill_of_the_engine_alone(
    campaign: Campaign, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    """Its job ends with it, as the process ends that the job is a fork of."""
    campaign.forget()
    process = campaign.start()
    wait_for(lambda: jobs_of(process.pid))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    check_finished(campaign, undisturbed[0])
    wait_for(lambda: group_is_gone(process.pid))
    assert campaign.results() == undisturbed[0]
    assert campaign.leftovers() == []


def test_item_47_kill_of_one_job_alone(
    campaign: Campaign, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    """The kernel kills a job when memory runs out: Snakemake reports it, and ends."""
    campaign.forget()
    process = campaign.start()
    job = wait_for(lambda: jobs_of(process.pid))
    assert isinstance(job, list)
    os.kill(job[0], signal.SIGKILL)
    _, text = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "Error in rule " in text
    campaign.run()
    assert campaign.results() == undisturbed[0]
    assert campaign.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_item_48_asked_to_stop(
    number: int, campaign: Campaign, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    campaign.forget()
    process = campaign.start()
    wait_for(lambda: jobs_of(process.pid))
    os.killpg(process.pid, number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert [name for name in campaign.leftovers() if name.endswith(".partial")] == []
    check_finished(campaign, undisturbed[0])


def test_item_49_two_runs_at_once(
    campaign: Campaign, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    campaign.forget()
    first = campaign.start()
    wait_for(lambda: jobs_of(first.pid))
    second = campaign.start()
    _, text = second.communicate(timeout=PATIENCE)
    assert second.returncode != 0
    # By its lock, or before it by the files that the first is just writing.
    assert "lock" in text.lower() or "incomplete files" in text.lower()
    _, text = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, text
    assert campaign.results() == undisturbed[0]
    assert campaign.leftovers() == []
