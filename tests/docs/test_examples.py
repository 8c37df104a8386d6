"""The examples in the pages work, and print what the pages show."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from examples import Block, find_blocks, run_python, run_session
from files import (
    PSF_STEPS,
    ROOT,
    SCIENCE_STEPS,
    scene,
    write_association,
    write_exposure,
    write_mask,
)

from psfalign.campaign.configuration import complete_config

# Pages whose examples run in one folder, one page after the other, as a reader would go on.
WITH_THE_DEMO = ("docs/tutorial.md", "docs/archive.md", "docs/python.md")
CONFIGURATIONS = ("config/README.md", "docs/own_data.md", "README.md")
LANGUAGES = {"console", "pycon", "yaml", "text", ""}
PLACEHOLDER = {"science": "s_calints.fits", "psfs": "p_psfstack.fits", "asn_id": "a3001"}
COPIED = ("Snakefile", "Makefile", "workflow", "profiles", "config", "environment.yml")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the checkout, with the environment of the tests, so that `make env` is done."""
    for name in (*COPIED, "pyproject.toml", "requirements.lock"):
        source, target = ROOT / name, tmp_path / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (tmp_path / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (tmp_path / ".venv" / "done").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pages_with_the_demo(checkout: Path) -> None:
    for page in WITH_THE_DEMO:
        run_page(page, checkout)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/own_data.md"])
def test_page_with_own_data(page: str, checkout: Path) -> None:
    write_own_data(checkout)
    run_page(page, checkout)


@pytest.mark.parametrize("page", CONFIGURATIONS)
def test_configurations_are_valid(page: str) -> None:
    blocks = [block for block in blocks_of(page) if block.language == "yaml"]
    assert blocks
    for block in blocks:
        config = yaml.safe_load(block.text)
        if not {"exposures", "associations"} & set(config):
            config["exposures"] = [PLACEHOLDER]  # a fragment of a configuration
        complete_config(config, block)


def test_the_two_commands_are_what_ci_runs() -> None:
    commands = re.findall(r"^    (make \w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert commands == ["make run", "make test"]
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert set(commands) <= set(lines)


def test_no_example_escapes() -> None:
    """A block of another language, such as `sh` or `python`, would never run."""
    for page in {*WITH_THE_DEMO, *CONFIGURATIONS}:
        assert {block.language for block in blocks_of(page)} <= LANGUAGES, page


def test_a_wrong_example_is_found(tmp_path: Path) -> None:
    page = "```console\n$ echo one\n{}\n$ {}\n```\n\n```pycon\n>>> 1 + {}\n2\n```\n"
    right, wrong = page.format("one", "true", 1), page.format("two", "true", 2)
    for text in (right, page.format("...", "true", 1)):
        run_all(find_blocks(text, "page"), tmp_path)
    for number in (0, 1):
        with pytest.raises(AssertionError, match=r"(?s)page:[28].*[eE]xpected"):
            run_all([find_blocks(wrong, "page")[number]], tmp_path)
    with pytest.raises(AssertionError, match="page:2: false"):
        run_all(find_blocks(page.format("one", "false", 1), "page"), tmp_path)


def blocks_of(page: str) -> list[Block]:
    return find_blocks((ROOT / page).read_text(encoding="utf-8"), page)


def run_page(page: str, folder: Path) -> None:
    blocks = blocks_of(page)
    assert any(block.language in ("console", "pycon") for block in blocks), page
    run_all(blocks, folder)


def run_all(blocks: list[Block], folder: Path) -> None:
    # Under `make test`, what make tells make inside it would be part of what is said.
    outside = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    environment = {**outside, "PYTHONPATH": str(folder / "workflow" / "lib"), "COLUMNS": "100"}
    names: dict[str, object] = {}
    for block in blocks:
        if block.language == "console":
            run_session(block, folder, environment)
        elif block.language == "pycon":
            run_python(block, names)


def write_own_data(folder: Path) -> None:
    """Write small versions of the files in the pages."""
    members = [
        ("jw01184001001_03106_00001_nrcalong_calints.fits", "science", SCIENCE_STEPS),
        ("jw01184003001_03106_00001_nrcalong_calints.fits", "psf", PSF_STEPS[:2]),
        ("jw01184004001_03106_00001_nrcalong_calints.fits", "psf", PSF_STEPS[1:]),
    ]
    for seed, (name, kind, steps) in enumerate(members, start=1):
        images = scene(steps, seed=seed)
        write_exposure(folder / "data" / name, images, IS_PSF=kind == "psf")
    write_mask(folder / "masks" / "psfmask.fits")
    name = "jw01184-a3001_20240101t000000_coron3_00001_asn.json"
    write_association(folder / "data" / name, [(name, kind) for name, kind, _ in members])
