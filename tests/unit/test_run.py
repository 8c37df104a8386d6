"""`psfalign run`: what is started when, exit statuses, and what Ctrl-C does."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import ROOT, refused, write_campaign
from workflow.test_planning import make_campaign

from psfalign.campaign import batches, run, targets
from psfalign.campaign.batches import Batch
from psfalign.campaign.output_folder import say_elsewhere
from psfalign.campaign.run import (
    INTERRUPTED,
    Engine,
    alone_in,
    count_batches,
    given_by,
    is_run,
    options_of,
    run_campaign,
    run_in_batches,
    run_on_cluster,
)
from psfalign.cli import main
from psfalign.errors import ConfigError


class FakeEngine(Engine):
    """An engine that notes what it is asked for; its last run but the report writes the states."""

    def __init__(self, states: Path | None, *, status: int = 0, report: int = 0) -> None:
        self.states, self.status, self.report = states, status, report
        self.asked: list[str] = []
        self.interrupted = False

    def run(self, *arguments: str) -> int:
        names = [argument.partition("=")[0] for argument in arguments]  # a path may begin with -
        name = next(n for n in ("--batch", "--logger", "--report") if n in names)
        self.asked.append(name)
        if name == "--logger" and self.states:
            self.states.parent.mkdir(parents=True, exist_ok=True)
            self.states.write_text("states")
        return {"--logger": self.status, "--report": self.report}.get(name, 1)


@pytest.mark.parametrize(
    ("status", "writes", "report", "asked", "closed", "expected"),
    [
        (0, True, 0, ["--logger", "--report"], 0, 0),
        (0, False, 0, ["--logger", "--report"], 1, 0),  # nothing to be done
        (1, True, 0, ["--logger", "--report"], 0, 1),  # an exposure failed
        (1, False, 0, ["--logger"], 0, 1),  # nothing ran at all
        (0, True, 3, ["--logger", "--report"], 0, 3),
        (2, True, 3, ["--logger", "--report"], 0, 2),
    ],
)
def test_what_runs_and_the_exit_status(
    status: int,
    writes: bool,
    report: int,
    asked: list[str],
    closed: int,
    expected: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    states = tmp_path / run.CAMPAIGN_STATES if writes else None
    engine, calls = FakeEngine(states, status=status, report=report), []
    found = run_campaign(engine, tmp_path, close=lambda: calls.append(1))
    assert (found, engine.asked, len(calls)) == (expected, asked, closed)
    said = capsys.readouterr()
    place = tmp_path / "report/report.html"
    assert said.err == (f"psfalign: error: {place}: was not written\n" if report else "")
    assert (said.out == f"Report:        {place}\n") == ("--report" in asked and not report)


def test_all_batches_run_whatever_fails(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path / run.CAMPAIGN_STATES)
    run_in_batches(engine, 3)
    assert run_campaign(engine, tmp_path, close=lambda: None) == 0
    assert engine.asked == ["--batch", "--batch", "--logger", "--report"]


@pytest.mark.parametrize(("exposures", "batches"), [(1, 1), (250, 1), (251, 2), (1000, 4)])
def test_number_of_batches(exposures: int, batches: int) -> None:
    assert count_batches(exposures, 250) == batches


def engine_of(code: str) -> Engine:
    """An engine that runs some Python instead."""
    engine = Engine(Path("x.yaml"), [])
    engine._command = [sys.executable, "-c", code]
    return engine


def test_exit_status_is_that_of_the_engine() -> None:
    assert engine_of("raise SystemExit(7)").run() == 7


def test_ctrl_c_waits_for_the_engine_and_starts_no_other(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    code = (
        "import os, signal, pathlib, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.2); "
        f"pathlib.Path({str(ended)!r}).touch()"
    )
    engine = engine_of(code)
    assert engine.run() == INTERRUPTED
    assert ended.exists()
    ended.unlink()
    assert engine.run() == INTERRUPTED
    assert not ended.exists()


def test_sigterm_reaches_the_engine() -> None:
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    assert engine_of(code).run() == -15


def test_engine_gets_configuration_and_arguments_as_they_are() -> None:
    engine = Engine(Path("a b/c'.yaml"), ["--cores", "2"])
    assert engine._command[-4:] == ["--configfile", "a b/c'.yaml", "--cores", "2"]


def test_library_without_a_workflow_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PLACES", [tmp_path / "Snakefile"])
    message = (
        "there is no Snakefile here, nor beside this library; "
        "run psfalign deploy FOLDER, and this command there"
    )
    with refused(message, ConfigError):
        Engine(Path("x.yaml"), [])


@pytest.mark.parametrize(
    ("arguments", "executor", "cores"),
    [
        ([], "local", 1),
        (["--cores", "2"], "local", 2),
        (["--workflow-profile", str(ROOT / "profiles/default")], "local", os.cpu_count()),
        (["--workflow-profile", str(ROOT / "profiles/slurm")], "slurm", 1),
        ([f"--profile={ROOT / 'profiles/slurm'}", "-e", "lsf", "--cores=4"], "lsf", 4),
        (["--workflow-profile", "none"], "local", 1),
    ],
)
def test_executor_is_that_of_the_arguments_or_else_of_the_profile(
    arguments: list[str], executor: str, cores: object
) -> None:
    told = options_of(arguments)
    assert (told["executor"], told["cores"]) == (executor, cores)


@pytest.mark.parametrize("arguments", [["--cores", "0"], ["-c0"]])
def test_run_without_cores_is_refused(arguments: list[str]) -> None:
    with refused("--cores=0: runs no job; write 1 or more", ConfigError):
        options_of(arguments)


@pytest.mark.parametrize(
    ("status", "is_locked", "goes_on"), [(0, False, True), (1, False, True), (1, True, False)]
)
def test_batches_of_a_cluster_go_on_unless_another_run_does(
    status: int, is_locked: bool, goes_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if is_locked:
        run.LOCKS.mkdir(parents=True)
        (run.LOCKS / "0.output.lock").touch()
    asked: list[dict[str, Any]] = []

    def run_batches(engine: Engine, config: Path) -> int:
        content = json.loads(config.read_text())
        lists = {name: Path(b["targets"]).read_text() for name, b in content["batches"].items()}
        asked.append({**content, "lists": lists})
        Path(content["place"], "1.done").touch()
        return status

    monkeypatch.setattr(Engine, "run_batches", run_batches)
    engine = Engine(Path("my campaign.yaml"), ["--workflow-profile", "a profile"])
    planned = {
        "shared": Batch((Path("a b.fits"),), 100, 60.0),
        "1": Batch((Path("c.json"), Path("d.json")), 200, 600.0, ("shared",)),
    }
    output = Path("my results")
    assert run_on_cluster(engine, output, planned, exposures=1000, cores=4) is goes_on
    (content,) = asked
    assert content["lists"] == {"shared": "a b.fits\n", "1": "c.json\nd.json\n"}
    assert content["batches"]["1"]["after"] == ["shared"]
    # 600 MB and 0.15 for each exposure, besides the steps; 3 minutes and 20 times the work.
    sizes = [(b["mem_mb"], b["runtime"]) for b in content["batches"].values()]
    assert sizes == [(600 + 150 + 4 * 100, 3 + 5), (600 + 150 + 4 * 200, 3 + 50)]
    last = content["command"][content["command"].index("my campaign.yaml") :]
    assert last[1:5] == ["--workflow-profile", "a profile", "--executor", "local"]
    # Nothing stays but logs, and what belongs to another run.
    assert [path.name for path in output.rglob("*.*")] == (["1.done"] if is_locked else [])


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["--cores", "2", "--config", "output_dir=a b", "-n"], {"output_dir": "a b"}),
        (["-C", "align_refs={max_shift: 5}"], {"align_refs": {"max_shift": "5"}}),
        (["--config", "a=1", "b=x", "--cores", "c=3"], {"a": "1", "b": "x"}),
    ],
)
def test_configuration_of_the_command_line(arguments: Iterable[str], given: dict[str, Any]) -> None:
    assert given_by([*arguments]) == given


@pytest.mark.parametrize("word", ["-n", "--dry-run", "--unlock"])
def test_engine_that_runs_no_jobs_is_only_passed_on(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_run(["--cores", "1", word])
    monkeypatch.setattr(Engine, "run", lambda self: 5)
    assert main(["run", "nowhere.yaml", word]) == 5


def test_campaign_that_is_wrong_starts_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Engine, "run", lambda self: pytest.fail("was started"))
    config = tmp_path / "a b.yaml"
    config.write_text("exposures: [{science: no.fits, psfs: no_psfstack.fits, asn_id: a3001}]\n")
    assert main(["run", str(config), "--config", f"output_dir={tmp_path}/results"]) == 1
    assert "no.fits" in capsys.readouterr().err


@pytest.mark.bad_input(49)
def test_second_run_into_an_output_directory_starts_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_campaign(tmp_path, 1)
    started: list[int] = []
    monkeypatch.setattr(Engine, "run", lambda *_: started.append(1) or 0)
    with alone_in(tmp_path / "results"):
        assert main(["run", "campaign.yaml", "--cores", "1"]) == 1
    line = (
        "psfalign: error: output_dir=results: another run writes there; "
        "wait until it has ended, or set another output_dir"
    )
    assert (capsys.readouterr().err.splitlines()[-1], started) == (line, [])
    assert main(["run", "campaign.yaml", "--cores", "1"]) == 0
    assert started


@pytest.mark.parametrize(
    ("is_finished", "arguments", "n_batches"), [(False, [], 3), (True, [], 1), (True, ["-F"], 3)]
)
def test_batches_are_of_what_is_left(
    is_finished: bool,
    arguments: list[str],
    n_batches: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_campaign(tmp_path, 3)
    asked: list[str] = []
    monkeypatch.setattr(Engine, "run", lambda _, *words: asked.append(words[-1]) or 0)
    monkeypatch.setattr(batches, "exposures_left", lambda *_: [] if is_finished else range(6))
    assert main(["run", "--batch", "2", "campaign.yaml", "--cores", "1", *arguments]) == 0
    assert asked == ["exposures"] * (n_batches - 1) + [
        "psfalign",
        "--report=results/report/report.html",
    ]
    monkeypatch.setattr(targets, "MOST_REPORTED", 5)
    assert main(["run", "campaign.yaml"]) == 0
    assert asked[-2:] == ["psfalign", "report_pages"]


def test_report_of_results_in_storage_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[int] = []
    engine = FakeEngine(None)
    assert run_campaign(engine, Path("x"), close=lambda: calls.append(1)) == 0
    assert (len(calls), capsys.readouterr().out) == (1, "Report:        report.html\n")
    assert not Path("x").exists()


def test_closing_says_where_results_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config({**write_campaign(Path("data")), "output_dir": "results"})
    monkeypatch.setattr(Engine, "run", lambda *_: 0)
    assert main(["run", "campaign.yaml", "--default-storage-provider", "s3"]) == 0
    line = f"psfalign: {say_elsewhere('results')}"
    assert capsys.readouterr().err.splitlines().count(line) == 1
    assert not Path("results").exists()


def write_config(config: dict[str, Any]) -> None:
    Path("campaign.yaml").write_text(yaml.safe_dump(config))
