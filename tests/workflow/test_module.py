"""As a module of another workflow, psfalign makes the same results."""

import copy
import subprocess
from pathlib import Path

import pytest
import yaml
from forks import run_engine

from .campaign import MIRI, NIRCAM, OWN_CONFIG, Campaign, make_small_campaign

OUTER = """
configfile: "outer.yaml"


module psfalign:
    snakefile:
        "{snakefile}"
    config:
        config["psfalign"]
{prefix}

rule all:
    input:
        "count.txt",


use rule * from psfalign as psfalign_*


rule count:
    input:
        rules.psfalign_all.input,
    output:
        "count.txt",
    shell:
        "echo {{input}} | wc -w > {{output}}"
"""
PREFIX = """    prefix:
        "aligned"
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return make_small_campaign(tmp_path_factory.mktemp("module"))


@pytest.fixture(scope="module")
def alone(campaign: Campaign) -> Campaign:
    """Return the campaign when psfalign has run it on its own."""
    campaign.run()
    return campaign


def embed(campaign: Campaign, *, prefix: bool = False, **changes: object) -> Campaign:
    """Write a workflow that has psfalign for a module; its results go to a folder of their own."""
    own = copy.deepcopy(OWN_CONFIG) | {"output_dir": "prefixed" if prefix else "nested/results"}
    # Anchors are the outer workflow's own affair; psfalign would refuse them in its own file.
    text = yaml.safe_dump({"psfalign": own | changes}) + "other: &a 1\nmore: *a\n"
    (campaign.folder / "outer.yaml").write_text(text)
    code = campaign.folder / "outer"
    code.mkdir(exist_ok=True)
    snakefile = campaign.code / "Snakefile"
    (code / "Snakefile").write_text(
        OUTER.format(snakefile=snakefile, prefix=PREFIX if prefix else "")
    )
    return Campaign(campaign.folder, code=code)


def run(outer: Campaign, *arguments: str) -> subprocess.CompletedProcess:
    command = ["-s", str(outer.code / "Snakefile"), "--cores", "1", *arguments]
    return run_engine(command, folder=outer.folder, env=outer.env)


def products(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*/*_psfalign.fits")}


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [False, True], ids=["output_dir", "prefix"])
def test_module_makes_the_bytes_that_psfalign_makes_alone(alone: Campaign, prefix: bool) -> None:
    result = run(embed(alone, prefix=prefix))
    assert result.returncode == 0, result.stderr
    place = alone.folder / ("aligned/prefixed" if prefix else "nested/results")
    made = products(place)
    assert made == products(alone.folder / "results")
    assert sorted(made) == [f"{NIRCAM}_psfalign.fits", f"{MIRI}_psfalign.fits"]
    # Of each of the two exposures five files and five of the report, of each stack one, of each
    # association two files and two figures.
    assert (alone.folder / "count.txt").read_text().strip() == str(2 * (5 + 5 + 1 + 2 + 2))
    again = run(embed(alone, prefix=prefix), "-n")
    assert "Nothing to be done" in again.stdout + again.stderr
    (alone.folder / "count.txt").unlink()


def test_default_target_is_that_of_the_outer_workflow_and_needs_the_products(
    campaign: Campaign,
) -> None:
    for prefix in (False, True):
        result = run(embed(campaign, prefix=prefix, output_dir="unmade"), "-n")
        assert result.returncode == 0, result.stderr
        assert "count.txt" in result.stdout
        place = "aligned/unmade" if prefix else "unmade"
        assert f"Missing output files: {place}/{NIRCAM}/{NIRCAM}_psfalign.fits" in result.stdout


def test_mistake_in_the_configuration_of_a_module_is_one_line(campaign: Campaign) -> None:
    result = run(embed(campaign, align_refs={"max_shift": -1}), "-n")
    lines = [line for line in result.stderr.splitlines() if line.startswith("psfalign: error:")]
    assert result.returncode == 1
    assert lines == [
        "psfalign: error: config of module psfalign align_refs.max_shift=-1: is less than 0; "
        "write 0 or more"
    ]


def test_inputs_where_a_module_with_a_prefix_writes_are_refused(campaign: Campaign) -> None:
    folder = campaign.folder / "aligned" / "here" / "psfstacks"
    folder.mkdir(parents=True)
    science = campaign.folder / OWN_CONFIG["exposures"][0]["science"]
    moved = folder / science.name
    moved.write_bytes(science.read_bytes())
    entry = OWN_CONFIG["exposures"][0] | {"science": str(moved.relative_to(campaign.folder))}
    result = run(embed(campaign, prefix=True, output_dir="here", exposures=[entry]), "-n")
    assert result.returncode == 1
    assert f"output_dir=aligned/here: {entry['science']} lies where results are" in result.stderr
