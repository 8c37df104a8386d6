"""
Time and memory of psfalign's steps, each beside what it cannot do without.

The floor of align_psfs is one inverse real transform for each plane of SCI and ERR, and writing
the bytes of the product; both are measured in turn, in one process, on one core.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

from psfalign.system.process import prepare_process

prepare_process()

import numpy as np

from report import Report
from runs import measure, offline, own_peak, pin_to_one_core
from scenes import PSFMASK, PSFS, SCIENCE

from psfalign.images.bad_pixels import clean_image
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask

SIZE = (20, 50, 320, 320)
LONG = (100, 50, 320, 320)
MIRI = (50, 288, 224)
SMALL = (2, 3, 64, 64)
RUNS = 5
BAD = 0.05
PRODUCT, FLOOR = "product.fits", "floor.bin"
SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
Clock = Callable[[], float]
IMPORTS = ("steps.clean", "steps.resolve", "steps.stack", "steps.fit", "steps.align")


def simulate(folder: Path, *size: int) -> None:
    """Write the files of a job."""
    script = Path(__file__).with_name("scenes.py")
    subprocess.run([sys.executable, *map(str, (script, folder, *size))], check=True)


def prepare(folder: Path) -> None:
    """Take a job up to the table of shifts."""
    resolve_psfmask(folder / SCIENCE, folder / "mask.json", psfmask=str(folder / PSFMASK))
    clean_exposure(folder / SCIENCE, folder / "science.fits")
    clean_exposure(folder / PSFS, folder / "psfs.fits")
    fit(folder)


def fit(folder: Path, threads: int = 1) -> None:
    files = (folder / name for name in ("science.fits", "psfs.fits", "mask.json", "shifts.ecsv"))
    fit_exposure(*files, threads=threads)


def align(folder: Path, threads: int = 1) -> None:
    files = (folder / name for name in ("psfs.fits", "shifts.ecsv", "mask.json", PRODUCT))
    align_exposure(*files, threads=threads)


def floor(folder: Path) -> None:
    """Transform as many planes and write as many bytes as align_psfs does."""
    integrations, psfs, rows, columns = SIZE
    spectrum = np.fft.rfft2(np.random.default_rng(1).normal(size=(rows, columns)))
    with open(folder / FLOOR, "xb") as stream:
        for _ in range(integrations * psfs):
            for _ in range(2):
                plane = np.fft.irfft2(spectrum, s=(rows, columns))
            content = plane.astype(">f4").data
            for _ in range(3):
                stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def in_turn(
    folder: Path,
    one: Callable[[], None],
    other: Callable[[], None],
    clock: Clock = time.perf_counter,
) -> tuple[float, float, float]:
    """Time two things in turn; give both medians, and that of the ratio pair by pair."""
    pairs = []
    for _ in range(RUNS):
        times = []
        for work in (one, other):
            for name in (PRODUCT, FLOOR):  # removing a large file takes long: not counted
                (folder / name).unlink(missing_ok=True)
            times.append(seconds(work, clock))
        pairs.append(times)
    firsts, seconds_ = zip(*pairs, strict=True)
    return median(firsts), median(seconds_), median(a / b for a, b in pairs)


def measure_floor(report: Report, folder: Path) -> None:
    works = (lambda: align(folder), lambda: floor(folder))
    ours, least, ratio = in_turn(folder, *works, clock=time.process_time)
    report.say("## align_psfs and its floor", "", "{}×{} planes of {}×{}.".format(*SIZE), "")
    columns = ("align_psfs (CPU s)", "floor (CPU s)", "ratio")
    report.table(columns, [(f"{ours:.2f}", f"{least:.2f}", f"{ratio:.2f}")])


def measure_disk(report: Report, folder: Path) -> None:
    """Compare with planes that find their place one by one, and a flush at the end for all."""

    def plainly() -> None:
        with (
            patch("psfalign.files.fits.writer.reserve"),
            patch("psfalign.files.fits.writer.start_writing"),
        ):
            align(folder)

    ours, plain, ratio = in_turn(folder, lambda: align(folder), plainly)
    report.say("## Reserving room, and writing early", "")
    columns = ("align_psfs (s)", "without both (s)", "ratio")
    report.table(columns, [(f"{ours:.2f}", f"{plain:.2f}", f"{ratio:.2f}")])


def measure_cleaning(report: Report) -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=SIZE[2:])
    rows = []
    for share in (BAD / 5, BAD, BAD * 2):
        dq = (rng.random(SIZE[2:]) < share).astype(np.uint32)
        times = [seconds(lambda dq=dq: clean_image(image, dq, bad_bits=1)) for _ in range(20)]
        rows.append((f"{share:.0%}", f"{100 * median(times):.2f}"))
    report.say("## Cleaning 100 integrations of 320×320", "")
    report.table(("bad pixels", "seconds"), rows)


def measure_threads(report: Report, folder: Path, long: Path) -> None:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    rows = []
    for name, step, case in (
        (f"fit_shifts, {SIZE[0]} integrations", fit, folder),
        (f"fit_shifts, {LONG[0]} integrations", fit, long),
        (f"align_psfs, {SIZE[0]} integrations", align, folder),
    ):
        works = (lambda n=n, step=step, case=case: step(case, n) for n in (1, 2))
        one, two, ratio = in_turn(case, *works)
        rows.append((name, f"{one:.2f}", f"{two:.2f}", f"{ratio:.2f}"))
    report.say("## Two processes", "", "{} psfs of {}×{}.".format(*SIZE[1:]), "")
    report.table(("step", "1 process (s)", "2 processes (s)", "times faster"), rows)


def measure_imports(report: Report) -> None:
    rows = []
    for module in IMPORTS:
        code = f"import psfalign.{module}"
        bare = [
            measure([sys.executable, "-c", "pass"], env={}, cwd=Path(tempfile.gettempdir()))
            for _ in range(RUNS)
        ]
        full = [
            measure([sys.executable, "-c", code], env={}, cwd=Path(tempfile.gettempdir()))
            for _ in range(RUNS)
        ]
        cost = median(m.wall for m in full) - median(m.wall for m in bare)
        rows.append((f"psfalign.{module}", f"{cost:.2f}"))
    report.say("## Start-up: imports, without that of Python itself", "")
    report.table(("module", "seconds"), rows)


def measure_startup(report: Report, folder: Path) -> None:
    """Take a small exposure through the workflow, and tell what of it Snakemake takes."""
    folder.mkdir()
    simulate(folder, *SMALL)
    config = {
        "output_dir": "results",
        "exposures": [{"science": SCIENCE, "psfs": PSFS, "asn_id": "a3001", "psfmask": PSFMASK}],
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    engine = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--cores", "1"]
    engine += ["--configfile", "config.yaml", "--scheduler", "greedy"]
    rows = [_timed("Snakemake: planning only (-n)", [*engine, "-n"], folder)]
    target = "results/{0}/{0}_psfalign.fits".format("jw09998001001_02102_00001_nrcalong_a3001")
    run = _timed("the workflow up to the product: five jobs", [*engine, target], folder, once=True)
    steps = [_timed(f"alone: {name}", words, folder) for name, words in _commands().items()]
    report.say("## A small exposure, {}×{} planes of {}×{}".format(*SMALL), "")
    report.table(("what", "wall (s)", "CPU (s)"), [*rows, run, *steps])


def _commands() -> dict[str, list[str]]:
    """Return the command of each step."""
    options = {
        "resolve-psfmask": f"--science {SCIENCE} --psfmask {PSFMASK} --output mask.json",
        "clean science": f"--input {SCIENCE} --output science.fits",
        "clean psfs": f"--input {PSFS} --output psfs.fits",
        "fit-shifts": "--science science.fits --psfs psfs.fits --psfmask mask.json "
        "--output shifts.ecsv",
        "align-psfs": "--psfs psfs.fits --shifts shifts.ecsv --psfmask mask.json "
        "--output product.fits",
    }
    start = [sys.executable, "-m", "psfalign"]
    return {name: [*start, name.split()[0], *text.split()] for name, text in options.items()}


def _timed(name: str, command: list[str], folder: Path, *, once: bool = False) -> tuple[str, ...]:
    measured = [measure(command, env=offline(folder), cwd=folder) for _ in range(1 if once else 3)]
    walls, cpus = ([getattr(m, field) for m in measured] for field in ("wall", "cpu"))
    return name, f"{median(walls):.2f}", f"{median(cpus):.2f}"


def measure_memory(report: Report, folder: Path) -> None:
    rows = []
    commands = {
        "clean": "--input {science} --output {folder}/science.fits",
        "fit-shifts": "--science {folder}/science.fits --psfs {folder}/psfs.fits "
        "--psfmask {folder}/mask.json --output {folder}/shifts.ecsv",
        "align-psfs": "--psfs {folder}/psfs.fits --shifts {folder}/shifts.ecsv "
        "--psfmask {folder}/mask.json --output {folder}/product.fits",
    }
    peaks: dict[str, list[float]] = {name: [] for name in commands}
    for n_integrations in (20, 200):
        case = folder / str(n_integrations)
        case.mkdir()
        simulate(case, n_integrations, *MIRI)
        resolve_psfmask(case / SCIENCE, case / "mask.json", psfmask=str(case / PSFMASK))
        clean_exposure(case / PSFS, case / "psfs.fits")
        for name, options in commands.items():
            words = options.format(folder=case, science=case / SCIENCE).split()
            command = [sys.executable, "-m", "psfalign", name, *words]
            peaks[name].append(measure(command, env=offline(case), cwd=case).peak)
        (case / PRODUCT).unlink()
    for name, (few, many) in peaks.items():
        rows.append((name, f"{few:.0f}", f"{many:.0f}", f"{many / few:.2f}"))
    report.say("## Peak memory, {} psfs of {}×{}".format(*MIRI), "")
    report.table(("step", "20 integrations (MB)", "200 integrations (MB)", "ratio"), rows)
    report.say(f"Memory below {own_peak():.0f} MB would not be seen.", "")


def main() -> None:
    """Measure all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pin_to_one_core()
    report = Report("steps", "Time and memory of the steps", [])
    report.say("One thread on one core unless said otherwise; medians.", "")
    with tempfile.TemporaryDirectory(prefix="psfalign-benchmark-") as name:
        folder = Path(name)
        measure_memory(report, folder)  # first: what this process has used, it cannot see below
        simulate(folder, *SIZE)
        prepare(folder)
        measure_floor(report, folder)
        measure_disk(report, folder)
        measure_cleaning(report)
        measure_imports(report)
        measure_startup(report, folder / "small")
        long = folder / "long"
        long.mkdir()
        simulate(long, *LONG)
        prepare(long)
        measure_threads(report, folder, long)
    report.write()


if __name__ == "__main__":
    main()
