"""The cost of planning, in counts: nothing is read twice, and no text grows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from files import ROOT, write_association, write_exposure, write_mask

# Plans a campaign like the command line does, and says at the end what was called how often, and
# the longest text that Snakemake searches for wildcards.
COUNTING = """
import json, sys
from collections import Counter
sys.path.insert(0, sys.argv.pop(1))
import psfalign.campaign.facts as facts
from snakemake import cli, workflow
calls = Counter()
for name in ("describe_exposure", "describe_mask", "describe_named_mask", "sha256", "check_regular_file"):
    def counted(path, original=getattr(facts, name), name=name):
        calls[name] += 1
        return original(path)
    setattr(facts, name, counted)
def build(self, original=workflow.Workflow._build_dag):
    original(self)
    calls["jobs"] = len(list(self.dag.needrun_jobs()))
    calls["longest"] = max(len(str(file)) for rule in self.rules for file in rule.output)
workflow.Workflow._build_dag = build
try:
    cli.main(sys.argv[1:])
finally:
    print(json.dumps(calls))
"""


def make_campaign(folder: Path, n_associations: int) -> None:
    """Two science exposures and two psf exposures in each association, one mask for all."""
    write_mask(folder / "masks" / "mask.fits")
    for number in range(n_associations):
        members = []
        for index, kind in enumerate(("science", "science", "psf", "psf")):
            name = f"jw{number:03}00{index}_calints.fits"
            write_exposure(folder / name, FILENAME=name)
            members.append((name, kind))
        product = {
            "name": f"jw{number:03}_t001",
            "members": [{"expname": name, "exptype": kind} for name, kind in members],
        }
        write_association(folder / f"{number}_asn.json", members, products=[product])
    config: dict[str, Any] = {
        "associations": [f"{number}_asn.json" for number in range(n_associations)],
        "psfmask": {"references": ["masks"]},
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(config))


def plan(folder: Path) -> dict[str, int]:
    command = [sys.executable, "-c", COUNTING, str(ROOT / "workflow/lib"), "-n"]
    command += ["-s", str(ROOT / "Snakefile"), "--configfile", "campaign.yaml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    counts: dict[str, int] = json.loads(result.stdout.splitlines()[-1])
    return counts


def test_planning_reads_each_file_once_in_all_runs_and_looks_at_it_once(tmp_path: Path) -> None:
    make_campaign(tmp_path, 3)
    exposures, associations, masks = 12, 3, 1
    first, second = plan(tmp_path), plan(tmp_path)
    # Jobs of 6 exposures (6 kinds) and 3 stacks (2 kinds), and the target; nothing says where north
    # is.
    assert first["jobs"] == second["jobs"] == 6 * 6 + 3 * 2 + 1
    assert first["describe_exposure"] == exposures
    assert first["describe_mask"] == first["describe_named_mask"] == masks
    assert first["sha256"] == exposures + associations + masks
    assert first["check_regular_file"] == exposures + associations + masks
    assert second["check_regular_file"] == first["check_regular_file"]
    assert not {"describe_exposure", "describe_mask", "describe_named_mask", "sha256"} & set(second)


def test_no_pattern_grows_with_the_campaign(tmp_path: Path) -> None:
    lengths = []
    for n_associations in (1, 8):
        folder = tmp_path / str(n_associations)
        make_campaign(folder, n_associations)
        lengths.append(plan(folder)["longest"])
    assert lengths[0] == lengths[1]
