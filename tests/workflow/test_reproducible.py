"""The same inputs give the same bytes, with any number of cores, at any time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from patience import PATIENCE
from studies.demo import STORED, align_demo, compare

from .campaign import Campaign, make_campaign

ELSEWHERE = {"LC_ALL": "C", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "1", "LANG": "C"}
LATER = "+3000d"


def another_date() -> dict[str, str]:
    """Return the environment in which libfaketime moves the clock, none where it is not installed."""
    if shutil.which("faketime") is None:
        return {}
    # What `faketime` sets but the time, so that the clocks of all processes go on from one date.
    shown = subprocess.run(
        ["faketime", "-f", LATER, "printenv", "LD_PRELOAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    # Waiting goes by the monotonic clock, which stays the real one; older releases name it so.
    real = dict.fromkeys(("FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"), "1")
    return {"LD_PRELOAD": shown.stdout.strip(), "FAKETIME": LATER, **real}


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_the_date_is_another_one() -> None:
    command = [sys.executable, "-c", "import datetime; print(datetime.date.today())"]
    shown = subprocess.run(
        command, env={**os.environ, **another_date()}, capture_output=True, text=True, check=True
    )
    assert date.fromisoformat(shown.stdout.strip()) > date.today() + timedelta(days=2900)


def make_campaign_in(folder: Path) -> Campaign:
    folder.mkdir()
    return make_campaign(folder)


def run_in(folder: Path, monkeypatch: pytest.MonkeyPatch, cores: int, **env: str) -> Campaign:
    campaign = make_campaign_in(folder)
    with monkeypatch.context() as patched:
        for name, value in env.items():
            patched.setenv(name, value)
        campaign.run("--cores", str(cores))
    return campaign


def read_results(campaign: Campaign) -> dict[str, bytes]:
    """Return the bytes of all results; logs, memory and the page that tells times are none."""
    results = campaign.folder / "results"
    paths = [
        path
        for path in results.rglob("*")
        if path.is_file() and "logs" not in path.parts and path.stem not in ("campaign", ".facts")
    ]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_same_inputs_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = run_in(tmp_path / "here", monkeypatch, cores=1)
    umask = os.umask(0o077)
    try:
        elsewhere = run_in(
            tmp_path / "else where", monkeypatch, cores=2, **ELSEWHERE, **another_date()
        )
    finally:
        os.umask(umask)
    first, second = read_results(here), read_results(elsewhere)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    # No result may tell when it was made; the exposures of the demo are of 2023.
    today = {day.isoformat().encode() for day in (date.today(), datetime.now(UTC).date())}
    assert [name for name in first if any(day in first[name] for day in today)] == []


@pytest.mark.slow
def test_demo_has_the_numbers_that_are_stored(tmp_path: Path) -> None:
    """To the bit where the transforms round alike, which vector units of other CPUs need not do."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    found = align_demo(tmp_path)
    assert sorted(found) == sorted(stored)
    other = [name for name in stored if not compare(found[name], stored[name])]
    if other:
        # Visible, not silent: the numbers agree, but not to the bit.
        pytest.skip(f"other bits than stored, equal within tolerance: {', '.join(other)}")


def wait_for_results(campaign: Campaign, count: int) -> None:
    """Wait until so many files of exposures and stacks are there."""
    deadline = time.monotonic() + PATIENCE
    while len(list(campaign.folder.glob("results/*/[!.]*.*"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_two_commands_finish_what_a_kill_interrupted(tmp_path: Path) -> None:
    """Snakemake and its jobs are killed; then the two commands complete the work."""
    undisturbed = make_campaign_in(tmp_path / "undisturbed")
    undisturbed.run()
    killed = make_campaign_in(tmp_path / "killed")
    for n_files in (1, 4, 7):
        process = subprocess.Popen(
            killed.command("--rerun-incomplete"),
            cwd=killed.folder,
            env=killed.env,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_results(killed, n_files)
            assert process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        killed.run("--unlock")
    killed.run("--rerun-incomplete")
    assert read_results(killed) == read_results(undisturbed)
