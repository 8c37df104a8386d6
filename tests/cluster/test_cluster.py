"""A campaign on a real Slurm: the same bytes, and nothing lost when jobs, nodes or memory fail."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from patience import PATIENCE
from workflow.campaign import MIRI, OWN_CONFIG, Campaign, make_campaign

from .engine import ClusterRun, results
from .slurm import Cluster, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]
BAD_SCIENCE = "data/jw09999002001_02102_00001_nrcalong_calints.fits"
BAD = "jw09999002001_02102_00001_nrcalong_a3001"
STEPS = (
    *("resolve_psfmask", "clean_science", "fit_shifts", "align_psfs", "subtract_psf"),
    "plot_exposure",
)
# What fails a bad exposure, and has no effect on the others.
STRICT = OWN_CONFIG | {"align_refs": OWN_CONFIG["align_refs"] | {"on_failed_fit": "stop"}}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of a run without a cluster."""
    campaign = make_campaign(tmp_path_factory.mktemp("local"))
    campaign.write_config(STRICT)
    campaign.run()
    return results(campaign)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    campaign = make_campaign(tmp_path)
    campaign.write_config(STRICT)
    return campaign


def test_products_are_those_of_a_local_run_and_one_bad_exposure_stops_no_other(
    cluster: Cluster, campaign: Campaign, local: dict[str, bytes]
) -> None:
    add_bad_exposure(campaign)
    before = set(cluster.all_jobs())
    status, text = ClusterRun(campaign, cluster).run("--retries", "0")
    assert status == 1
    # One job for each of three exposures, one for each of their two stacks, and one for the
    # pictures of the association that has no bad exposure.
    assert len(set(cluster.all_jobs()) - before) == 6
    made = results(campaign)
    good = {name: content for name, content in local.items() if BAD not in name}
    products = [name for name in good if name.endswith(("_psfalign.fits", "_clean.fits"))]
    assert len(products) == 6  # of two exposures, and their stacks
    assert [name for name in products if made.get(name) != good[name]] == []
    assert f"{BAD}/{BAD}_psfalign.fits" not in made
    assert "fits failed: " in text, text  # what the log of the bad exposure says
    assert f"logs/fit_shifts/{BAD}.log" in text
    # Reading all products is no work for the machine that submits.
    assert "let a job run `psfalign crate`" in text
    assert not (campaign.folder / "results" / "ro-crate-metadata.json").exists()


def test_cancelled_jobs_and_a_crashed_node_cost_a_second_run_and_nothing_else(
    cluster: Cluster, campaign: Campaign, local: dict[str, bytes]
) -> None:
    run = ClusterRun(campaign, cluster)
    engine = run.start("--retries", "0")
    wait_for(lambda: cluster.jobs("RUNNING"), "a job to run")
    for job in cluster.jobs("RUNNING", "PENDING"):
        cluster.run("scancel", job)
    text, _ = engine.communicate(timeout=PATIENCE)
    assert (engine.returncode, "CANCELLED" in text) == (1, True), text
    status, text = run.run("psfstacks")
    assert status == 0, text
    engine = run.start("--retries", "0")
    # Both exposures are in the middle, and no job waits: it would wait for the node for ever.
    logs = campaign.folder / "results" / "logs" / "clean_science"
    wait_for(lambda: len(list(logs.glob("*.log"))) == 2, "both exposures to be cleaned")
    cluster.kill_node()
    try:
        text, _ = engine.communicate(timeout=PATIENCE)
    finally:
        engine.kill()
        cluster.start_node()
    assert (engine.returncode, len(cluster.jobs("NODE_FAIL"))) == (1, 2), text
    status, text = run.run()
    assert status == 0, text
    assert results(campaign) == local


def test_a_job_that_needs_more_memory_gets_it_when_it_is_tried_again(
    cluster: Cluster, campaign: Campaign, local: dict[str, bytes]
) -> None:
    """Twice 180 MB is less than two engines and a step take, four times 180 MB is more."""
    campaign.write_config(STRICT | {"exposures": STRICT["exposures"][1:]})
    before = set(cluster.all_jobs())
    few = [f"{step}:mem_mb=180 * 4 ** (attempt - 1)" for step in STEPS]
    status, text = ClusterRun(campaign, cluster).run("--set-resources", *few)
    assert status == 0, text
    listed = cluster.run("squeue", "-h", "-t", "all", "-o", "%i %m %T").splitlines()
    jobs = [job.split()[1:] for job in listed if job.split()[0] not in before]
    assert ["180M", "COMPLETED"] not in jobs
    assert ["720M", "COMPLETED"] in jobs
    made = results(campaign, names=(MIRI,))
    assert made == {name: local[name] for name in made}
    assert f"{MIRI}/{MIRI}_psfalign.fits" in made


def test_psfalign_run_makes_the_same_in_batches(
    cluster: Cluster, campaign: Campaign, local: dict[str, bytes]
) -> None:
    """By the profile alone, with an exposure that fails, of which another of its batch is a roll."""
    add_bad_exposure(campaign)
    before = set(cluster.all_jobs())
    status, text = ClusterRun(campaign, cluster).run_batches("--batch", "1", "--interval", "1")
    assert status == 1
    # Two batches, one of what is combined; then the one that failed there, by itself and twice.
    assert len(set(cluster.all_jobs()) - before) == 4, text
    made = results(campaign)
    good = {n: content for n, content in local.items() if BAD not in n and "combined" not in n}
    assert [name for name in good if made.get(name) != good[name]] == []
    assert f"{BAD}/{BAD}_psfalign.fits" not in made
    assert re.search(rf"{BAD} +FAILED in fit_shifts: .*9 of 36 fits failed", text), text
    report = campaign.folder / "results" / "report"
    lines = [json.loads(line) for line in (report / "progress.jsonl").read_text().splitlines()]
    assert len(lines) > 2
    last = {name: lines[-1][name] for name in ("exposures", "done", "failed", "left", "finished")}
    assert last == {"exposures": 3, "done": 2, "failed": 1, "left": 0, "finished": 2}
    assert (report / "report.html").is_file()
    logs = sorted(path.name for path in (campaign.folder / "results/logs/batches").iterdir())
    assert logs == ["1.log", "2.log"]


def add_bad_exposure(campaign: Campaign) -> None:
    """Spoil an integration of an exposure, and add it to the configuration."""
    with fits.open(campaign.folder / BAD_SCIENCE, mode="update") as file:
        file["SCI"].data[1] = np.nan
        for hdu in file:
            hdu.add_checksum(when="")
    bad = STRICT["exposures"][0] | {"science": BAD_SCIENCE}
    campaign.write_config(STRICT | {"exposures": [*STRICT["exposures"], bad]})
