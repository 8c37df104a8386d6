"""The workflow needs neither a writable checkout, nor HOME, nor a network, nor its own folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from disks import mounted, remount
from studies.crashes import PARTS, Campaign, make_campaign


def run_without(campaign: Campaign, code: Path, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """Run in the campaign's folder with no HOME, a poor terminal, and a path as environment."""
    command = Campaign(campaign.folder, code).command()
    return subprocess.run(
        [*wrapper, *command],
        cwd=campaign.folder,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_item_54_read_only_checkout_no_home_no_network(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path / "campaign")
    if subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network can be taken away here")
    with mounted(tmp_path / "read only", "size=50m") as code:
        for name in PARTS:
            source = campaign.code / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, code / name)
        remount(code, "ro")
        result = run_without(campaign, code, "unshare", "-n")
    assert result.returncode == 0, result.stderr
    assert "jw1_a3001/jw1_a3001_psfalign.fits" in campaign.results()
    made = {path.name for path in campaign.folder.iterdir()}
    assert made == {"checkout", "data", "masks", "campaign.yaml", "results", ".snakemake"}
