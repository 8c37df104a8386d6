"""A manifest replaces reading files, and is refused if it lacks facts."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import refused, write_association, write_campaign, write_exposure, write_mask, write_psfs

from psfalign.campaign.checks import inspect_campaign
from psfalign.campaign.configuration import read_settings
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import (
    FactsStore,
    describe_background,
    describe_exposure,
    describe_mask,
    describe_named_mask,
)
from psfalign.campaign.manifest import ANEW, FORMAT, NO_MANIFEST, publish_manifest, read_manifest
from psfalign.cli import main
from psfalign.errors import ConfigError, InputError

# Facts of format 1. Whoever changes them after a release changes `FORMAT`, too, or manifests that
# were written before end in a traceback.
FACTS = {
    describe_exposure: {
        *("shape", "integrations", "marks", "header", "occulter", "start", "unreadable"),
        *("target", "star", "north", "roll", "place", "matrix"),
    },
    describe_mask: {"selectors", "useafter", "shape"},
    describe_named_mask: {"selectors", "shape"},
    describe_background: {"status", "median", "noise"},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign in the working directory, by relative paths as users write them."""
    monkeypatch.chdir(tmp_path)
    config = write_campaign(Path("data")) | {"manifest": "manifest.json", "output_dir": "results"}
    config["psfmask"]["references"] = ["data/mask*.fits"]
    write_config(config)
    return tmp_path


def write_config(config: dict[str, Any]) -> None:
    Path("campaign.yaml").write_text(yaml.safe_dump(config))


def write(*arguments: str) -> None:
    assert main(["manifest", *(arguments or ("campaign.yaml",))]) == 0


def take_away() -> None:
    Path("data").rename("elsewhere")


def inspect() -> tuple[list[str], dict[str, list[Path]]]:
    """Plan the campaign as the workflow does; return what is wrong, and the masks."""
    settings = read_settings(Path("campaign.yaml"))
    facts = FactsStore(Path("facts.json"), manifest=settings.manifest)
    findings = inspect_campaign(settings, plan_exposures(settings), facts)
    return list(map(str, findings.errors)), findings.masks


def test_format_is_that_of_the_facts() -> None:
    exposure, mask = Path("data/jw1_calints.fits"), Path("data/mask.fits")
    found = {
        describe: set(describe(mask if "mask" in describe.__name__ else exposure))
        for describe in FACTS
    }
    assert (FORMAT, found) == (1, FACTS)


@pytest.mark.parametrize("places", [["campaign.yaml"], ["data"]], ids=["configuration", "folder"])
def test_campaign_is_planned_without_its_files(places: list[str]) -> None:
    write(*places)
    before = inspect()
    take_away()
    assert inspect() == before == ([], {"jw1_a3001": [Path("data/mask.fits")]})
    settings = read_settings(Path("campaign.yaml"))
    facts = FactsStore(Path("facts.json"), manifest=settings.manifest)
    for path in ("jw1_calints.fits", "mask.fits"):
        listed, there = Path("data") / path, Path("elsewhere") / path
        assert facts.size(listed) == there.stat().st_size
        assert facts.digest(listed) == FactsStore(Path("none")).digest(there)


@pytest.mark.parametrize("places", [["campaign.yaml"], ["data"]], ids=["configuration", "folder"])
def test_association_and_its_members_are_listed(places: list[str]) -> None:
    write_psfs(Path("data/p1_calints.fits"), NINTS=None)
    members = [("jw1_calints.fits", "science"), ("data/p1_calints.fits", "psf")]
    write_association(Path("data/one_asn.json"), members)
    config = {"associations": ["data/one_asn.json"], "manifest": "manifest.json"}
    write_config(config | {"psfmask": {"references": ["data/mask.fits"]}})
    write(*places)
    before = inspect()
    take_away()
    assert inspect() == before == ([], {"jw1_a3001": [Path("data/mask.fits")]})


@pytest.mark.parametrize("reference", ["data", "data/", "data/mask.fits", "data/m*.fits", "./data"])
def test_references_name_files_of_the_manifest(reference: str) -> None:
    Path("masks").mkdir()
    Path("data/mask.fits").rename("masks/mask.fits")
    write_mask(Path("masks/other.fits"), FILTER="F444W")
    write("masks")
    found = read_manifest(Path("manifest.json")).matching(Path(reference.replace("data", "masks")))
    names = [path.name for path in found]
    assert names == (
        ["mask.fits"]
        if "mask.fits" in reference or "*" in reference
        else ["mask.fits", "other.fits"]
    )


def test_exposures_are_known_without_the_manifest() -> None:
    """Years later, `verify` reads the configuration that lies with the results."""
    (exposure,) = plan_exposures(read_settings(Path("campaign.yaml")))
    assert exposure.name == "jw1_a3001"
    line = "manifest.json: no such file; check the path"
    with refused(line, InputError):
        FactsStore(Path("facts.json"), manifest=Path("manifest.json"))


def test_a_listed_file_is_not_looked_at() -> None:
    write()
    Path("data/jw1_calints.fits").write_text("another")
    assert inspect()[0] == []


def test_a_file_that_is_not_listed_is_looked_for() -> None:
    write()
    config = yaml.safe_load(Path("campaign.yaml").read_text())
    config["exposures"][0]["science"] = "data/jw2_calints.fits"
    write_config(config)
    assert set(inspect()[0]) == {"data/jw2_calints.fits: no such file; check the path"}
    write_exposure(Path("data/jw2_calints.fits"))
    assert inspect()[0] == []


def test_item_61_what_the_manifest_does_not_say_is_said_in_one_line() -> None:
    write()
    config = yaml.safe_load(Path("campaign.yaml").read_text())
    config["psfmask"]["convention"] = "weight"
    write_config(config)
    (line,) = inspect()[0]
    assert line == (
        "manifest.json: does not say what data/mask.fits is as weight by weight around None; "
        + ANEW
    )


def test_mistakes_are_said_as_by_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    write_mask(Path("data/mask.fits"), FILTER="F444W")
    assert main(["manifest", "campaign.yaml"]) == 1
    assert capsys.readouterr().err.startswith(
        "psfalign: error: data/jw1_calints.fits: no mask matches "
    )
    assert not Path("manifest.json").exists()


BAD = {
    "{": f"is not a manifest of inputs; {ANEW}",
    "[]": f"is not a manifest of inputs; {ANEW}",
    '{"format": 1}': f"is not a manifest of inputs; {ANEW}",
    json.dumps({"format": 2, "address": "", "sha256": "", "files": {}}): (
        f"format=2: this version of psfalign reads 1; {ANEW}"
    ),
    json.dumps({"format": 1, "address": "", "sha256": "", "files": {}}): (
        f"what it says of the files was changed after it was written; {ANEW}"
    ),
}


@pytest.mark.bad_input(61)
@pytest.mark.parametrize("content", BAD)
def test_damaged_manifest_is_refused(content: str) -> None:
    path = Path("manifest.json")
    path.write_text(content)
    separator = " " if BAD[content].startswith("format") else ": "
    with refused(f"{path}{separator}{BAD[content]}", InputError):
        read_manifest(path)


def test_addresses_lead_to_the_files_and_may_be_changed_by_hand() -> None:
    write("campaign.yaml", "--address", "s3://bucket/one/")
    path, mask = Path("manifest.json"), Path("./data/../data/mask.fits")
    assert read_manifest(path).address_of(mask) == "s3://bucket/one/data/mask.fits"
    assert read_manifest(path).address_of(Path("other.fits")) == ""
    path.write_text(path.read_text().replace("bucket/one", "another"))
    assert read_manifest(path).address_of(mask) == "s3://another/data/mask.fits"
    assert NO_MANIFEST.address_of(mask) == ""


def test_an_address_needs_files_below_the_working_directory(folder: Path) -> None:
    facts = FactsStore(Path("facts.json"))
    from psfalign.campaign.write_manifest import write_manifest

    output = Path("manifest.json")
    outside = folder / "data" / "mask.fits"
    with refused(
        f"--address=s3://b: {outside} is not below the working directory, so it has no place below "
        "it; run psfalign manifest where all inputs lie, and name them from there",
        ConfigError,
    ):
        write_manifest([outside], output, facts, address="s3://b")
    with refused(
        "--address=bucket: is not an address; write one such as s3://bucket/folder", ConfigError
    ):
        write_manifest([Path("data")], output, facts, address="bucket")
    assert not output.exists()


def test_only_a_manifest_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    write()
    publish_manifest(Path("manifest.json"), {})
    write()
    other = Path("data/jw1_calints.fits")
    before = other.read_bytes()
    assert main(["manifest", "campaign.yaml", "--output", str(other)]) == 1
    assert capsys.readouterr().err.endswith(
        f"{other}: exists and is not a manifest; name another with --output\n"
    )
    assert other.read_bytes() == before


def test_what_is_no_input_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/notes.json").write_text("{}")
    write("data")
    said = capsys.readouterr()
    assert said.out == "manifest.json: written, 3 files\n"
    assert said.err == (
        "psfalign: left out: lacks products whose members have expname and exptype; complete it, "
        "or list its files under `exposures` in the configuration: data/notes.json\n"
    )
    Path("empty").mkdir()
    assert main(["manifest", "empty", "--output", "other.json"]) == 1
    assert capsys.readouterr().err == (
        "psfalign: error: empty: there is no exposure, mask or association; name other folders\n"
    )
