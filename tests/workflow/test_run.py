"""`psfalign run` makes the results and the report; names may contain blanks."""

import subprocess
import sys
from pathlib import Path

import yaml
from files import ROOT

from .test_planning import make_campaign


def psfalign_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "psfalign", "run", "--batch", "1", "my campaign.yaml"]
    return subprocess.run(
        [*command, "--cores", "2", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "workflow/lib")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_run_ends_with_the_report_and_runs_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    make_campaign(folder, 1)
    config = yaml.safe_load((folder / "campaign.yaml").read_text())
    (folder / "my campaign.yaml").write_text(yaml.safe_dump(config | {"output_dir": "my results"}))
    first = psfalign_run(folder)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1] == "Report:        my results/report/report.html"
    assert (folder / "my results/report/report.html").stat().st_size > 100_000
    product = next((folder / "my results").glob("*/*_psfalign.fits"))
    made = product.stat().st_mtime_ns
    second = psfalign_run(folder)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Products:      my results/<exposure>/<exposure>_psfalign.fits" in second.stdout
    assert product.stat().st_mtime_ns == made
