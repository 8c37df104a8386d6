"""What the workflow asks for is never less than a step needs, and at most twice as much."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from psfalign.campaign.resources import Size, memory_mb, minutes
from psfalign.steps.registry import STEPS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NIRCAM = Size(integrations=20, psfs=50, pixels=320 * 320)


def measured() -> list[tuple[str, Size, dict[str, str], float]]:
    """Read the peaks that benchmarks/memory.py measured: step, size, options, MB."""
    lines = (BENCHMARKS / "results" / "memory.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return [peak_of(*row[:7]) for row in cells[2:]]


def peak_of(
    step: str, integrations: str, psfs: str, rows: str, columns: str, options: str, peak: str
) -> tuple[str, Size, dict[str, str], float]:
    planes = {"stack_psfs": int(integrations) + int(psfs), "clean_psfs": int(psfs)}
    size = Size(planes.get(step, int(integrations)), int(psfs), int(rows) * int(columns))
    return step, size, dict([options.split(" ", 1)] if options else []), float(peak)


def asked(step: str, size: Size, options: dict[str, str]) -> int:
    weighting = options.get("weighting", "mask")
    return memory_mb(step, size, weighting=weighting, threads=int(options.get("threads", 1)))


def test_memory_lies_between_each_measured_peak_and_twice_of_it() -> None:
    rows = measured()
    assert {step for step, *_ in rows} <= set(STEPS)
    assert len({size for _, size, *_ in rows}) >= 8
    wrong = [(*row, asked(*row[:3])) for row in rows if not row[3] <= asked(*row[:3]) <= 2 * row[3]]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [(4, 5, 64, 64), (3, 30, 320, 320), (2, 6, 1024, 1032)])
def test_memory_lies_between_the_peaks_of_today_and_twice_of_them(
    tmp_path: Path, size: tuple[int, ...]
) -> None:
    """Other code or libraries than those of the page: measured again."""
    run_benchmark("scenes.py", tmp_path, *size)
    steps = ("resolve_psfmask", "clean_science", "clean_psfs", "fit_shifts", "align_psfs")
    for step in (*steps, "subtract_psf", "combine_rolls", "plot_exposure"):
        peak = json.loads(run_benchmark("one_step.py", step, tmp_path, "{}"))["peak"] / 1e6
        known = peak_of(step, *map(str, size), "", "0")[1]
        assert peak <= memory_mb(step, known) <= 2 * peak, step


def run_benchmark(script: str, *arguments: object) -> str:
    command = [sys.executable, BENCHMARKS / script, *arguments]
    return subprocess.run(
        [*map(str, command)], check=True, capture_output=True, text=True, cwd=BENCHMARKS
    ).stdout


@pytest.mark.parametrize("step", STEPS)
def test_a_job_that_is_tried_again_gets_more(step: str) -> None:
    first, second = (memory_mb(step, NIRCAM, attempt=attempt) for attempt in (1, 2))
    assert 2 * first - 1 <= second <= 2 * first  # both are rounded up
    assert minutes(step, NIRCAM, attempt=2) == 2 * minutes(step, NIRCAM)


@pytest.mark.parametrize("step", ["clean_science", "fit_shifts", "align_psfs"])
def test_more_integrations_take_longer_but_no_more_memory(step: str) -> None:
    many = Size(20 * NIRCAM.integrations, NIRCAM.psfs, NIRCAM.pixels)
    assert memory_mb(step, many) == memory_mb(step, NIRCAM)
    assert minutes(step, many) > minutes(step, NIRCAM)


def test_time_of_a_job_without_pixels_is_that_of_its_start() -> None:
    """Three seconds, twenty times slower, and three minutes for the file system."""
    assert minutes("resolve_psfmask", Size(0, 0, 0)) == 3 + 20 * 3 / 60


@pytest.mark.parametrize("step", [name for name, step in STEPS.items() if step.cost.per_plane])
def test_psf_images_are_planes_too(step: str) -> None:
    """A psf image takes as long as an integration; here nothing else takes long."""
    some, none = Size(0, 500, 10**6), Size(500, 0, 10**6)
    assert minutes(step, some) == minutes(step, none) > minutes(step, Size(0, 0, 10**6))


def test_the_slow_fit_gets_more_time() -> None:
    assert minutes("fit_shifts", NIRCAM, method="leastsq") > 10 * minutes("fit_shifts", NIRCAM)
