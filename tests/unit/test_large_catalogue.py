"""A catalogue of a thousand masks is read once, its headers alone, and not matched for each file."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from files import write_exposure, write_mask

from psfalign.campaign import facts as facts_module
from psfalign.campaign.checks import choose_masks
from psfalign.campaign.exposures import ScienceExposure, Stack
from psfalign.campaign.facts import FactsStore, entry_of
from psfalign.campaign.settings import PsfmaskOptions, Settings
from psfalign.files.fits import structure
from psfalign.files.fits.structure import BLOCK
from psfalign.psfmask import catalogue as catalogue_module
from psfalign.psfmask.catalogue import Catalogue, list_references, select

N_MASKS = 1000
N_FILTERS = 20
HEADERS = 3 * BLOCK  # the first block, to see what the file is, and the two headers


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of as many filters: F000M, F001M and so on."""
    folder = tmp_path_factory.mktemp("masks")
    content = write_mask(folder / "first").read_bytes()
    (folder / "first").unlink()
    for number in range(N_MASKS):
        name = f"F{number:03}M"
        (folder / f"{name}.fits").write_bytes(content.replace(b"F335M", name.encode()))
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count calls, and the bytes that are read of the structure of files."""
    counts = {"describe_mask": 0, "sha256": 0, "matches": 0, "open": 0, "bytes": 0}

    def count(module: Any, name: str) -> None:
        original = getattr(module, name)

        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)

    class Counted(io.FileIO):
        def __init__(self, *arguments: Any) -> None:
            counts["open"] += 1
            super().__init__(*arguments)

        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            counts["bytes"] += len(content)
            return content

    count(facts_module, "describe_mask")
    count(facts_module, "sha256")
    count(catalogue_module, "matches")
    monkeypatch.setattr(structure, "open", Counted, raising=False)
    return counts


def test_headers_are_read_once_in_all_runs(
    masks: Path, tmp_path: Path, calls: dict[str, int]
) -> None:
    science = write_exposure(tmp_path / "jw1_calints.fits", FILTER="F123M")
    exposure = ScienceExposure("jw1", science, "a3001", Stack("s", (science,), True), None, "")
    settings = Settings(psfmask=PsfmaskOptions(references=(masks,)))
    for run in range(3):
        facts = FactsStore(tmp_path / "facts.json")
        if run == 0:
            facts.exposure(science)
            calls.update(dict.fromkeys(calls, 0))
        chosen, errors = choose_masks(settings, [exposure], facts)
        facts.save()
        assert (chosen, errors) == ({"jw1": [masks / "F123M.fits"]}, [])
        assert calls["open"] == calls["describe_mask"] == N_MASKS
        assert calls["bytes"] == N_MASKS * HEADERS
        assert calls["sha256"] == 0


def test_equal_selectors_are_matched_once(masks: Path, calls: dict[str, int]) -> None:
    facts = FactsStore(masks / "facts.json")
    catalogue = Catalogue(
        entry_of(path, facts.mask(path)) for path in list_references([str(masks)])
    )
    start = datetime.fromisoformat("2024-01-01")
    for number in range(N_MASKS):
        name = f"F{number % N_FILTERS:03}M"
        wanted = dict(catalogue.entries[0].selectors) | {"FILTER": name}
        assert select(catalogue, wanted, start, Path("s")).entry.path == masks / f"{name}.fits"
    assert calls["matches"] == N_FILTERS * N_MASKS
