"""Metadata of the repository for hosts, archives and catalogues are consistent."""

import json
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from files import ROOT
from pythons import VERSIONS

from psfalign import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_version_licence_and_authors_are_everywhere_the_same() -> None:
    citation, meta = read_yaml("CITATION.cff"), json.loads((ROOT / "codemeta.json").read_text())
    assert {citation["version"], meta["version"]} == {__version__}
    assert meta["license"].endswith(f"/{citation['license']}")
    assert PROJECT["license"] == citation["license"]
    authors = [author["name"] for author in citation["authors"]]
    assert [author["name"] for author in meta["author"]] == authors
    assert [author["name"] for author in PROJECT["authors"]] == authors
    assert meta["keywords"] == PROJECT["keywords"]
    assert meta["description"] == PROJECT["description"]
    assert citation["title"].partition(": ")[2] in PROJECT["description"].replace("Align", "align")


def test_changelog_begins_with_the_version() -> None:
    heading = re.search(r"^## (\S+) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == __version__
    released = str(read_yaml("CITATION.cff").get("date-released"))
    assert heading[2] == (released if released != "None" else "unreleased")


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="this is no clone"
)
def test_tags_are_versions_of_the_changelog() -> None:
    tags = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    versions = re.findall(r"^## (\S+) \(", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(tags) <= {f"v{version}" for version in versions}


def test_hosts_run_what_everybody_runs() -> None:
    github = read_yaml(".github/workflows/ci.yml")
    assert github["jobs"]["ci"]["steps"][-1] == {"run": "sudo .ci/run"}
    assert read_yaml(".gitlab-ci.yml")["ci"]["script"] == [".ci/run"]
    assert "make docs PYTHON=python" in read_yaml(".readthedocs.yaml")["build"]["commands"]


def test_hooks_before_a_commit_are_programs_of_the_lock() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    for hook in repository["hooks"]:
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program == "python" or f"\n{program}==" in lock


def test_all_pythons_of_the_tests_are_named() -> None:
    prefix = "Programming Language :: Python :: 3."
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert tuple(named[1:] if named[0] == "Only" else named) == VERSIONS
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


def test_catalogue_of_workflows_finds_what_it_asks_for() -> None:
    for name in (
        *("workflow/Snakefile", "workflow/rules", "config/README.md", "config/config.yaml"),
        *("workflow/schemas/config.schema.yaml", ".test/config/config.yaml"),
    ):
        assert (ROOT / name).exists()
    readme = (ROOT / "README.md").read_text("utf-8").lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    usage = read_yaml(".snakemake-workflow-catalog.yml")["usage"]
    assert usage["software-stack-deployment"]["conda"] is True
    assert usage["report"] is True


def test_image_is_locked_and_runs_without_rights() -> None:
    """The nearest check to building it, which needs a Docker daemon."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] not in "# "]
    bases = {rest.split()[0] for word, rest in lines if word == "FROM"}
    assert bases == {f"python:{VERSIONS[-1]}-slim"}
    installs = re.findall(r"pip install ([^&\n]*)", text)
    for options in installs:
        assert "--require-hashes" in options or "--no-deps --no-build-isolation ." in options
    words = [word for word, _ in lines]
    assert ["USER", "psfalign"] in lines
    assert words.index("USER") > len(words) - 1 - words[::-1].index("RUN")
    sources = [rest.split()[:-1] for word, rest in lines if word == "COPY" and "--from" not in rest]
    for name in (name for names in sources for name in names):
        assert (ROOT / name).exists(), name


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0,
    reason="there is no Docker daemon",
)
def test_image_can_be_built_and_run() -> None:
    subprocess.run(["docker", "build", "--tag", "psfalign-test", str(ROOT)], check=True)
    command = ["docker", "run", "--rm", "psfalign-test", "psfalign", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"psfalign {__version__}\n"
