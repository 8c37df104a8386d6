"""With batches, each job runs once, with the same results, and nothing is left over."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from files import ROOT, digests

from .test_planning import make_campaign

N_BATCHES = 2  # of two exposures


def run(folder: Path, *arguments: str) -> tuple[Counter[str], str]:
    """Run the campaign; return the messages of its jobs, and all that Snakemake said."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *arguments]
    command += ["--configfile", "campaign.yaml", "--cores", "2"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return Counter(re.findall(r"^Job \d+: (.*: .*)$", said, re.MULTILINE)), said


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "figures"), [(True, "reported"), (False, "none")])
def test_batches_make_everything_once_and_the_same(
    keep: bool, figures: str, tmp_path: Path
) -> None:
    options = {"keep_intermediates": keep, "figures": figures}
    folders = whole, parts = [tmp_path / name for name in ("whole", "parts")]
    for folder in folders:
        make_campaign(folder, 1)
        config = yaml.safe_load((folder / "campaign.yaml").read_text())
        (folder / "campaign.yaml").write_text(yaml.safe_dump(config | options))
    at_once, _ = run(whole)
    assert set(at_once.values()) == {1}
    first, _ = run(parts, "exposures", "--batch", f"exposures=1/{N_BATCHES}")
    names = {message.partition(":")[0] for message in first}
    assert len([name for name in names if name.endswith("_a3001")]) == 1  # one exposure, complete
    assert (parts / "results" / "report").is_dir()
    second, _ = run(parts)
    assert first + second == at_once
    assert results(parts) == results(whole)
    assert states(parts) == states(whole)
    assert {state for _, state, _ in states(whole)} == {"done"}
    # No pair deserves a look, and no header says where north is.
    assert not list(whole.glob("results/report/**/*.png"))
    assert "Nothing to be done" in run(parts)[1]


def results(folder: Path) -> dict[str, str]:
    """SHA-256 of all results but the figures and pages, which tell times."""
    found = digests(folder / "results")
    kinds = ("psfmask.json", "summary.json", ".fits", ".ecsv")
    return {name: digest for name, digest in found.items() if name.endswith(kinds)}


def states(folder: Path) -> list[tuple[str, str, list[str]]]:
    """What the page of the campaign says of each exposure: its state and steps."""
    content = json.loads((folder / "results/report/campaign.json").read_text())
    return [
        (e["name"], e["state"], [step["name"] for step in e["steps"]]) for e in content["exposures"]
    ]
