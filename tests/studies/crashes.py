"""
Kill runs of a small campaign at random times, finish them as the README says, and compare bytes.

    PYTHONPATH=tests:workflow/lib python -m studies.crashes 100
"""

import argparse
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from files import PSF_STEPS, ROOT, scene, write_exposure, write_mask, write_psfs
from patience import PATIENCE

PARTS = ("Snakefile", "workflow", "profiles", "config", "environment.yml")
SEED = 8
# The page of the campaign and its RO-Crate tell times, and a run that is killed after its last job
# leaves them to the next.
NO_RESULTS = {
    ".facts.json",
    "campaign.html",
    "campaign.json",
    "configuration.json",
    "ro-crate-metadata.json",
    "workflow.tar",
}


def _hear_interrupts() -> None:
    """Restore SIGINT, which a shell ignores in programs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Campaign:
    """A working directory with one exposure, two psf exposures, a mask and a configuration."""

    folder: Path
    code: Path

    def command(self, *arguments: str) -> list[str]:
        engine = [sys.executable, "-m", "snakemake", "-s", str(self.code / "Snakefile")]
        return [*engine, "--configfile", "campaign.yaml", "--cores", "2", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake as the leader of a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
            preexec_fn=_hear_interrupts,  # noqa: PLW1509 - it takes no lock
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> None:
        """Run to the end, and expect success."""
        process = self.start(*arguments)
        _, text = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, text

    def finish(self) -> None:
        """Do what the README says after a crash."""
        self.run("--unlock")
        self.run("--rerun-incomplete")

    def results(self) -> dict[str, bytes]:
        """Return the bytes of all results, without logs, the report and the RO-Crate."""
        folder = self.folder / "results"
        paths = [
            path
            for path in folder.rglob("*")
            if path.is_file() and "logs" not in path.parts and path.name not in NO_RESULTS
        ]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    def leftovers(self) -> list[str]:
        """List what a killed run may leave behind: partial files, locks, marks of incompleteness."""
        state = self.folder / ".snakemake"
        found = [*self.folder.rglob("*.partial")]
        for name in ("locks", "incomplete"):
            found += [path for path in (state / name).rglob("*") if path.is_file()]
        return [str(path.relative_to(self.folder)) for path in found]

    def forget(self) -> None:
        """Remove all that runs have written."""
        for name in ("results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def make_campaign(folder: Path) -> Campaign:
    """Copy the code, which must not change meanwhile, and write the inputs."""
    code = folder / "checkout"
    code.mkdir(parents=True)
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, code / name)
    write_exposure(folder / "data/jw1_calints.fits")
    psfs = [f"data/p{i}_calints.fits" for i in (2, 3)]
    for i, name in enumerate(psfs):
        write_psfs(folder / name, scene(PSF_STEPS, seed=2 + i))
    write_mask(folder / "masks/mask.fits")
    exposure = {"science": "data/jw1_calints.fits", "psfs": psfs, "asn_id": "a3001"}
    config = {"exposures": [exposure], "psfmask": {"references": ["masks"]}}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(config))
    return Campaign(folder, code)


def run_undisturbed(campaign: Campaign) -> tuple[dict[str, bytes], float]:
    """Return the results of an undisturbed run, and its duration in seconds."""
    start = time.monotonic()
    campaign.run()
    return campaign.results(), time.monotonic() - start


def kill_and_finish(campaign: Campaign, delay: float) -> str:
    """Kill a run and its jobs after some seconds, complete it, and return its state when killed."""
    campaign.forget()
    process = campaign.start()
    try:
        process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    interrupted = _stage(campaign, process.returncode)
    campaign.finish()
    return interrupted


def _stage(campaign: Campaign, code: int) -> str:
    if code == 0:
        return "when all was done"
    if not (campaign.folder / "results").exists():
        return "while planning"
    made = [name for name in campaign.results() if not name.endswith(".partial")]
    if any(name.endswith(".partial") for name in campaign.results()):
        return "while a file was being written"
    if "jw1_a3001/jw1_a3001_psfalign.fits" in made:
        return "after the product"
    return "in the middle of the jobs"


def study(runs: int, minutes: float) -> int:
    """Kill runs, print their outcomes, and return the number of wrong ones."""
    rng, stages, wrong = random.Random(SEED), Counter[str](), 0
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="psfalign-crashes-") as name:
        campaign = make_campaign(Path(name))
        expected, duration = run_undisturbed(campaign)
        for number in range(1, runs + 1):
            stage = kill_and_finish(campaign, rng.uniform(0, duration))
            stages[stage] += 1
            if campaign.results() != expected or campaign.leftovers():
                wrong += 1
                print(f"run {number}, killed {stage}: {campaign.leftovers()}", file=sys.stderr)
            print(f"{number}/{runs} {stage}", file=sys.stderr, flush=True)
            if time.monotonic() > end:
                runs = number
                break
    print("## Killed runs\n")
    print(
        f"{runs} runs of a small campaign were killed with all their jobs (SIGKILL) at random times,"
    )
    print(
        f"then finished by the two commands; {runs - wrong} of them gave, byte for byte, the results"
    )
    print(f"of an undisturbed run ({len(expected)} files), with nothing left over.\n")
    print("| killed | runs |\n|---|---|")
    for stage, count in stages.most_common():
        print(f"| {stage} | {count} |")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=100)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    options = parser.parse_args()
    sys.exit(bool(study(options.runs, options.minutes)))
