"""Make the n-th system call of a writer fail, for n = 1, 2, 3, … until it succeeds."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from patience import PATIENCE

# By which names the kernel knows what a writer asks for.
CALLS = {
    "write": "write,pwrite64,writev",
    "fsync": "fsync,fdatasync",
    "close": "close",
    "open": "openat,open",
    "rename": "rename,renameat,renameat2",
}
# What only large files are written with.
LARGE_FILES_CALLS = {"fallocate": "fallocate", "sync_file_range": "sync_file_range"}
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL"}


@dataclass(frozen=True)
class Attempt:
    """The exit code, or minus the signal, of a writer whose n-th call failed."""

    n: int
    code: int
    was_hit: bool


def need_strace(folder: Path) -> None:
    """Skip the test if processes cannot be traced."""
    log = folder / "strace-works"
    try:
        result = subprocess.run(
            ["strace", "-o", log, "-e", "trace=write", "-e", "inject=write:error=EIO", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    if result.returncode:
        pytest.skip(f"strace may not trace here: {result.stderr.strip()}")


def attempts(writer: Callable[[], object], call: str, fault: str, log: Path) -> Iterator[Attempt]:
    """
    Run a writer in a process of its own, again and again, while its n-th call fails.

    The process is forked from this one, so that nothing is left to import and the writer's own
    calls are the only ones that count. Ends behind the first attempt that was not hit.
    """
    n = 0
    while True:
        n += 1
        attempt = _attempt(writer, call, fault, n, log)
        yield attempt
        if not attempt.was_hit:
            return


def _attempt(writer: Callable[[], object], call: str, fault: str, n: int, log: Path) -> Attempt:
    log.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _write_when_traced(writer)
    os.waitpid(child, os.WUNTRACED)  # it has stopped itself
    names = (CALLS | LARGE_FILES_CALLS)[call]
    inject = f"inject={names}:{FAULTS[fault]}:when={n}"
    command = [
        "strace",
        "-f",
        "-p",
        str(child),
        "-o",
        str(log),
        "-e",
        f"trace={names}",
        "-e",
        inject,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        _wait_until_traced(child, tracer)
        os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
        tracer.wait(PATIENCE)
    code = os.waitstatus_to_exitcode(status)
    return Attempt(n, code, code == -signal.SIGKILL or "(INJECTED)" in log.read_text())


def _write_when_traced(writer: Callable[[], object]) -> None:
    """Stop until traced, write, and exit with 0, 1 after a psfalign error, or 2 after another."""
    code = 2
    try:
        os.kill(os.getpid(), signal.SIGSTOP)
        writer()
        code = 0
    except OSError:
        code = 1
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(code)


def _wait_until_traced(child: int, tracer: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            pytest.skip(f"strace may not trace here: {tracer.communicate()[1].strip()}")
        time.sleep(0.001)
