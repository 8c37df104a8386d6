"""Run a campaign: the engine, batch by batch, and its report."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..files.provenance.code import PACKAGE
from ..system.process import found_first
from .layout import CAMPAIGN_PAGE, REPORT

# The workflow: that of this checkout, or else one that `psfalign deploy` wrote.
PLACES = (PACKAGE.parents[2] / "Snakefile", Path("Snakefile"))
INTERRUPTED = 130  # the exit status of what Ctrl-C ended
# With one of these the engine runs no jobs, and there is nothing to report.
NO_JOBS = {"-n", "--dry-run", "--dryrun", "--unlock", "--lint", "--summary", "--delete-all-output"}


class Engine:
    """
    The engine on one campaign.

    Parameters
    ----------
    config
        The configuration.
    arguments
        What else is said to the engine each time.
    """

    def __init__(self, config: Path, arguments: Sequence[str]) -> None:
        snakefile = next((path for path in PLACES if path.is_file()), None)
        if snakefile is None:
            problem = "there is no Snakefile here, nor beside this library"
            raise ConfigError(problem, remedy="run psfalign deploy FOLDER, and this command there")
        self._library = snakefile.absolute().parent / "workflow" / "lib"
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
        self._command = [*start, "--configfile", str(config), *arguments]
        self.interrupted = False

    def run(self, *arguments: str) -> int:
        """Run it to its end, and return its exit status."""
        if self.interrupted:
            return INTERRUPTED
        command = [*self._command, *arguments]
        environment = os.environ | found_first(self._library)
        with subprocess.Popen(command, env=environment) as process:
            # Ctrl-C reaches the engine as well, which ends its jobs in order: wait for that.
            old = {
                signal.SIGINT: signal.signal(signal.SIGINT, self._note),
                signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
            }
            try:
                status = process.wait()
            finally:
                for number, handler in old.items():
                    signal.signal(number, handler)
        return INTERRUPTED if self.interrupted else status

    def _note(self, *_: object) -> None:
        self.interrupted = True


def run_campaign(engine: Engine, output: Path, *, n_batches: int, close: Callable[[], None]) -> int:
    """
    Run all steps that are to be done, and write the report.

    Parameters
    ----------
    engine
        The engine.
    output
        The output directory.
    n_batches
        In how many parts the exposures are planned and run.
    close
        Writes the campaign's page and its crate where the engine, which had nothing to do, has not.

    Returns
    -------
    The exit status of the engine, or else of its report.
    """
    for batch in range(1, n_batches):
        print(f"Batch {batch} of {n_batches}", flush=True)
        what = ["--batch", f"exposures={batch}/{n_batches}"]
        engine.run("--quiet", "host", "reason", "--no-hooks", *what, "exposures")
    page = output / CAMPAIGN_PAGE
    before = _written(page)
    status = engine.run("--logger", "psfalign")
    is_new = _written(page) != before
    if status == 0 and not is_new:
        close()
    if status == 0 or (is_new and not engine.interrupted):
        # Without an output directory the results are in a storage of the engine.
        report = (output / REPORT if output.is_dir() else Path()) / "report.html"
        failed = engine.run("--quiet", "all", "--report", str(report))
        if failed:
            print(f"psfalign: error: {report}: was not written", file=sys.stderr)
        else:
            print(f"Report:        {report}", flush=True)
        status = status or failed
    return status


def count_batches(exposures: int, size: int) -> int:
    """Return how many batches so many exposures are."""
    return max(1, math.ceil(exposures / size))


def is_run(arguments: Sequence[str]) -> bool:
    """Return whether the engine runs jobs with these arguments."""
    return NO_JOBS.isdisjoint(arguments)


def given_by(arguments: Sequence[str]) -> dict[str, Any]:
    """Return what the engine's arguments set with ``--config``, all values as text."""
    given: dict[str, Any] = {}
    is_config = False
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if argument.startswith("-"):
            is_config = argument in ("--config", "-C")
        elif is_config and separator:
            given[name] = yaml.load(value, yaml.BaseLoader)  # noqa: S506 - lists, mappings, text
    return given


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None
