"""
What a small exposure costs on a cluster: as a job of its own, or with others in a batch.

Both use profiles/slurm, on a real Slurm of one machine, which `make env-slurm VENV=.venv-slurm` and
Debian's packages provide: Snakemake alone makes each exposure a job, `psfalign run` makes batches.
CPU seconds are those of the processes that were started here, engines and jobs included, and
Slurm's daemons not: orphans come back to this process, which counts them.
"""

import argparse
import ctypes
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cluster.engine import HERE as OPTIONS
from cluster.engine import find_engine
from cluster.slurm import Cluster, missing

from campaigns import SNAKEFILE, Campaign, write_campaign
from report import Report

N_EXPOSURES, N_IN_BATCH = 25, 12
PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)
LIBRARY = HERE.parent / "workflow" / "lib"
COLUMNS = ("exposures are", "jobs of the cluster", "seconds", "CPU seconds", "CPU s an exposure")


def in_groups(campaign: Campaign, cluster: Cluster) -> None:
    """Make Snakemake submit a job for each exposure, and one for each stack."""
    engine = [str(find_engine()), "-s", str(SNAKEFILE), "--configfile", campaign.config.name]
    _run([*engine, *OPTIONS], campaign, cluster)


def in_batches(campaign: Campaign, cluster: Cluster) -> None:
    """Make `psfalign run` submit batches of exposures."""
    python = str(find_engine().with_name("python"))
    command = [python, "-m", "psfalign", "run", "--batch", str(N_IN_BATCH), campaign.config.name]
    _run([*command, *OPTIONS], campaign, cluster)


def _run(command: list[str], campaign: Campaign, cluster: Cluster) -> None:
    env = {**cluster.env, "PYTHONPATH": str(LIBRARY)}
    result = subprocess.run(
        command, cwd=campaign.folder, env=env, check=False, capture_output=True, text=True
    )
    if result.returncode not in (0, 1):
        sys.exit(f"{shlex.join(command)} failed:\n{result.stderr[-2000:]}")


def spoil(campaign: Campaign) -> None:
    """Make one exposure of which no fit is possible, and let that be a failure."""
    path = next(iter(sorted(campaign.folder.glob("data/jw10000001001*_calints.fits"))))
    with fits.open(path, mode="update") as file:
        file["SCI"].data[:] = np.nan
    campaign.configure(align_refs={"max_shift": 3, "on_failed_fit": "stop"})


def row(
    name: str,
    way: Callable[[Campaign, Cluster], None],
    cluster: Cluster,
    *,
    count: int,
    n_bad: int = 0,
) -> tuple[str, ...]:
    """Make a campaign in one way and measure it."""
    with tempfile.TemporaryDirectory(prefix="psfalign-cluster-") as folder:
        campaign = write_campaign(Path(folder) / "campaign", count)
        if n_bad:
            spoil(campaign)
        jobs, start, before = len(cluster.all_jobs()), time.perf_counter(), seconds_of_children()
        way(campaign, cluster)
        seconds, cpu = time.perf_counter() - start, seconds_of_children() - before
        made = list(campaign.folder.glob("results/*/*_psfalign.fits"))
        if len(made) != count - n_bad:
            sys.exit(f"{name}: {len(made)} of {count} products")
    numbers = (f"{seconds:.0f}", f"{cpu:.0f}", f"{cpu / count:.1f}")
    found = (name, str(len(cluster.all_jobs()) - jobs), *numbers)
    print(found, flush=True)
    return found


def adopt_orphans() -> None:
    """Become the parent of what the daemons of Slurm detach from themselves."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def seconds_of_children() -> float:
    """Return the CPU seconds of all that was started here and has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=N_EXPOSURES, help="exposures")
    count = parser.parse_args().count
    if absent := missing() or ("" if find_engine() else "no Slurm executor: make env-slurm"):
        print(f"not measured: {absent}")
        return
    report = Report("small_exposures", "Small exposures on a cluster", [])
    report.say(f"{count} exposures of one integration and five psf images of 24×24 pixels.", "")
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="psfalign-slurm-") as folder:
        cluster = Cluster(Path(folder) / "cluster")
        try:
            cluster.start()
            rows = [
                row("in batches", in_batches, cluster, count=count),
                row("in batches, one fails", in_batches, cluster, count=count, n_bad=1),
                row("jobs of their own", in_groups, cluster, count=count),
            ]
        finally:
            cluster.stop()
    report.table(COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
