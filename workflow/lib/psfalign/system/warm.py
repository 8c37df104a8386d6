"""
Run scripts in forks of one process that has already imported what they need.

Most scripts of the workflow compute for a fraction of a second, but need longer to start Python and
to import NumPy, astropy and Matplotlib. A `WarmPython` imports each module once, and forks itself
for each script. Each fork is a separate process, so that scripts do not affect each other.
"""

import atexit
import ctypes
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from .process import found_first, keep_caches_here, prepare_process

PACKAGES = Path(__file__).parents[2]
# The modules that Snakemake imports before each script, and those that the scripts share.
PREAMBLE = ("snakemake.logging", "snakemake.iocontainers", "snakemake.io")
ADAPTER = PACKAGES.parent / "scripts" / "psfalign_adapter.py"
LONGEST_MESSAGE = 1 << 16  # bytes
PR_SET_PDEATHSIG = 1  # of prctl(2)
ENDED = -signal.SIGKILL  # what a script returned whose server is gone


def is_available() -> bool:
    """Return whether this system has fork and prctl of Linux, which a `WarmPython` needs."""
    return sys.platform == "linux"


class WarmPython:
    """
    A process that runs scripts in forks of itself.

    It is started with the first script and ends, with all its scripts, when this process does, even
    by SIGKILL. Several threads may run scripts at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process; the next script would start another."""
        with self._lock:
            if self._control is not None and self._process is not None:
                self._control.close()
                self._process.wait()
            self._control = self._process = None

    def run(
        self, script: Path, *, modules: Iterable[str] = (), variables: Mapping[str, str]
    ) -> int:
        """
        Run a script as ``__main__``, and wait for its end.

        Parameters
        ----------
        script
            The file to run.
        modules
            The modules that it imports; they stay imported for later scripts.
        variables
            Environment variables to set for it.

        Returns
        -------
        The exit code, or the negative number of the signal that killed it.
        """
        job = {"script": str(script), "modules": [*modules], "variables": {**variables}}
        message = json.dumps({**job, "folder": str(Path.cwd())}).encode()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                socket.send_fds(self._server(), [message], [theirs.fileno()])
            code = ours.recv(LONGEST_MESSAGE)
        return int(code) if code else ENDED

    def _server(self) -> socket.socket:
        """Return the connection to the process, which is started first if necessary."""
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **found_first(PACKAGES)},
                )
            self._control = ours
            atexit.register(self.close)
        return self._control


def warm(execute: Callable[..., None], python: WarmPython) -> Callable[..., None]:
    """
    Return Snakemake's method that executes a script, modified to use a `WarmPython`.

    Scripts with another library, and those that need an environment, a container or a folder of
    their own, are executed as before.

    Parameters
    ----------
    execute
        ``PythonScript.execute_script`` of `snakemake.script`.
    python
        The process that runs the scripts.
    """

    def execute_script(self: Any, fname: str, edit: bool = False) -> None:
        if edit or _needs_its_own_process(self):
            execute(self, fname, edit)
            return
        temporary = self.resources.get("tmpdir")
        variables = {"TMPDIR": str(temporary)} if temporary else {}
        modules = [*_shared_modules(), *_modules_of(self.source)]
        code = python.run(Path(fname), modules=modules, variables=variables)
        if code:
            raise subprocess.CalledProcessError(code, [sys.executable, fname])

    return execute_script


def _needs_its_own_process(script: Any) -> bool:
    """Return whether a script cannot run in a fork of this process."""
    apart = ("conda_env", "container_img", "env_modules", "shadow_dir", "bench_record")
    # Snakemake runs a copy of a script, which lies beside the library only if it was fetched.
    places = filter(None, (script.path.get_path_or_uri(secret_free=True), script.cache_path))
    is_ours = any(Path(place).resolve().parents[1] / "lib" == PACKAGES for place in places)
    return not is_ours or any(getattr(script, name) is not None for name in apart)


@cache
def _shared_modules() -> list[str]:
    """Return the modules that all scripts need; the adapter is read once."""
    return [*PREAMBLE, *_modules_of(ADAPTER.read_text())]


def _modules_of(source: str) -> list[str]:
    """Return which modules of psfalign a script imports."""
    lines = (line.split() for line in source.splitlines())
    return [words[1] for words in lines if words[:1] == ["from"] and words[1][:9] == "psfalign."]


def serve(control: socket.socket) -> None:
    """Run the scripts that a connection requests, until it is closed."""
    # Whoever asks for scripts decides when to end: scripts would die with this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    if not _accept(control, selector):
                        return
                else:
                    _report(key, selector)


def _accept(control: socket.socket, selector: selectors.BaseSelector) -> bool:
    """Start the requested script; return False if the connection is closed."""
    message, descriptors, _, _ = socket.recv_fds(control, LONGEST_MESSAGE, 1)
    if not message:
        return False
    job = json.loads(message)
    client = socket.socket(fileno=descriptors[0])
    for module in job["modules"]:
        _import(module)
    alive, held = os.pipe()  # the script holds its end open until it ends
    pid = os.fork()
    if pid == 0:
        control.close()
        client.close()
        os.close(alive)
        _run(job)
    os.close(held)
    selector.register(alive, selectors.EVENT_READ, (pid, client))
    return True


@cache
def _import(module: str) -> None:
    """Import a module, and let it load what it needs; the script itself reports errors."""
    with suppress(Exception):
        getattr(importlib.import_module(module), "load_ahead", lambda: None)()


def _report(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    """Send the exit code of a script that has ended."""
    pid, client = key.data
    selector.unregister(key.fileobj)
    os.close(key.fd)
    _, status = os.waitpid(pid, 0)
    with client:
        try:
            client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        except OSError:  # nobody waits for it any more
            return


def _run(job: Mapping[str, Any]) -> None:
    """Run a script in the fork, and end as Python would."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(job["folder"])
        os.environ.update(job["variables"])
        sys.argv = [job["script"]]
        sys.path.insert(0, str(Path(job["script"]).parent))
        runpy.run_path(job["script"], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    keep_caches_here()
    prepare_process()
    serve(socket.socket(fileno=int(sys.argv[1])))
