"""The lock, environment.yml and pyproject.toml ask for the same things."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"snakemake-minimal": "snakemake"}


def read_lock(name: str = "requirements.lock") -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def read_conda() -> dict[str, str]:
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    pins = dict(entry.split("=") for entry in content["dependencies"])
    return {CONDA_NAMES.get(name, name): version for name, version in pins.items()}


def read_project() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(entry.split(">=") for entry in project["dependencies"])


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def test_conda_users_get_the_versions_of_the_lock() -> None:
    lock = read_lock()
    conda = {name: version for name, version in read_conda().items() if name != "python"}
    assert conda == {name: lock[name] for name in conda}


def test_conda_users_get_all_that_the_project_needs() -> None:
    assert set(read_project()) == set(read_conda()) - {"python"}


def test_the_workflow_refuses_an_engine_that_is_older_than_the_project_asks_for() -> None:
    found = re.search(
        r'^min_version\("(.*)"\)', (ROOT / "workflow/Snakefile").read_text(), re.MULTILINE
    )
    assert found is not None
    assert found[1] == read_project()["snakemake"]


def test_the_lock_satisfies_the_project() -> None:
    lock = read_lock()
    too_old = {
        name: (lock[name], least)
        for name, least in read_project().items()
        if as_numbers(lock[name]) < as_numbers(least)
    }
    assert too_old == {}


LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_hashes(name: str) -> None:
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    pinned = re.compile(r"[A-Za-z0-9._\[\]-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert len(entries) > 5
    assert [entry for entry in entries if not pinned.fullmatch(entry)] == []


@pytest.mark.parametrize("name", [name for name in LOCKS if name != "requirements.lock"])
def test_another_lock_can_be_installed_beside_the_lock(name: str) -> None:
    lock, other = read_lock(), read_lock(name)
    shared = sorted(set(lock) & set(other))
    assert {package: other[package] for package in shared} == {
        package: lock[package] for package in shared
    }


def test_the_locks_hold_what_the_groups_ask_for() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    for group, entries in groups.items():
        own = f"requirements-{group}.lock"
        lock = read_lock(own if own in LOCKS else "requirements.lock")
        wanted = {re.split(r"[<>=\[;]", entry)[0].strip() for entry in entries}
        assert wanted <= set(lock), group


@pytest.mark.parametrize(
    ("extra", "plugin"),
    [("slurm", "snakemake-executor-plugin-slurm"), ("s3", "snakemake-storage-plugin-s3")],
)
def test_the_lock_of_an_extra_adds_its_plugin(extra: str, plugin: str) -> None:
    lock, own = read_lock(), read_lock(f"requirements-{extra}.lock")
    assert plugin in own.keys() - lock.keys()
    assert set(read_project()) <= set(own)


def test_locks_are_for_all_pythons_and_systems() -> None:
    """A backport stands there with the Pythons that want it, a program of Windows with Windows."""
    text = (ROOT / "requirements.lock").read_text()
    assert re.search(
        r"^importlib-metadata==\S+ ; python_full_version < '3\.12' ", text, re.MULTILINE
    )
    assert re.search(r"^colorama==\S+ ; sys_platform == 'win32' ", text, re.MULTILINE)
