"""Scripts run in forks of one process as in separate processes."""

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from files import ROOT
from snakemake.script import PythonScript, get_source
from snakemake.sourcecache import SourceCache, infer_source_file

from psfalign.system.warm import WarmPython, is_available, warm

pytestmark = pytest.mark.skipif(not is_available(), reason="needs Linux")


@pytest.fixture
def python() -> Iterator[WarmPython]:
    python = WarmPython()
    yield python
    python.close()


def script(folder: Path, code: str, name: str = "script.py") -> Path:
    path = folder / name
    path.write_text(code)
    return path


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("import sys; sys.exit(3)", 3),
        ("raise SystemExit", 0),
        ("raise SystemExit('a word')", 1),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_exit_code_is_that_of_the_script(
    python: WarmPython, tmp_path: Path, code: str, expected: int
) -> None:
    assert python.run(script(tmp_path, code), variables={}) == expected


def test_script_is_main_in_the_folder_with_its_variables(
    python: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, sys\n"
        "if __name__ == '__main__':\n"
        "    open('told', 'w').write(f\"{os.environ['TMPDIR']} {sys.argv} {sys.path[0]}\")\n"
    )
    monkeypatch.chdir(tmp_path)
    path = script(tmp_path, code)
    assert python.run(path, variables={"TMPDIR": "/scratch"}) == 0
    assert (tmp_path / "told").read_text() == f"/scratch {[str(path)]} {tmp_path}"


def test_nothing_of_a_script_is_seen_by_the_next(python: WarmPython, tmp_path: Path) -> None:
    spoil = "import os, json; json.dumps = None; os.environ['LEFT'] = '1'; os.chdir('/')"
    look = "import os, json; assert json.dumps; assert 'LEFT' not in os.environ; assert os.getcwd() != '/'"
    assert python.run(script(tmp_path, spoil), variables={}) == 0
    assert python.run(script(tmp_path, look), variables={}) == 0


def test_modules_are_imported_before_the_fork_and_wrong_ones_do_no_harm(
    python: WarmPython, tmp_path: Path
) -> None:
    code = "import sys; assert 'psfalign.fit.closure' in sys.modules"
    modules = ["psfalign.no_such_module", "psfalign.fit.closure"]
    assert python.run(script(tmp_path, code), modules=modules, variables={}) == 0


def test_what_drawing_reads_is_there_before_the_fork(python: WarmPython, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from psfalign.report.exposure import style\n"
        "from psfalign.report.html import _environment\n"
        "before = set(sys.modules)\n"
        "assert _environment().cache, 'no template is compiled'\n"
        "style.draw_png(lambda canvas: canvas.subplots().imshow([[1, 2]]), height=1)\n"
        "assert set(sys.modules) == before, set(sys.modules) - before\n"
    )
    modules = ["psfalign.report.exposure"]
    assert python.run(script(tmp_path, code), modules=modules, variables={}) == 0


def test_what_all_scripts_of_the_engine_share_is_there_before_the_fork(
    python: WarmPython, tmp_path: Path
) -> None:
    own = EngineScript("../scripts/fit_shifts.py", ROOT / "workflow/rules", tmp_path / "cache")
    shared = {"snakemake.iocontainers", "snakemake.logging", "psfalign.campaign.attempts"}
    path = script(tmp_path, f"import sys; assert {shared} <= set(sys.modules)")
    warm(lambda *_: None, python)(own, str(path))  # it raises where the script fails


def test_each_of_many_threads_gets_the_code_of_its_own_script(
    python: WarmPython, tmp_path: Path
) -> None:
    """As many as a campaign has; the obvious code confused one exit code in forty-five."""
    paths = [script(tmp_path, f"raise SystemExit({n})", f"{n}.py") for n in range(100)]
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda path: python.run(path, variables={}), paths))
    assert codes == list(range(100))


def start_client(folder: Path) -> subprocess.Popen[str]:
    """Start a process that waits for a script, which waits for ever, and return when it does."""
    script(folder, "import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(1e4)")
    code = (
        "import signal; from pathlib import Path; from psfalign.system.warm import WarmPython\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # the background ignores it\n"
        "print(WarmPython().run(Path('script.py'), variables={}), flush=True)"
    )
    library = {**os.environ, "PYTHONPATH": str(ROOT / "workflow/lib")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=library,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def wait_until_gone(*processes: int) -> None:
    while any(is_alive(process) for process in processes):
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_process_is_left_where_the_engine_is_killed(tmp_path: Path) -> None:
    client = start_client(tmp_path)
    assert client.stdout is not None
    worker, server = map(int, client.stdout.readline().split())
    client.kill()
    client.wait()
    wait_until_gone(worker, server)  # a fault shows as a test that does not end
    client.stdout.close()


def test_no_process_is_left_after_control_c(tmp_path: Path) -> None:
    """The terminal interrupts all processes at once."""
    client = start_client(tmp_path)
    assert client.stdout is not None
    worker, server = map(int, client.stdout.readline().split())
    os.killpg(client.pid, signal.SIGINT)
    assert client.wait() == -signal.SIGINT
    wait_until_gone(worker, server)
    client.stdout.close()


def test_script_that_is_asked_to_end_with_all_others_has_time_to_clean_up(
    python: WarmPython, tmp_path: Path
) -> None:
    """A batch system asks all processes of a job at once; as from `kill` of a group."""
    text = (
        "import os, signal, time\n"
        "def end(*_):\n    time.sleep(0.2)\n    raise SystemExit(7)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "for process in (os.getppid(), os.getpid()):\n    os.kill(process, signal.SIGTERM)\n"
        "time.sleep(1e4)"
    )
    assert python.run(script(tmp_path, text), variables={}) == 7
    # Without a handler, SIGTERM ends a script as it does any.
    text = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert python.run(script(tmp_path, text), variables={}) == -signal.SIGTERM


@pytest.mark.parametrize("killed", ["worker", "server"])
def test_killed_script_is_told_and_leaves_no_process(tmp_path: Path, killed: str) -> None:
    client = start_client(tmp_path)
    assert client.stdout is not None
    worker, server = map(int, client.stdout.readline().split())
    os.kill({"worker": worker, "server": server}[killed], signal.SIGKILL)
    assert client.stdout.readline() == f"{-signal.SIGKILL}\n"
    client.wait()
    wait_until_gone(worker, server)
    client.stdout.close()


def test_engine_still_executes_scripts_as_this_replaces() -> None:
    """`warm` takes the place of a method of Snakemake; see what it is called with."""
    assert list(inspect.signature(PythonScript.execute_script).parameters) == [
        "self",
        "fname",
        "edit",
    ]
    parts = set(inspect.signature(PythonScript.__init__).parameters)
    assert parts >= {"path", "cache_path", "source", "resources", "conda_env", "container_img"}
    assert parts >= {"env_modules", "shadow_dir", "bench_record"}


class EngineScript:
    """What `warm` looks at of a script of Snakemake."""

    conda_env = container_img = env_modules = shadow_dir = bench_record = None
    source = ""
    resources: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, path: str, folder: Path, cache: Path) -> None:
        found = get_source(path, SourceCache(cache, cache), infer_source_file(str(folder)))
        self.path, *_, self.cache_path = found


@pytest.mark.parametrize("apart", [None, "conda_env", "container_img", "shadow_dir", "elsewhere"])
def test_scripts_that_need_a_process_of_their_own_get_it(
    python: WarmPython, tmp_path: Path, apart: str | None
) -> None:
    cold = []
    execute = warm(lambda *arguments: cold.append(arguments), python)
    home = ROOT / "workflow"
    if apart == "elsewhere":
        home = tmp_path / "workflow"
        for name in ("rules", "scripts"):
            (home / name).mkdir(parents=True)
        script(home / "scripts", "pass", "fit_shifts.py")
    # As a rule says it.
    own = EngineScript("../scripts/fit_shifts.py", home / "rules", tmp_path / "cache")
    if apart and apart != "elsewhere":
        setattr(own, apart, "something")
    path = script(tmp_path, "pass")
    execute(own, str(path))
    assert bool(cold) is (apart is not None)


def test_failed_script_fails_as_the_engine_expects(python: WarmPython, tmp_path: Path) -> None:
    own = EngineScript("../scripts/fit_shifts.py", ROOT / "workflow/rules", tmp_path / "cache")
    path = str(script(tmp_path, "raise SystemExit(1)"))
    with pytest.raises(subprocess.CalledProcessError, match="returned non-zero exit status 1"):
        warm(lambda *_: None, python)(own, path)
