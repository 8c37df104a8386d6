"""
Make small mistakes in the core of the library, one at a time, and see that a test fails each time.

    PYTHONPATH=tests:workflow/lib python -m studies.mutants

Libraries do not serve: mutmut 3.8 leaves out what has a decorator, which here is every property and
class method, and all constants; of 5,600 mutants that cosmic-ray 8.7 makes, 4,100 swap operators at
random (``a << b`` for ``a * b``), which any test notices, and it changes the sources in place.
"""

import argparse
import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .operators import Mutant, make_mutants

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "workflow" / "lib"
PAGE = ROOT / "docs" / "mutants.md"
REASONS = Path(__file__).with_name("survivors.txt")
SEED = "psfalign"
FIT_SHARE = 0.25  # of the modules of the fit, whose tests take long; of the others, all are tried
MEMORY = 6 << 30  # bytes; a mutant that asks for more has failed
WANTED = 0.9
# What tests need before they import psfalign: imported once, and there in each forked process.
IMPORTS = (
    "astropy.io.fits",
    "astropy.table",
    "hypothesis.extra.numpy",
    "pytest",
    "scipy.fft",
    "scipy.ndimage",
    "scipy.optimize",
    "yaml",
)
FIT_TESTS = (
    "unit/test_weighting",
    "unit/test_cost",
    "unit/test_fit",
    "unit/test_noise",
    "property/test_fit",
)
# The tests that are about a module, fastest first.
TESTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "publish": ("unit/test_publish", "fault/test_publishing"),
        "mask": ("unit/test_mask",),
        "clean": ("unit/test_clean", "property/test_clean"),
        "disk": ("unit/test_disk",),
        "fourier": ("unit/test_fourier", "property/test_fourier"),
        "fit/__init__": FIT_TESTS,
        "fit/energy": ("unit/test_polynomials", "unit/test_noise", *FIT_TESTS),
        "fit/integration": FIT_TESTS,
        "fit/least_squares": FIT_TESTS,
        "fit/noise": ("unit/test_noise", "unit/test_cost", "unit/test_fit", "property/test_fit"),
        "fit/pair": FIT_TESTS,
        "fit/polynomials": ("unit/test_polynomials", *FIT_TESTS),
        "fit/result": FIT_TESTS,
        "fit/spectral": ("unit/test_polynomials", *FIT_TESTS),
    }
)


@dataclass(frozen=True)
class Trial:
    """A mutant of a module, and what to call it."""

    module: str
    mutant: Mutant

    @property
    def name(self) -> str:
        """One line; it stays the same while that line of the code does."""
        mutant = self.mutant
        return f"{self.module}.py {mutant.where}: {mutant.original} → {mutant.changed}"


class Laboratory:
    """A copy of the library in which one module at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.library = folder, folder / "workflow" / "lib"
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / "workflow", folder / "workflow", ignore=ignored)
        self.patience: dict[tuple[str, ...], float] = {}

    def _measure(self, tests: tuple[str, ...]) -> float:
        """Run tests of the library as it is, and say how long to wait for those of a mutant."""
        start = time.monotonic()
        if not self._pass(tests, patience=3600):
            sys.exit(f"tests fail without any change: {' '.join(tests)}")
        return 10 + 5 * (time.monotonic() - start)

    def survives(self, trial: Trial) -> bool:
        """Say whether all tests of the module pass."""
        tests = TESTS[trial.module]
        if tests not in self.patience:
            self.patience[tests] = self._measure(tests)
        path = self.library / "psfalign" / f"{trial.module}.py"
        original = path.read_text(encoding="utf-8")
        path.write_text(trial.mutant.source, encoding="utf-8")
        try:
            return self._pass(tests, self.patience[tests])
        finally:
            path.write_text(original, encoding="utf-8")

    def _pass(self, tests: tuple[str, ...], patience: float) -> bool:
        """Run tests in a process of their own, which is killed when it takes too long."""
        child = os.fork()
        if child == 0:
            self._run(tests)
        deadline = time.monotonic() + patience
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.01)
        return ended[1] == 0

    def _run(self, tests: tuple[str, ...]) -> None:
        """Replace what is left of this process by a run of pytest."""
        code = 1
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            sys.dont_write_bytecode = True
            os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.library)}
            os.chdir(ROOT)
            code = importlib.import_module("pytest").main(
                [
                    *(f"tests/{name}.py" for name in tests),
                    *("-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"),
                    *("-W", "ignore:Module already imported"),  # hypothesis is, on purpose
                    *("-o", f"pythonpath={self.library} tests docs"),
                    f"--basetemp={self.folder / 'tests'}",
                ]
            )
        finally:
            os._exit(code)


def list_trials() -> dict[str, list[Trial]]:
    """Make all mutants, by module."""
    trials = {}
    for module in TESTS:
        source = (LIBRARY / "psfalign" / f"{module}.py").read_text(encoding="utf-8")
        trials[module] = [Trial(module, mutant) for mutant in make_mutants(source)]
    return trials


def draw(trials: Mapping[str, list[Trial]]) -> list[Trial]:
    """Choose a share of those of the fit, the same for all of its modules, and all others."""
    return [
        trial
        for module, found in trials.items()
        for trial in found
        if not module.startswith("fit/") or _lot(trial) < FIT_SHARE
    ]


def _lot(trial: Trial) -> float:
    """Give a number in [0, 1) that depends on the change alone, not on what else there is."""
    digest = hashlib.sha256(f"{SEED} {trial.name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def read_reasons() -> dict[str, str]:
    """Read why known survivors survive: a reason, and below it, indented, their names."""
    reasons, reason = {}, ""
    for line in REASONS.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            reasons[line.strip()] = reason
        elif line:
            reason = line
    return reasons


def study(trials: list[Trial], log: Path | None) -> Iterator[tuple[Trial, bool]]:
    """Say of each mutant whether it survives; what a log knows is not tried again."""
    known = _read(log) if log else {}
    with tempfile.TemporaryDirectory(prefix="psfalign-mutants-") as folder:
        for name in IMPORTS:
            importlib.import_module(name)
        laboratory = Laboratory(Path(folder))
        for trial in trials:
            if trial.name not in known:
                known[trial.name] = laboratory.survives(trial)
                if log:
                    with open(log, "a", encoding="utf-8") as stream:
                        print(json.dumps([trial.name, known[trial.name]]), file=stream)
            yield trial, known[trial.name]


def _read(log: Path) -> dict[str, bool]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else ()
    return dict(map(json.loads, lines))


HEAD = """# Mistakes that the tests notice

A test that passes says little until it is known to fail. `make mutants` makes small mistakes in the
core of the library, one at a time, and runs the tests of the module: a comparison, a sign, a number, an
index or a factor is changed, a statement or an argument left out. A mutant is *killed* when a test
fails or does not end, and *survives* when all pass.
"""


def render(
    trials: Mapping[str, list[Trial]], outcomes: list[tuple[Trial, bool]], reasons: dict[str, str]
) -> str:
    """Write the page: counts by module, and the survivors by reason."""
    tried, survivors = Counter(t.module for t, _ in outcomes), [t for t, lives in outcomes if lives]
    alive = Counter(trial.module for trial in survivors)
    n_all = sum(map(len, trials.values()))
    lines = [HEAD, _sum_up(n_all, len(outcomes), len(survivors)), ""]
    lines += ["| module | mutants | tried | killed | survivors |", "|---|---|---|---|---|"]
    for module, found in trials.items():
        n, left = tried[module], alive[module]
        lines.append(
            f"| `{module}.py` | {len(found)} | {n} | {n - left} ({1 - left / n:.0%}) | {left} |"
        )
    lines += ["", "## Why survivors survive"]
    for reason in dict.fromkeys(reasons.get(trial.name, "") for trial in survivors):
        lines += ["", reason or "**Not explained yet.**", ""]
        lines += [f"- `{t.name}`" for t in survivors if reasons.get(t.name, "") == reason]
    return "\n".join(lines) + "\n"


def _sum_up(n_all: int, tried: int, survivors: int) -> str:
    killed = tried - survivors
    return (
        f"Of {n_all} mutants, {tried} were tried, of the modules of the fit a quarter, drawn at random: {killed} "
        f"were killed ({killed / tried:.1%})\nand {survivors} survived."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--log",
        type=Path,
        help="outcomes of a run to go on with; take lines away to try them again",
    )
    arguments = parser.parse_args()
    trials, reasons = list_trials(), read_reasons()
    outcomes = []
    for trial, survives in study(draw(trials), arguments.log):
        outcomes.append((trial, survives))
        if survives and trial.name not in reasons:
            print(f"survives, and no reason is listed: {trial.name}", file=sys.stderr, flush=True)
    PAGE.write_text(render(trials, outcomes, reasons), encoding="utf-8")
    names = {trial.name for found in trials.values() for trial in found}
    gone = {*(name for name in reasons if name not in names)}
    gone |= {trial.name for trial, survives in outcomes if not survives and trial.name in reasons}
    for name in sorted(gone):
        print(f"listed, but no survivor: {name}", file=sys.stderr)
    survivors = [trial for trial, survives in outcomes if survives]
    listed = all(trial.name in reasons for trial in survivors)
    return not listed or len(survivors) > (1 - WANTED) * len(outcomes)


if __name__ == "__main__":
    sys.exit(main())
