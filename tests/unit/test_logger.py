"""A run prints one line per job, errors, and nothing else."""

import io
import logging
from types import SimpleNamespace
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_psfalign import MANY, LogHandler


def lines(*records: dict[str, Any]) -> list[str]:
    handler = LogHandler(SimpleNamespace(stdout=False), None)
    handler.stream = io.StringIO()
    for fields in records:
        level, text = fields.pop("level", logging.INFO), fields.pop("text", "")
        record = logging.LogRecord("snakemake", level, __file__, 1, text, None, None)
        vars(record).update(fields)
        handler.emit(record)
    return handler.stream.getvalue().splitlines()


def start(jobid: int, message: str | None, rule: str = "fit_shifts") -> dict[str, Any]:
    return {"event": LogEvent.JOB_INFO, "jobid": jobid, "rule_msg": message, "rule_name": rule}


def info(total: int) -> dict[str, Any]:
    return {"event": LogEvent.RUN_INFO, "stats": {"fit_shifts": total - 1, "total": total}}


def progress(done: int, total: int) -> dict[str, Any]:
    return {"event": LogEvent.PROGRESS, "done": done, "total": total}


def test_a_run_says_what_it_does_and_how_far_it_is() -> None:
    said = lines(
        {"text": "Building DAG of jobs..."},
        info(12),
        start(1, "a: fitting shifts"),
        {"event": LogEvent.SHELLCMD, "text": "rm"},
        progress(1, 12),
        start(2, None, "align_psfs"),
        start(0, "All results are there", "all"),
        progress(12, 12),
        {"text": "Complete log(s): x"},
    )
    assert said == [
        "12 jobs to do",
        "[ 0/12] a: fitting shifts",
        "[ 1/12] align_psfs",
        "[12/12] done",
        "Complete log(s): x",
    ]


def test_errors_and_warnings_are_said_once() -> None:
    said = lines(
        info(2),
        start(1, "a: fitting shifts"),
        {"level": logging.ERROR, "text": "RuleException:\nCalledProcessError ..."},
        {"event": LogEvent.JOB_ERROR, "level": logging.ERROR, "jobid": 1, "log": ["logs/a.log"]},
        {"level": logging.WARNING, "text": "psfalign: warning: b"},
        {"event": LogEvent.ERROR, "level": logging.ERROR, "text": "LockException: c"},
        {"text": "Nothing to be done (all requested files are present and up to date)."},
    )
    assert said[2:] == [
        "FAILED: a: fitting shifts; see logs/a.log",
        "psfalign: warning: b",
        "LockException: c",
        "Nothing to be done (all requested files are present and up to date).",
    ]


def test_campaign_of_many_jobs_does_not_flood_the_screen() -> None:
    total = 50 * MANY
    said = lines(info(total), *(start(i, f"job {i}") for i in range(total)))
    # All of them start within one interval.
    assert said == [f"{total} jobs to do", f"[   0/{total}] job 0"]
