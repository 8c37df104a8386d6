"""
What a small exposure costs on a cluster: as a job of its own, or with others in a batch.

Both are the ways of docs/cluster.md, on a real Slurm of one machine, which `make env-slurm
VENV=.venv-slurm` and Debian's packages provide. CPU seconds are those of the whole machine, engines
and daemons included: leave it alone meanwhile.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cluster.engine import HERE as OPTIONS
from cluster.engine import find_engine
from cluster.slurm import Cluster, missing

from campaigns import SNAKEFILE, Campaign, write_campaign
from report import Report

N_EXPOSURES, N_BATCHES = 25, 3
IDLE = 20  # seconds in which to see what the machine does by itself
PROFILE = HERE.parent / "profiles" / "default"
COLUMNS = ("exposures are", "jobs of the cluster", "seconds", "CPU seconds", "CPU s an exposure")


def in_groups(campaign: Campaign, cluster: Cluster) -> None:
    """Make the engine submit a job for each exposure, and one for each stack."""
    _run([*_engine(campaign), *OPTIONS], campaign, cluster)


def in_batches(campaign: Campaign, cluster: Cluster) -> None:
    """Submit engines that work on many exposures: stacks, all batches but the last, the rest."""
    engine = [*_engine(campaign), "--workflow-profile", str(PROFILE), "--cores", "1"]
    batch = f"exposures --nolock --no-hooks --batch exposures=$SLURM_ARRAY_TASK_ID/{N_BATCHES}"
    for target, options in (("psfstacks", []), (batch, [f"--array=1-{N_BATCHES - 1}"]), ("", [])):
        job = ["sbatch", "--wait", "--mem=2000", "--output=/dev/null", *options]
        _run([*job, f"--wrap={shlex.join(engine)} {target}"], campaign, cluster)


def _engine(campaign: Campaign) -> list[str]:
    return [str(find_engine()), "-s", str(SNAKEFILE), "--configfile", campaign.config.name]


def _run(command: list[str], campaign: Campaign, cluster: Cluster) -> None:
    result = subprocess.run(
        command, cwd=campaign.folder, env=cluster.env, check=False, capture_output=True, text=True
    )
    if result.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{result.stderr[-2000:]}")


def row(name: str, way: Callable[[Campaign, Cluster], None], cluster: Cluster) -> tuple[str, ...]:
    """Make a campaign in one way and measure it."""
    with tempfile.TemporaryDirectory(prefix="psfalign-cluster-") as folder:
        campaign = write_campaign(Path(folder) / "campaign", N_EXPOSURES)
        jobs, start, before = len(cluster.all_jobs()), time.perf_counter(), machine_seconds()
        way(campaign, cluster)
        seconds, cpu = time.perf_counter() - start, machine_seconds() - before
        made = list(campaign.folder.glob("results/*/*_psfalign.fits"))
        if len(made) != N_EXPOSURES:
            sys.exit(f"{name}: {len(made)} of {N_EXPOSURES} products")
    numbers = (f"{seconds:.0f}", f"{cpu:.0f}", f"{cpu / N_EXPOSURES:.1f}")
    return name, str(len(cluster.all_jobs()) - jobs), *numbers


def machine_seconds() -> float:
    """Return the seconds that the processors of this machine have worked since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure both ways."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if absent := missing() or ("" if find_engine() else "no Slurm executor: make env-slurm"):
        print(f"not measured: {absent}")
        return
    report = Report("small_exposures", "Small exposures on a cluster", [])
    report.say(
        f"{N_EXPOSURES} exposures of one integration and five psf images of 24×24 pixels.", ""
    )
    with tempfile.TemporaryDirectory(prefix="psfalign-slurm-") as folder:
        cluster = Cluster(Path(folder) / "cluster")
        try:
            cluster.start()
            before = machine_seconds()
            time.sleep(IDLE)
            idle = (machine_seconds() - before) / IDLE
            rows = [
                row("jobs of their own", in_groups, cluster),
                row("in batches", in_batches, cluster),
            ]
        finally:
            cluster.stop()
    report.table(COLUMNS, rows)
    report.say(f"Before it, the machine with its cluster took {idle:.2f} CPU seconds a second.", "")
    report.write()


if __name__ == "__main__":
    main()
