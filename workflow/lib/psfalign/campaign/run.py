"""Run Snakemake on a campaign, batch by batch, and write its report."""

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, system_error
from ..files.provenance.code import PACKAGE
from ..system.folder_lock import HeldError, held
from ..system.process import found_first, temporary_folder
from .batches import Batch, write_batches
from .layout import BATCHES, CAMPAIGN_STATES, REPORT

# The workflow: that of this checkout, or else one that `psfalign deploy` wrote.
PLACES = (PACKAGE.parents[2] / "Snakefile", Path("Snakefile"))
INTERRUPTED = 130  # the exit status of a process that Ctrl-C has ended
# With one of these arguments Snakemake runs no jobs, and there is nothing to report.
NO_JOBS = {"-n", "--dry-run", "--dryrun", "--unlock", "--lint", "--summary", "--delete-all-output"}
# With one of these arguments it runs jobs again although their results are up to date.
FORCED = {"-f", "--force", "-F", "--forceall", "-R", "--forcerun", "-t", "--touch"}
PROFILES = ("profile.yaml", "config.yaml")  # names of a profile in its folder
LOCAL = "local"  # the executor of Snakemake for this machine
# Arguments of Snakemake for a batch; other batches run at the same time.
IN_BATCH = ("--executor", LOCAL, "--nolock", "--no-hooks", "--retries", "0", "--logger", "psfalign")
NOTES = Path(".snakemake")  # the folder in which Snakemake takes notes, in the working directory
LOCKS = NOTES / "locks"
ROOM = 1 << 20  # bytes that its notes need at least


class Engine:
    """
    Snakemake, applied to one campaign.

    Parameters
    ----------
    config
        The configuration.
    arguments
        Further arguments of Snakemake.
    """

    def __init__(self, config: Path, arguments: Sequence[str]) -> None:
        snakefile = next((path for path in PLACES if path.is_file()), None)
        if snakefile is None:
            problem = "there is no Snakefile here, nor beside this library"
            raise ConfigError(problem, remedy="run psfalign deploy FOLDER, and this command there")
        self.workflow = snakefile.absolute().parent / "workflow"
        self._start = [sys.executable, "-m", "snakemake", "--snakefile"]
        self._arguments = [*arguments]
        self._command = [*self._start, str(snakefile), "--configfile", str(config), *arguments]
        self.interrupted = False

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs Snakemake on this campaign."""
        return [*self._command, *arguments]

    def run(self, *arguments: str) -> int:
        """Run Snakemake, and return its exit status."""
        return self._run(self.command(*arguments))

    def run_batches(self, config: Path) -> int:
        """Run the workflow of batches, whose jobs run Snakemake on some of the exposures."""
        start = [*self._start, str(self.workflow / "batches.smk"), "--configfile", str(config)]
        return self._run([*start, *self._arguments, "--forceall", "--logger", "psfalign"])

    def _run(self, command: Sequence[str]) -> int:
        if self.interrupted:
            return INTERRUPTED
        environment = os.environ | found_first(self.workflow / "lib")
        with subprocess.Popen(command, env=environment) as process:
            # Ctrl-C also reaches Snakemake, which then ends its jobs in order: wait for that.
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


def run_in_batches(engine: Engine, n_batches: int) -> None:
    """Run all batches of a campaign but the last one after the other, also after failures."""
    for batch in range(1, n_batches):
        print(f"Batch {batch} of {n_batches}", flush=True)
        what = ["--batch", f"exposures={batch}/{n_batches}"]
        engine.run("--quiet", "host", "reason", "--no-hooks", *what, "exposures")


def run_on_cluster(
    engine: Engine, output: Path, batches: Mapping[str, Batch], *, exposures: int, cores: int
) -> bool:
    """
    Run batches as jobs of a cluster, in each of which Snakemake runs.

    Parameters
    ----------
    engine
        Snakemake, applied to the campaign.
    output
        The output directory.
    batches
        The batches by name.
    exposures
        Number of exposures of the campaign.
    cores
        Cores of each job.

    Returns
    -------
    bool
        Whether Snakemake could run them; otherwise it has printed the reason.
    """
    place = output / BATCHES
    place.mkdir(parents=True, exist_ok=True)
    with temporary_folder("run-", place) as folder:
        config = write_batches(
            batches,
            folder,
            place=place,
            command=engine.command(*IN_BATCH),
            exposures=exposures,
            cores=cores,
        )
        status = engine.run_batches(config)
    if status and LOCKS.is_dir() and any(LOCKS.iterdir()):
        return False
    for mark in place.glob("*.done"):
        mark.unlink()
    return True


def run_campaign(
    engine: Engine, output: Path, *, close: Callable[[], None], shown: Sequence[str] = ()
) -> int:
    """
    Run all steps that are still to be done, and write the report.

    Parameters
    ----------
    engine
        Snakemake, applied to the campaign.
    output
        The output directory.
    close
        Writes the campaign page and the crate if Snakemake, having nothing to do, has not.
    shown
        The targets of Snakemake that the report shows; by default all.

    Returns
    -------
    The exit status of Snakemake, or of its report if that alone failed.
    """
    # The page itself may be written again while Snakemake runs.
    states = output / CAMPAIGN_STATES
    before = _written(states)
    status = engine.run("--logger", "psfalign")
    is_new = _written(states) != before
    if status == 0 and not is_new:
        close()
    if status == 0 or (is_new and not engine.interrupted):
        # Without an output directory, the results are in a storage of Snakemake.
        report = (output / REPORT if output.is_dir() else Path()) / "report.html"
        failed = engine.run("--quiet", "all", f"--report={report}", *shown)
        if failed:
            print(f"psfalign: error: {report}: was not written", file=sys.stderr)
        else:
            print(f"Report:        {report}", flush=True)
        status = status or failed
    return status


def check_notes() -> None:
    """Raise `PsfalignError` if Snakemake cannot write its notes, instead of its traceback."""
    notes = NOTES.absolute()
    try:
        notes.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=notes) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        raise system_error(error, notes) from error


@contextmanager
def alone_in(output: Path) -> Iterator[None]:
    """
    Prevent other runs, also from other working directories, from using an output directory.

    Raises
    ------
    ConfigError
        If another run uses it.
    """
    try:
        with held(output):
            yield
    except HeldError:
        remedy = "wait until it has ended, or set another output_dir"
        problem = "another run writes there"
        raise ConfigError(problem, keyword="output_dir", value=output, remedy=remedy) from None


def count_batches(exposures: int, size: int) -> int:
    """Return the number of batches for a number of exposures."""
    return max(1, math.ceil(exposures / size))


def is_run(arguments: Sequence[str]) -> bool:
    """Return whether Snakemake runs jobs with these arguments."""
    return NO_JOBS.isdisjoint(arguments)


def options_of(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the options of Snakemake, from arguments and profiles, on where its jobs run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--executor", "-e")
    parser.add_argument("--cores", "-c")
    parser.add_argument("--default-storage-provider")
    for name in ("--profile", "--workflow-profile"):
        parser.add_argument(name, type=Path)
    said = vars(parser.parse_known_args(arguments)[0])
    folders = [said.pop("profile"), said.pop("workflow_profile")]
    found: dict[str, Any] = {"executor": LOCAL, "cores": 1}
    for path in (folder / name for folder in folders if folder for name in PROFILES):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found |= yaml.load(text, yaml.BaseLoader) or {}  # noqa: S506 - lists, mappings, text
    found |= {name: value for name, value in said.items() if value is not None}
    cores = str(found["cores"])  # a number, or `all`
    if cores.isdigit() and int(cores) == 0:  # Snakemake would never end
        raise ConfigError("runs no job", keyword="--cores", value=0, remedy="write 1 or more")
    return found | {"cores": int(cores) if cores.isdigit() else os.cpu_count() or 1}


def given_by(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings that the arguments of Snakemake give by ``--config``, as text."""
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
