"""A disk that is full or read-only, and memory that runs out, while a step writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from disks import fill, mounted, remount
from files import ROOT, digests, error_lines, psfalign, write_campaign, write_exposure

from psfalign.cli import main

OLD = b"an earlier product"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The command that aligns a small exposure, without its output."""
    write_campaign(tmp_path)
    science, psfs, mask = (
        tmp_path / n for n in ("jw1_calints.fits", "star_psfstack.fits", "mask.fits")
    )
    return ["align", "--science", str(science), "--psfs", str(psfs), "--psfmask", str(mask)]


@pytest.mark.bad_input(45)
@pytest.mark.parametrize("leave", [0, 8192, 100_000])
def test_item_45_full_disk(leave: int, command: list[str], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        output = disk / "a_psfalign.fits"
        output.write_bytes(OLD)
        fill(disk, leave)
        result = psfalign(*command, "--output", output)
        assert result.returncode == 1
        (line,) = error_lines(result)
        assert line.endswith(f"{output}: No space left on device; make room on that disk")
        assert output.read_bytes() == OLD
        assert sorted(path.name for path in disk.iterdir()) == ["a_psfalign.fits", "ballast"]


@pytest.mark.bad_input(45)
@pytest.mark.parametrize("is_full", [True, False])
def test_item_45_working_folder_of_a_run(
    is_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    config = tmp_path / "campaign.yaml"
    config.write_text(json.dumps(write_campaign(tmp_path / "data")))
    reason = "Read-only file system; choose a place that can be written to"
    with mounted(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.chdir(disk)
        if is_full:
            fill(disk, 65536)
            reason = "No space left on device; make room on that disk"
        else:
            remount(disk, "ro")
        assert main(["run", str(config), "--cores", "1"]) == 1
        line = capsys.readouterr().err.splitlines()[-1]
        assert line == f"psfalign: error: {disk}/.snakemake: {reason}"
        monkeypatch.chdir(tmp_path)
    assert not (tmp_path / "data/results").exists()


@pytest.mark.bad_input(45)
def test_item_45_no_inodes(command: list[str], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "nr_inodes=2") as disk:
        output = disk / "a_psfalign.fits"
        output.write_bytes(OLD)
        (line,) = error_lines(psfalign(*command, "--output", output))
        assert line.endswith(f"{output}: No space left on device; make room on that disk")
        assert output.read_bytes() == OLD


@pytest.mark.bad_input(11, 45)
def test_item_45_read_only_disk(command: list[str], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=5m") as disk:
        remount(disk, "ro")
        result = psfalign(*command, "--output", disk / "a_psfalign.fits")
        assert result.returncode == 1
        (line,) = error_lines(result)
        assert line.endswith(": Read-only file system; choose a place that can be written to")


@pytest.mark.bad_input(45)
def test_item_45_file_size_limit(command: list[str], tmp_path: Path) -> None:
    """The kernel allows so many bytes of one file."""
    output = tmp_path / "out" / "a_psfalign.fits"
    before = digests(tmp_path)
    run = [sys.executable, "-m", "psfalign", *command, "--output", str(output)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow/lib")}
    result = subprocess.run(
        ["prlimit", "--fsize=60000", *run],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert line.endswith(".fits: File too large; raise the limit on the size of files")
    assert digests(tmp_path) == before


# The limit is set when all is imported, which takes more on one machine than on another.
LIMITED = """
import re, resource, sys
import psfalign.steps.clean, psfalign.images.dq_flags
from psfalign.cli import main
size = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 150_000_000,) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.bad_input(31, 47)
def test_item_47_out_of_memory_is_one_line(tmp_path: Path) -> None:
    """An image of 3000×3000 pixels takes 72 MB in double precision, and cleaning holds several."""
    source = write_exposure(tmp_path / "a_calints.fits", np.zeros((1, 3000, 3000), np.float32))
    output = tmp_path / "out" / "a_clean.fits"
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, "clean", "--input", str(source), "--output", str(output)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow/lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr == (
        "psfalign: error: out of memory; run fewer jobs at a time, or on a machine that has more\n"
    )
    assert list(output.parent.iterdir()) == []
