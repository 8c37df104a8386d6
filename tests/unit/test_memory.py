"""Available memory is that of the machine, its control groups and its limits."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from psfalign.campaign import memory
from psfalign.campaign.memory import available_memory, check_memory, control_groups

GIGABYTE = 10**9


def test_item_31_too_large_for_the_memory() -> None:
    needs = {("jw1_a3001", "fit_shifts"): 38 * GIGABYTE, ("jw1_a3001", "align_psfs"): 30 * GIGABYTE}
    (error,) = check_memory(needs, 24 * GIGABYTE)
    assert str(error) == (
        "jw1_a3001: fit_shifts needs 38 GB, 24 GB available; run it where there is more memory"
    )
    assert check_memory(needs, 38 * GIGABYTE) == []


def test_item_31_available_memory_is_not_more_than_the_machine_has() -> None:
    available = available_memory()
    page, pages = resource.getpagesize(), Path("/proc/meminfo").read_text().split()[1]
    assert page < available <= int(pages) * 1024


def test_item_31_limit_of_the_address_space_counts() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9));"
        "from psfalign.campaign.memory import available_memory; print(available_memory())"
    )
    library = str(Path(memory.__file__).parents[1])
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, env={"PYTHONPATH": library}, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "1000000000"


def test_item_31_limit_of_a_container_counts_without_cached_files(tmp_path: Path) -> None:
    for name, text in {
        "memory.max": "2000\n",
        "memory.current": "1500\n",
        "memory.stat": "anon 1100\nfile 400\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert memory._of_group(tmp_path) == 900
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._of_group(tmp_path) is None
    assert memory._of_group(tmp_path / "none") is None


def test_item_31_limits_of_all_control_groups_around_a_process_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slurm and systemd set the limit of a group in which that of the process lies."""
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    told = tmp_path / "cgroup"
    told.write_text("1:name=systemd:/other\n0::/slurm/job\n")
    groups = control_groups(told)
    assert groups == [tmp_path / "groups" / name for name in ("slurm/job", "slurm", "")]
    groups[0].mkdir(parents=True)
    for name, text in {"max": "2000", "current": "1500", "stat": "file 0"}.items():
        (groups[1] / f"memory.{name}").write_text(f"{text}\n")
    monkeypatch.setattr(memory, "TOLD", told)
    assert min(filter(None, map(memory._of_group, groups))) == 500
    assert control_groups(tmp_path / "none") == []
