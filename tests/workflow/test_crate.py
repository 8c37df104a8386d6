"""A run writes the RO-Crate, also after failures, and again with new results."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from files import SCIENCE_STEPS, scene, snakemake, write_campaign, write_exposure


def describe(folder: Path) -> str:
    crate: dict[str, Any] = json.loads((folder / "results/ro-crate-metadata.json").read_text())
    return next(entity["description"] for entity in crate["@graph"] if entity["@id"] == "./")


@pytest.mark.slow
def test_an_exposure_that_fails_does_not_block_the_crate(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    science = scene(SCIENCE_STEPS)
    science[1] = np.nan
    bad = write_exposure(tmp_path / "jw2_calints.fits", science)
    config["exposures"].append({**config["exposures"][0], "science": str(bad)})
    config["align_refs"] = {"on_failed_fit": "stop"}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    run = ("--configfile", "campaign.yaml", "--keep-going")
    assert snakemake(tmp_path, *run).returncode == 1
    assert "1 of 2 exposures have a product. Without one: jw2_a3001." in describe(tmp_path)
    shutil.copy(tmp_path / "jw1_calints.fits", bad)
    assert snakemake(tmp_path, *run).returncode == 0
    assert "2 of 2 exposures have a product." in describe(tmp_path)


@pytest.mark.slow
def test_a_run_does_not_fail_for_the_page_of_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(write_campaign(tmp_path)))
    (tmp_path / "results/report/campaign.html").mkdir(parents=True)
    result = snakemake(tmp_path, "--configfile", "campaign.yaml")
    assert result.returncode == 0
    said = result.stderr + result.stdout
    assert "the campaign page was not written: [Errno 21]" in said
    assert "1 exposure: 1 done." in said
    assert "Traceback" not in result.stderr
