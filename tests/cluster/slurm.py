"""
A cluster of one machine: Debian's munge and Slurm on the loopback, in a folder of their own.

Nothing outside the folder is touched, no service is used, and everything is taken down by the ids
of the processes that were started here. Slurm wants to be root for that.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from patience import PATIENCE

DAEMONS = ("munged", "slurmctld", "slurmd", "mungekey")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"

# Memory is enforced by Slurm itself, which looks at the processes of each job once a second:
# control groups would do it better, but a container has none to give.
CONFIGURATION = """
ClusterName=psfalign
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdTimeout=5
MinJobAge=3600
ReturnToService=2
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
EnforcePartLimits=ALL
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=600 State=UP
"""


def missing() -> str:
    """Return what is missing to start a cluster; empty if it can be started."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    absent = [name for name in (*DAEMONS, *CLIENTS) if shutil.which(name, path=PATH) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


@dataclass
class Cluster:
    """Slurm with one node; up between `start` and `stop`."""

    folder: Path
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """Environment in which Slurm's commands talk to this cluster."""
        conf = self.folder / "slurm.conf"
        return {**os.environ, "PATH": f"{self.folder}/bin:{PATH}", "SLURM_CONF": str(conf)}

    def start(self) -> None:
        """Bring up munge, the controller and the node."""
        self.folder.mkdir(mode=0o755)
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        self._write_srun()
        text = CONFIGURATION.format(host=host(), ports=free_ports(2), folder=self.folder)
        (self.folder / "slurm.conf").write_text(text)
        self._start_munge()
        self._spawn("slurmctld", "-D", "-i")
        self.start_node()

    def start_node(self) -> None:
        """Bring up the node, and wait until the controller gives it work."""
        self._spawn("slurmd", "-D")
        wait_for(lambda: self.run("sinfo", "-h", "-o", "%t") == "idle", "the node to be idle")

    def kill_node(self) -> None:
        """Crash the node: its daemon and everything that runs on it die at once."""
        node = self.processes.pop("slurmd")
        steps = descendants(node.pid) + self._orphaned_steps()
        for process in (node.pid, *steps):
            kill(process, signal.SIGKILL)
        node.wait()

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands; return what it prints, empty if it fails."""
        result = subprocess.run(
            command, env=self.env, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        return result.stdout.strip() if result.returncode == 0 else ""

    def jobs(self, *states: str) -> list[str]:
        """List the ids of jobs in some states, such as RUNNING."""
        return self.run("squeue", "-h", "-o", "%i", "-t", ",".join(states)).split()

    def all_jobs(self) -> list[str]:
        """List the ids of all jobs that there were, each of an array by itself."""
        return self.run("squeue", "-h", "-r", "-o", "%i", "-t", "all").split()

    def stop(self) -> None:
        """Cancel what still runs, and take everything down."""
        for job in self.jobs("PENDING", "RUNNING"):
            self.run("scancel", job)
        steps = self._orphaned_steps()
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self.processes:
                process = self.processes.pop(name)
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for process in steps:
            kill(process, signal.SIGKILL)

    def _write_srun(self) -> None:
        """Write a srun that sets SLURM_CONF, which the executor plug-in removes."""
        program = shutil.which("srun", path=PATH)
        script = self.folder / "bin" / "srun"
        script.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {program} "$@"\n')
        script.chmod(0o755)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        subprocess.run(["mungekey", "--create", f"--keyfile={key}"], env=self.env, check=True)
        files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{name}={self.folder}/munge.{ending}" for name, ending in files.items()]
        self._spawn("munged", "--foreground", "--force", f"--key-file={key}", *options)
        wait_for((self.folder / "munge.socket").exists, "munge")

    def _spawn(self, *command: str) -> None:
        log = self.folder / f"{command[0]}.out"
        with open(log, "ab") as stream:
            self.processes[command[0]] = subprocess.Popen(
                command, env=self.env, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL
            )

    def _orphaned_steps(self) -> list[int]:
        """Find the processes of jobs, which Slurm detaches from its daemon: by this cluster's files."""
        own = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                name = (process / "comm").read_text().strip()
                if name == "slurmstepd" and own in (process / "environ").read_bytes():
                    found += [int(process.name), *descendants(int(process.name))]
            except OSError:
                continue
        return found


def host() -> str:
    """Return the name of this machine in Slurm."""
    return socket.gethostname().partition(".")[0]


def free_ports(count: int) -> list[int]:
    """Return free ports of the loopback."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(condition, what: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


def descendants(process: int) -> list[int]:
    """List the processes that a process started, and those that they did."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = list(map(int, path.read_text().split()))
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def kill(process: int, sign: signal.Signals) -> None:
    """Signal a process that may have ended."""
    try:
        os.kill(process, sign)
    except ProcessLookupError:
        return
