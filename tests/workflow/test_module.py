"""Another workflow uses psfalign as a module, and gets what psfalign makes on its own."""

import copy
import subprocess
from pathlib import Path

import pytest
import yaml

from .campaign import MIRI, NIRCAM, OWN_CONFIG, Campaign, make_campaign

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
def alone(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign that psfalign has run on its own."""
    campaign = make_campaign(tmp_path_factory.mktemp("module"))
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
    command = [word for word in outer.command() if word not in ("--configfile", str(outer.config))]
    return subprocess.run(
        [*command, "--cores", "1", *arguments],
        cwd=outer.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def products(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*/*_psfalign.fits")}


@pytest.mark.parametrize(
    "prefix",
    [pytest.param(False, id="output_dir", marks=pytest.mark.slow), pytest.param(True, id="prefix")],
)
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


def test_default_target_is_that_of_the_outer_workflow(alone: Campaign) -> None:
    result = run(embed(alone, output_dir="unmade"), "-n")
    assert "count.txt" in result.stdout


def test_mistake_in_the_configuration_of_a_module_is_one_line(alone: Campaign) -> None:
    result = run(embed(alone, align_refs={"max_shift": -1}), "-n")
    lines = [line for line in result.stderr.splitlines() if line.startswith("psfalign: error:")]
    assert result.returncode == 1
    assert lines == [
        "psfalign: error: config of module psfalign align_refs.max_shift=-1: is less than 0; "
        "write 0 or more"
    ]


def test_inputs_where_a_module_with_a_prefix_writes_are_refused(alone: Campaign) -> None:
    folder = alone.folder / "aligned" / "here" / "psfstacks"
    folder.mkdir(parents=True)
    science = alone.folder / OWN_CONFIG["exposures"][0]["science"]
    moved = folder / science.name
    moved.write_bytes(science.read_bytes())
    entry = OWN_CONFIG["exposures"][0] | {"science": str(moved.relative_to(alone.folder))}
    result = run(embed(alone, prefix=True, output_dir="here", exposures=[entry]), "-n")
    assert result.returncode == 1
    assert f"output_dir=aligned/here: {entry['science']} lies where results are" in result.stderr
