"""Settings of hypothesis, and fixtures that all tests share."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

# Derandomized, so that a commit that passes once passes always; no deadline, as machines differ.
settings.register_profile("ci", derandomize=True, max_examples=25, deadline=None)
settings.load_profile("ci")

COVERED = pytest.StashKey[set[int]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make `-k item_17` select the tests of item 17 of docs/reliability.md."""
    config.stash[COVERED] = set()
    for item in items:
        numbers = {int(number) for number in re.findall(r"test_item_(\d\d)_", item.name)}
        for marker in item.iter_markers("bad_input"):
            numbers.update(marker.args)
        item.extra_keyword_matches.update(f"item_{number:02}" for number in numbers)
        config.stash[COVERED] |= numbers


@pytest.fixture(scope="session")
def covered_items(pytestconfig: pytest.Config) -> set[int]:
    """Numbers of the items of collected tests, including deselected tests."""
    if pytestconfig.args != pytestconfig.getini("testpaths"):
        pytest.skip("only some of the tests were collected")
    return pytestconfig.stash[COVERED]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no test data in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def made_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from small_campaign import make_results  # few tests need what it imports

    folder = tmp_path_factory.mktemp("made")
    make_results(folder)
    return folder


@pytest.fixture
def copied_results(made_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the results of a small campaign, which a test may damage, as working directory."""
    folder = tmp_path / "campaign"
    shutil.copytree(made_results, folder)
    monkeypatch.chdir(folder)
    return folder
