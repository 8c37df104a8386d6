"""Run psfalign's command line and the peers' drivers, each in a process and place of its own."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from cases import Case
from environments import peer_python

HERE = Path(__file__).parent
CONTEXT = "jwst_0000.pmap"  # any name will do: with the mask given, nothing is looked up
SERVER_CONFIG = {
    "observatory": "jwst",
    "operational_context": CONTEXT,
    "bad_files_list": [],
    "force_remote_mode": False,
    "last_synced": "2024-01-01 00:00:00",
    "download_metadata": {},
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
INTERVAL = 0.005  # seconds between two looks at the memory of a process
KIB_PER_MB = 1024 / 1e6 if sys.platform == "linux" else 1e-6
# Python keeps what it compiled of a library for its next start, unless it is told otherwise.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True)
class Steps:
    """The files that psfalign made of a case."""

    stack: Path
    science: Path
    psfs: Path
    shifts: Path
    product: Path


@dataclass(frozen=True)
class Measured:
    """What a process took: seconds on the clock, seconds of processors, peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def pin_to_one_core() -> None:
    """Keep the processes that this one starts to one core and one thread."""
    os.environ.update(ONE_THREAD)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def align(case: Case, folder: Path, *, align_to: str = "each", errors: str = "variance") -> Steps:
    """Take a case through psfalign's steps, in a folder; steps already done are not repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{align_to}_{errors}"
    steps = Steps(
        stack=stack(case, folder),
        science=folder / "science_clean.fits",
        psfs=folder / "psfs_clean.fits",
        shifts=folder / f"{align_to}_shifts.ecsv",
        product=folder / f"{name}_psfalign.fits",
    )
    mask = folder / "psfmask.json"
    _psfalign("resolve-psfmask", science=case.science, psfmask=case.psfmask, output=mask)
    _psfalign("clean", input=case.science, output=steps.science)
    _psfalign("clean", input=steps.stack, output=steps.psfs)
    files = {"science": steps.science, "psfs": steps.psfs, "psfmask": mask}
    # Wide, as jwst has no bounds: a plane whose fit failed is NaN, which its KLIP does not take.
    _psfalign("fit-shifts", **files, align_to=align_to, max_shift=10, output=steps.shifts)
    shifts = {"psfs": steps.psfs, "shifts": steps.shifts, "psfmask": mask}
    _psfalign("align-psfs", **shifts, errors=errors, output=steps.product)
    return steps


def stack(case: Case, folder: Path) -> Path:
    """Return the psf images of a case as one file."""
    if len(case.psfs) == 1:
        return case.psfs[0]
    path = folder / "psfstack.fits"
    if not path.exists():
        command = [sys.executable, "-m", "psfalign", "stack-psfs", "--output", path]
        _run([*command, "--psfs", *case.psfs])
    return path


def run_own_command(command: str, *, output: Path, **options: object) -> None:
    """Run a command of psfalign, unless what it writes is there."""
    _psfalign(command, output=output, **options)


def _psfalign(step: str, *, output: Path, **options: object) -> None:
    if output.exists():
        return
    flags = [(f"--{key.replace('_', '-')}", value) for key, value in options.items()]
    _run([sys.executable, "-m", "psfalign", step, *chain(*flags), "--output", output])


def run_peer(release: str, driver: str, *arguments: object, folder: Path) -> Any:
    """Run a driver in the environment of a release of jwst; return what its last line says."""
    command = peer_command(release, driver, *arguments)
    lines = _run(command, env=offline(folder), cwd=folder).splitlines()
    return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None


def run_own(driver: str, *arguments: object) -> Any:
    """Run a driver in this environment; return what its last line says."""
    lines = _run([sys.executable, HERE / f"{driver}.py", *arguments]).splitlines()
    return json.loads(lines[-1])


def peer_command(release: str, driver: str, *arguments: object) -> list[str]:
    """Return the command of a driver."""
    return [str(peer_python(release)), str(HERE / "peers" / f"{driver}.py"), *map(str, arguments)]


def offline(folder: Path) -> dict[str, str]:
    """Return the environment in which jwst asks no server, with the cache that it insists on."""
    config = folder / "crds" / "config" / "jwst" / "server_config"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(repr(SERVER_CONFIG))
    crds = {
        "CRDS_PATH": str(folder / "crds"),
        "CRDS_CONTEXT": CONTEXT,
        "CRDS_MODE": "local",
        "CRDS_READONLY_CACHE": "1",
    }
    return {**os.environ, **crds}


def measure(command: list[str], *, env: dict[str, str] | None = None, cwd: Path) -> Measured:
    """Run a command and measure it; peak memory is that of its largest process."""
    start = time.perf_counter()
    log = cwd / "log.txt"
    with open(log, "w") as stream:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=stream, stderr=stream)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{command[:4]} failed:\n{log.read_text()[-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB_PER_MB)


def family_peak(process: "subprocess.Popen[Any]") -> float:
    """
    Watch a process and its children until it ends; give the most memory of them all, in bytes.

    Looked at every few milliseconds, and what they share is counted once.
    """
    peak = 0.0
    while process.poll() is None:
        children = _read(f"/proc/{process.pid}/task/{process.pid}/children").split()
        family = [_shared_out(member) for member in (str(process.pid), *children)]
        peak = max(peak, sum(family))
        time.sleep(INTERVAL)
    return peak


def _shared_out(process: str) -> int:
    """Return the memory of a process in bytes, with its share of what it shares with others."""
    words = _read(f"/proc/{process}/smaps_rollup").partition("\nPss:")[2].split()
    return int(words[0]) * 1024 if words else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # it has ended
        return ""


def own_peak() -> float:
    """Peak memory of this process in MB, below which `measure` cannot see."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_PER_MB


def _run(command: list[Any], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    result = subprocess.run(
        [*map(str, command)], env=env, cwd=cwd, text=True, capture_output=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr[-2000:]}")
    return result.stdout
