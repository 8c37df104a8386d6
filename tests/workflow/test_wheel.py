"""A wheel, built from an sdist, is the command line and the whole workflow."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from files import ROOT
from pythons import PYTHONS, VERSIONS

from psfalign import __version__
from psfalign.archive.checkout import list_code

BUILD = "from setuptools import build_meta; print(build_meta.build_{kind}({place!r}))"
# Neither the checkout's packages nor settings of this shell.
ISOLATED = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}


def build(kind: str, source: Path, place: Path) -> Path:
    """Build as an installer does, with the setuptools of the tests."""
    command = [sys.executable, "-c", BUILD.format(kind=kind, place=str(place))]
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return place / result.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist of the checkout as it is, and the wheel of that."""
    folder = tmp_path_factory.mktemp("wheel")
    made = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=made)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, folder / "source")
    sdist = build("sdist", folder / "source", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return build("wheel", next((folder / "unpacked").iterdir()), folder)


@pytest.fixture(scope="session")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what an installer would put beside other packages."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(*command: object, **environment: str) -> str:
    """Run a command in the working directory, expect success, and return what it prints."""
    result = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **ISOLATED, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def use_command_line(*psfalign: object, **environment: str) -> None:
    """Use what needs files of the package, in the folder of a small campaign."""
    config = "results/configuration.json"

    def use(*arguments: str) -> str:
        return run(*psfalign, *arguments, **environment)

    assert use("--version") == f"psfalign {__version__}\n"
    assert use("check", config) == "sci_a3001: psfs star\n"
    paths = ("--science", "data/sci_calints.fits", "--psfs", "data/star_psfstack.fits")
    use("align", *paths, "--psfmask", "data/mask.fits", "--output", "new_psfalign.fits")
    assert "ok; 6 pairs" in use("verify", "new_psfalign.fits", "--inputs", "data")
    assert use("crate", config) == "results/ro-crate-metadata.json: written\n"
    with tarfile.open("results/workflow.tar") as archive:
        assert set(archive.getnames()) == packed()
    assert use("deploy", "some where") == "some where: written\n"


def packed() -> set[str]:
    return {f"psfalign/{path.relative_to(ROOT).as_posix()}" for path in list_code()}


def test_wheel_holds_library_and_workflow(unpacked: Path) -> None:
    library = ROOT / "workflow/lib"
    expected = {
        path.relative_to(library).as_posix()
        for path in library.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "egg-info" not in str(path)
    }
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    assert expected <= found
    assert "psfalign/py.typed" in found
    metadata = (unpacked / f"psfalign-{__version__}.dist-info" / "METADATA").read_text("utf-8")
    for line in ("License-Expression: BSD-3-Clause", "Requires-Python: >=3.11", "Author: The"):
        assert f"\n{line}" in metadata


def test_the_command_line_of_a_wheel_needs_no_checkout(
    unpacked: Path, copied_results: Path
) -> None:
    use_command_line(sys.executable, "-m", "psfalign", PYTHONPATH=str(unpacked))
    deployed = {
        path.relative_to("some where").as_posix()
        for path in Path("some where").rglob("*")
        if path.is_file()
    }
    assert {f"psfalign/{name}" for name in deployed} >= packed()
    assert {"config/config.yaml", "profiles/default/profile.yaml"} < deployed


def test_a_library_without_its_workflow_is_no_crate(
    unpacked: Path, tmp_path: Path, copied_results: Path
) -> None:
    shutil.copytree(unpacked / "psfalign", tmp_path / "lib" / "site" / "alone" / "psfalign")
    result = subprocess.run(
        [sys.executable, "-m", "psfalign", "crate", "results/configuration.json"],
        env={**os.environ, **ISOLATED, "PYTHONPATH": str(tmp_path / "lib" / "site" / "alone")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"psfalign: error: {tmp_path / 'lib'}: the workflow is not beside the library; install "
        "psfalign's own wheel\n"
    )


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """Make an environment of the newest Python with nothing in it; return its folder of commands."""
    python = PYTHONS[VERSIONS[-1]]
    if python is None:
        pytest.skip(f"there is no Python {VERSIONS[-1]}")
    run(python, "-m", "venv", tmp_path / "empty")
    yield tmp_path / "empty" / "bin"
    shutil.rmtree(tmp_path / "empty")


@pytest.mark.slow
def test_wheel_works_in_an_empty_environment(
    wheel: Path, empty: Path, copied_results: Path
) -> None:
    versions = copied_results / "versions.txt"
    versions.write_text("\n".join(pinned()))
    try:
        run(empty / "pip", "install", "--quiet", "--no-compile", "--constraint", versions, wheel)
    except AssertionError as error:
        if any(words in str(error) for words in ("NewConnectionError", "No matching distribution")):
            pytest.skip("the package index cannot be had")
        raise
    use_command_line(empty / "psfalign")
    os.chdir("some where")
    assert "plot_exposure" in run(empty / "snakemake", "-n")


def pinned() -> Iterator[str]:
    """The versions of the lock, without their hashes."""
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            yield line.removesuffix(" \\")
