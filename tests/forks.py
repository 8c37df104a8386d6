"""
Start programs in forks of a process that has already imported third-party modules.

Importing Snakemake takes longer than planning a small campaign, and importing crds takes longer
than choosing a mask. The process below imports such modules once, but never psfalign: each fork
imports the library of the checkout whose rules it reads, as a new process does. Tests of the
start itself, of the environment, of limits or of a network start processes of their own.
"""

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

# Modules that Snakemake and the plan of a campaign import at some time; and those of crds.
BELOW_PLANS = (
    *("snakemake.cli", "snakemake.profiles", "snakemake.report.html_reporter", "snakemake.storage"),
    *(
        "astropy.io.fits",
        "jinja2",
        "jsonschema",
        "PIL.Image",
        "scipy.ndimage",
        "smart_open",
        "yaml",
    ),
)
BELOW_CRDS = ("astropy.io.fits", "requests", "stdatamodels.jwst.datamodels")


def run_engine(
    arguments: list[str], *, folder: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``snakemake`` with these arguments in a folder; return its exit code and its output."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _compiled().name}
    return run_module(
        "snakemake", arguments, folder=folder, env=env | compiled, preloaded=BELOW_PLANS
    )


def run_module(
    module: str,
    arguments: list[str],
    *,
    folder: Path,
    env: dict[str, str],
    preloaded: tuple[str, ...],
    text: str = "",
) -> subprocess.CompletedProcess[str]:
    """Do what ``python -P -m module`` does with a text on its standard input."""
    with tempfile.TemporaryDirectory() as scratch:
        streams = given, *outputs = [Path(scratch, name) for name in ("stdin", "stdout", "stderr")]
        given.write_text(text, encoding="utf-8")
        job = {"module": module, "arguments": arguments, "folder": str(folder), "env": env}
        server = _server(preloaded)
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps({**job, "streams": [*map(str, streams)]}), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        said = [path.read_text(encoding="utf-8") for path in outputs]
    return subprocess.CompletedProcess([module, *arguments], code, *said)


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """Keep compiled modules out of checkouts."""
    return tempfile.TemporaryDirectory(prefix="psfalign-compiled-")


@cache
def _server(preloaded: tuple[str, ...]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *preloaded]
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, text=True)
    atexit.register(server.communicate)  # it ends with its input
    return server


def serve(preloaded: list[str]) -> None:
    """Fork for each line of the standard input, and answer with the exit code of the fork."""
    sys.path.remove(str(Path(__file__).parent))
    for name in preloaded:
        importlib.import_module(name)
    assert "psfalign" not in sys.modules
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            become(**json.loads(line))
            sys.exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        sys.stdout.flush()


def become(
    module: str, arguments: list[str], folder: str, env: dict[str, str], streams: list[str]
) -> None:
    """Run a module in this process as if it had been started with it."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    os.setsid()
    for number, path in enumerate(streams):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    sys.pycache_prefix = env.get("PYTHONPYCACHEPREFIX")
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(sys.argv[1:])
