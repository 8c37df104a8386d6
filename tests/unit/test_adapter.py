"""A script runs the code that its job was planned with, or says in one line why not."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from files import ROOT

from psfalign.report.states import read_log

SCRIPT = """
import sys
from types import SimpleNamespace
{before}
sys.path.append({scripts!r})
from psfalign_adapter import HERE, code_digest, run

def main(job):
    {work}

__file__ = "https://somewhere/workflow/scripts/fit_shifts.py"  # as of a workflow from elsewhere
planned = {planned}
job = SimpleNamespace(log=["job.log"], input=[], params=SimpleNamespace(job={{"code": planned, "inputs": {{}}}}))
run(main, job)
"""
Result = subprocess.CompletedProcess[str]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run(
        before: str = "",
        planned: str = "code_digest(HERE / 'fit_shifts.py')",
        work: str = "print('done')",
    ) -> Result:
        scripts = str(ROOT / "workflow" / "scripts")
        code = SCRIPT.format(before=before, scripts=scripts, planned=planned, work=work)
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def test_planned_code_runs(run: Callable[..., Result]) -> None:
    result = run()
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


def test_last_line_of_the_log_tells_what_the_step_took(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    """The CPU seconds are those of the whole process, of which half a second was spent before."""
    run(before="import time\nwhile time.process_time() < 0.5: pass")
    step = read_log("fit_shifts", tmp_path / "job.log")
    assert step.seconds is not None
    assert step.cpu_seconds is not None
    assert step.cpu_seconds >= 0.5


def test_sigterm_leaves_no_file_half_written(run: Callable[..., Result], tmp_path: Path) -> None:
    before = "import os, signal\nfrom psfalign.system.atomic_file import publishing"
    work = "with publishing('product') as stream: os.kill(os.getpid(), signal.SIGTERM)"
    assert run(before=before, work=work).returncode == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]


def test_other_code_than_was_planned_is_refused(run: Callable[..., Result]) -> None:
    result = run(planned="'0123'")
    assert (result.returncode, result.stdout) == (1, "")
    workflow = ROOT / "workflow"
    assert result.stderr == (
        f"psfalign: error: {workflow}/scripts/fit_shifts.py: it or its library "
        f"{workflow}/lib/psfalign has changed since the job was planned; start the run again\n"
    )


def test_another_library_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    other = tmp_path / "other" / "psfalign"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "9.9"\n')
    result = run(before=f"sys.path.insert(0, {str(other.parent)!r}); import psfalign")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"psfalign: error: {other}: version 9.9 was imported before the library of these scripts, "
        f"{ROOT}/workflow/lib/psfalign; remove it from this Python\n"
    )
