"""Snakemake with its Slurm executor, which is no part of the default environment."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE
from workflow.campaign import CHECKOUT, Campaign

from .slurm import Cluster

PLUGIN = "lib/python*/site-packages/snakemake_executor_plugin_slurm"
# Settings of this cluster instead of those that a user edits, and shorter waits.
HERE = (
    *("--workflow-profile", str(CHECKOUT / "profiles" / "slurm")),
    *("--default-resources", "slurm_partition=main"),
    *("--slurm-status-command", "squeue"),  # without accounting, sacct knows nothing
    *("--slurm-init-seconds-before-status-checks", "3"),
    *("--latency-wait", "10"),
)


def find_engine() -> Path | None:
    """Find an environment whose Snakemake has the Slurm executor."""
    environments = (Path(sys.prefix), CHECKOUT / ".venv-slurm", CHECKOUT / ".venv")
    return next((e / "bin" / "snakemake" for e in environments if any(e.glob(PLUGIN))), None)


@dataclass(frozen=True)
class ClusterRun:
    """Snakemake with profiles/slurm on a campaign."""

    campaign: Campaign
    cluster: Cluster

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake; what it says comes on standard output."""
        _, *command = self.campaign.command(*HERE, *arguments)
        return self._start(str(find_engine()), *command)

    def run_batches(self, *options: str) -> tuple[int, str]:
        """Run the campaign by `psfalign run`; return its exit status and its output."""
        python = str(find_engine().with_name("python"))
        config = str(self.campaign.config)
        process = self._start(python, "-m", "psfalign", "run", *options, config, *HERE)
        text, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, text

    def _start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.campaign.folder,
            env={**self.cluster.env, "PYTHONPATH": str(self.campaign.code / "workflow" / "lib")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; return its exit status and its output."""
        process = self.start(*arguments)
        text, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, text


def results(campaign: Campaign, names: Sequence[str] = ("",)) -> dict[str, bytes]:
    """Return the bytes of the results of exposures and stacks; the report contains times."""
    folder = campaign.folder / "results"
    paths = [path for path in folder.glob("*/*") if path.is_file() and path.parent.name != "report"]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if any(name in path.name for name in names)
    }
