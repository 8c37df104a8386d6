"""
Start the engine as often as tests like, in forks of one process that has imported it once.

The engine takes longer to be imported than to plan a small campaign. The process below imports what
others have written, never psfalign: each fork takes the library of the checkout whose rules it
reads, as an engine does that is started anew. Tests of the start itself, of the environment, limits
or a network start engines of their own.
"""

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

# What the engine and the plan of a campaign import, sooner or later.
PRELOADED = (
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


def run_engine(
    arguments: list[str], *, folder: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``snakemake`` with these arguments in a folder; return its exit code, and what it said."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _compiled().name}
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [Path(scratch, name) for name in ("stdout", "stderr")]
        job = {"arguments": arguments, "folder": str(folder), "env": env | compiled}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps({**job, "outputs": [*map(str, outputs)]}), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        said = [path.read_text(encoding="utf-8") for path in outputs]
    return subprocess.CompletedProcess(arguments, code, *said)


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """What Python compiles of checkouts lies beside none of them."""
    return tempfile.TemporaryDirectory(prefix="psfalign-compiled-")


@cache
def _server() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=pipe, stdout=pipe, env=env, text=True
    )
    atexit.register(server.communicate)  # it ends with its input
    return server


def serve() -> None:
    """Fork for each line of the standard input, and answer with the exit code of the fork."""
    sys.path.remove(str(Path(__file__).parent))
    for name in PRELOADED:
        importlib.import_module(name)
    assert "psfalign" not in sys.modules
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            become_engine(**json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        sys.stdout.flush()


def become_engine(
    arguments: list[str], folder: str, env: dict[str, str], outputs: list[str]
) -> None:
    """Do what the command ``snakemake`` does, to the end of this process."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    os.setsid()
    for number, path in enumerate((os.devnull, *outputs)):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    sys.pycache_prefix = env.get("PYTHONPYCACHEPREFIX")
    added = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(Path(sys.executable).parent), *added]
    sys.argv = ["snakemake", *arguments]
    sys.modules["snakemake.cli"].main()
    sys.exit(0)


if __name__ == "__main__":
    serve()
