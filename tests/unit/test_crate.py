"""The RO-Crate tells what is there, with checksums, and the same state gives the same bytes."""

import errno
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import ROOT, digest
from small_campaign import NAME, PRODUCT, rewrite, verify

from psfalign.archive.checkout import pack_code, read_commit
from psfalign.cli import main
from psfalign.errors import InputError
from psfalign.files.provenance.code import code_digest

CONFIG = {
    "output_dir": "results",
    "exposures": [
        {"science": "data/sci_calints.fits", "psfs": "data/star_psfstack.fits", "asn_id": "a3001"},
        {
            "science": "data/other_calints.fits",
            "psfs": "data/star_psfstack.fits",
            "asn_id": "a3001",
        },
    ],
    "psfmask": {"references": ["data/mask.fits"]},
    "align_refs": {"max_shift": 4},
}


@pytest.fixture
def campaign(copied_results: Path) -> Path:
    (copied_results / "campaign.yaml").write_text(yaml.safe_dump(CONFIG))
    return copied_results


def write_crate() -> dict[str, Any]:
    assert main(["crate", "campaign.yaml"]) == 0
    crate = json.loads(Path("results/ro-crate-metadata.json").read_text())
    return {entity["@id"]: entity for entity in crate["@graph"]}


def names(links: list[dict[str, str]]) -> list[str]:
    return [link["@id"] for link in links]


def test_each_product_is_tied_to_its_inputs_and_code(campaign: Path) -> None:
    entities = write_crate()
    run = entities[f"#run-{NAME}"]
    assert run["@type"] == "CreateAction"
    assert run["instrument"] == {"@id": "workflow.tar"}
    assert names(run["result"])[0] == PRODUCT.removeprefix("results/")
    inputs = {
        entities[name]["name"]: entities[name]["sha256"]
        for name in names(run["object"])
        if name.startswith("ni:")
    }
    data = ("sci_calints.fits", "star_psfstack.fits", "mask.fits")
    assert inputs == {name: digest(Path("data") / name) for name in data}
    settings = {
        entities[name]["name"]: entities[name]["value"]
        for name in names(run["object"])
        if name.startswith("#setting-")
    }
    assert settings["fit_shifts max_shift"] == "4"
    assert settings["resolve_psfmask decided_by"] == "auto"
    fit = code_digest(ROOT / "workflow/lib/psfalign/steps/fit.py")
    assert f"fit_shifts {fit}" in run["description"]


def test_files_of_the_crate_are_there_with_their_checksums(campaign: Path) -> None:
    entities = write_crate()
    files = [name for name in names(entities["./"]["hasPart"]) if ":" not in name]
    assert len(files) == 7
    for name in files:
        path = Path("results") / name
        assert entities[name]["sha256"] == digest(path)
        assert entities[name]["contentSize"] == str(path.stat().st_size)


def test_an_exposure_without_a_product_is_named_as_such(campaign: Path) -> None:
    entities = write_crate()
    described = entities["./"]["description"]
    assert "1 of 2 exposures have a product. Without one: other_a3001." in described
    Path(PRODUCT).write_bytes(Path(PRODUCT).read_bytes()[:-2880])
    assert "0 of 2 exposures" in write_crate()["./"]["description"]


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_product_that_the_disk_cannot_read_is_not_called_missing(
    code: int, campaign: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_crate()
    path = Path("results/ro-crate-metadata.json")
    before = path.read_bytes()

    def fail(product: Path) -> None:
        try:
            raise OSError(code, os.strerror(code))
        except OSError as error:
            raise InputError("cannot be read", file=product) from error

    monkeypatch.setattr("psfalign.archive.write_rocrate.scan", fail)
    assert main(["crate", "campaign.yaml"]) == 1
    assert f"{PRODUCT}: cannot be read" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_same_state_gives_the_same_bytes(
    campaign: Path, made_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("results/ro-crate-metadata.json")
    write_crate()
    before, time = path.read_bytes(), path.stat().st_mtime_ns
    write_crate()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, time)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert write_crate()[f"#run-{NAME}"]["endTime"] == "1970-01-01T00:00:00+00:00"
    here = path.read_bytes()
    shutil.copytree(made_results, tmp_path / "elsewhere")
    shutil.copy(campaign / "campaign.yaml", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    write_crate()
    assert path.read_bytes() == here
    assert str(tmp_path).encode() not in here


def test_a_product_of_other_code_says_so(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from psfalign.archive.verify import origins

    monkeypatch.setattr(origins, "_code_of", lambda step: "")
    entities = write_crate()
    instrument = entities[f"#run-{NAME}"]["instrument"]["@id"]
    assert entities[instrument]["description"].startswith("Other code than workflow.tar: ")


def test_item_51_an_edit_with_right_checksums_is_found_beside_a_crate(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("campaign.yaml").write_text(
        yaml.safe_dump(CONFIG | {"exposures": CONFIG["exposures"][:1]})
    )
    write_crate()
    assert verify(capsys)[0] == 0

    def brighten(hdus: Any) -> None:
        hdus["SCI"].data[0, 0, 3, 3] += 1

    rewrite(brighten)
    code, _, wrong = verify(capsys)
    problem = f"{PRODUCT}: is not the file that ro-crate-metadata.json lists"
    assert code == 1
    assert [line.split(";")[0] for line in wrong] == [f"psfalign: error: {problem}"]
    assert verify(capsys, PRODUCT)[0] == 0


def test_a_crate_that_is_none_is_refused(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("results/ro-crate-metadata.json").write_text("[]")
    line = "results/ro-crate-metadata.json: is not an RO-Crate; write it with psfalign crate"
    assert verify(capsys)[2] == [f"psfalign: error: {line}"]


def test_the_configuration_in_the_crate_can_be_run(campaign: Path) -> None:
    write_crate()
    assert main(["crate", "results/configuration.json"]) == 0


def test_the_packed_code_is_that_of_the_checkout() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack_code())) as archive:
        content = {entry.name: archive.extractfile(entry).read() for entry in archive}
    assert content["psfalign/Snakefile"] == (ROOT / "Snakefile").read_bytes()
    library = [n for n in content if n.startswith("psfalign/workflow/lib/psfalign/")]
    assert len(library) > 50
    assert not [name for name in content if "__pycache__" in name or "egg-info" in name]


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
@pytest.mark.parametrize("options", [(), ("--separate-git-dir", "repository")])
def test_the_commit_is_that_of_the_checkout(tmp_path: Path, options: tuple[str, ...]) -> None:
    checkout = tmp_path / "check out"
    checkout.mkdir()
    assert read_commit(checkout) is None
    git(checkout, "init", "-q", *options)  # .git is a folder, or a file that names one
    assert read_commit(checkout) is None
    (checkout / "Snakefile").write_text("a")
    git(checkout, "add", "Snakefile")
    git(checkout, "commit", "-qm", "a")
    commit = read_commit(checkout)
    assert commit is not None
    assert (commit.name, commit.is_modified) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "Snakefile").write_text("b")
    changed = read_commit(checkout)
    assert changed is not None
    assert changed.is_modified


@pytest.mark.skipif(
    importlib.util.find_spec("rocrate_validator") is None,
    reason="no validator of RO-Crates: make archive-tools installs it",
)
def test_the_validator_of_the_community_finds_nothing(campaign: Path) -> None:
    write_crate()
    for profile in ("process-run-crate", "workflow-run-crate"):
        result = validate(profile)
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(r"^[4-9][0-9] checks$", result.stdout, re.MULTILINE)
    path = Path("results/ro-crate-metadata.json")
    path.write_text(path.read_text().replace("datePublished", "dateForgotten"))
    result = validate("process-run-crate")
    assert result.returncode == 1
    assert "datePublished" in result.stdout


def validate(profile: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "tests/validate_crate.py"
    command = [sys.executable, str(script), "results", profile, "REQUIRED"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
