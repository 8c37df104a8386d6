"""The lock, environment.yml and pyproject.toml ask for the same things."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"snakemake-minimal": "snakemake"}


def read_lock() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text()
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


def test_the_lock_satisfies_the_project() -> None:
    lock = read_lock()
    too_old = {
        name: (lock[name], least)
        for name, least in read_project().items()
        if as_numbers(lock[name]) < as_numbers(least)
    }
    assert too_old == {}


def test_every_package_of_the_lock_has_hashes() -> None:
    entries = re.split(
        r"^(?=[A-Za-z])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE
    )
    assert [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []
