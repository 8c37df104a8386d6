"""Facts about files are read once, and again when a file changes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from files import SHAPE, refused, write_exposure, write_mask

from psfalign.campaign import facts as facts_module
from psfalign.campaign.facts import FactsStore, entry_of
from psfalign.errors import InputError


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were really read."""
    found: list[str] = []
    for name in ("describe_exposure", "describe_mask", "describe_named_mask", "sha256"):
        original = getattr(facts_module, name)

        def counted(path: Path, original: Any = original) -> Any:
            found.append(path.name)
            return original(path)

        monkeypatch.setattr(facts_module, name, counted)
    return found


def test_facts_of_an_exposure_survive_the_cache(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits", FILTER=" f335m ")
    store = FactsStore(tmp_path / "facts.json")
    first = store.exposure(path)
    store.save()
    again = FactsStore(tmp_path / "facts.json").exposure(path)
    for known in (first, again):
        assert tuple(known["shape"]) == SHAPE
        assert known["marks"]["FILTER"] == "F335M"
        assert known["start"] == "2023-06-01T12:00:00"


def test_facts_of_a_mask_are_an_entry_of_the_catalogue(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", CORONMSK="MASK335R")
    entry = entry_of(path, FactsStore(tmp_path / "facts.json").mask(path))
    assert entry.useafter.isoformat() == "2022-07-01T00:00:00"
    assert entry.selectors["CORONMSK"] == "MASKA335R"
    assert entry.shape == SHAPE


@pytest.mark.parametrize("missing", ["DATE_OBS", "TIME_OBS"])
def test_start_is_empty_where_the_header_lacks_it(missing: str, tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits", **{missing: None})
    assert FactsStore(tmp_path / "facts.json").exposure(path)["start"] == ""


def test_a_file_is_read_once_in_all_runs(tmp_path: Path, reads: list[str]) -> None:
    path = write_exposure(tmp_path / "a.fits")
    for _ in range(3):
        store = FactsStore(tmp_path / "facts.json")
        store.exposure(path)
        store.exposure(path)
        store.save()
    assert reads == ["a.fits"]


@pytest.mark.bad_input(50)
@pytest.mark.parametrize("change", ["content", "older time", "replaced by an older one"])
def test_changed_file_is_read_again(change: str, tmp_path: Path, reads: list[str]) -> None:
    path = write_exposure(tmp_path / "a.fits")
    store = FactsStore(tmp_path / "facts.json")
    before = store.digest(path)
    store.save()
    status = path.stat()
    if change == "content":
        content = path.read_bytes()
        path.write_bytes(content.replace(b"F335M", b"F444W"))
    elif change == "older time":
        os.utime(path, (1, 1))
    else:
        other = write_exposure(tmp_path / "b.fits", FILTER="F444W")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(path)
    after = FactsStore(tmp_path / "facts.json").digest(path)
    assert reads == ["a.fits", "a.fits"]
    assert (after == before) == (change == "older time")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 2}', '{"version": 0, "files": {}}', '{"files": 3}'],
)
def test_damaged_cache_is_read_as_none(content: str, tmp_path: Path) -> None:
    cache = tmp_path / "facts.json"
    cache.write_text(content)
    path = write_exposure(tmp_path / "a.fits")
    assert tuple(FactsStore(cache).exposure(path)["shape"]) == SHAPE


def test_cache_of_another_version_is_not_believed(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a.fits")
    cache = tmp_path / "facts.json"
    store = FactsStore(cache)
    store.exposure(path)
    store.save()
    content = json.loads(cache.read_text())
    content["version"] = "other"
    content["files"][str(path)]["exposure"]["shape"] = [1, 1]
    cache.write_text(json.dumps(content))
    assert tuple(FactsStore(cache).exposure(path)["shape"]) == SHAPE


def test_digests_last_when_the_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_exposure(tmp_path / "a.fits")
    cache = tmp_path / "facts.json"
    store = FactsStore(cache)
    store.exposure(path)
    digest = store.digest(path)
    store.save()
    cache.write_text(json.dumps(json.loads(cache.read_text()) | {"version": "other"}))
    monkeypatch.setattr(facts_module, "sha256", lambda path: pytest.fail("it is known"))
    assert FactsStore(cache).digest(path) == digest


def test_facts_lie_with_the_results_where_there_are_any(tmp_path: Path) -> None:
    path, results = write_exposure(tmp_path / "a.fits"), tmp_path / "results"
    cache, kept = tmp_path / "facts.json", results / ".facts.json"

    def remembered() -> set[Path]:
        store = FactsStore(cache, results=results)
        store.digest(path)
        store.save()
        return {file for file in (cache, kept) if file.exists()}

    assert remembered() == {cache}  # looking at a campaign makes no folder
    results.mkdir()
    assert remembered() == {cache, kept}
    cache.unlink()
    before = kept.stat().st_mtime_ns
    assert remembered() == {kept}
    assert kept.stat().st_mtime_ns == before  # nothing new, nothing written


@pytest.mark.parametrize("edit", ["same size and time", "other folder"])
def test_facts_of_the_results_are_believed_of_the_same_file_only(tmp_path: Path, edit: str) -> None:
    """An edit may keep size and time of a file; the time of its last change cannot be set."""
    path, results = tmp_path / "data" / "a.fits", tmp_path / "results"
    path.parent.mkdir()
    results.mkdir()
    path.write_bytes(b"before")
    store = FactsStore(tmp_path / "facts.json", results=results)
    before = store.digest(path)
    store.save()
    status = path.stat()
    if edit == "other folder":
        path.rename(tmp_path / "a.fits")
    path.write_bytes(b"after.")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert FactsStore(tmp_path / "facts.json", results=results).digest(path) != before


def test_mistakes_are_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_text("no")
    store = FactsStore(tmp_path / "facts.json")
    for _ in range(2):
        with refused(f"{path}: is not a FITS file; name a FITS file", InputError):
            store.exposure(path)
    store.save()
    with refused(f"{path}: is not a FITS file; name a FITS file", InputError):
        FactsStore(tmp_path / "facts.json").exposure(path)


def test_nothing_new_nothing_written(tmp_path: Path) -> None:
    cache = tmp_path / "facts.json"
    FactsStore(cache).save()
    assert not cache.exists()


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FactsStore(tmp_path / "file" / "facts.json")
    store.exposure(write_exposure(tmp_path / "a.fits"))
    store.save()


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"USEAFTER": "soon"}, "USEAFTER=soon: is not a date; write YYYY-MM-DDTHH:MM:SS"),
        ({"REFTYPE": "FLAT"}, "REFTYPE=FLAT: is not a PSFMASK file; name one"),
    ],
)
def test_item_15_named_mask_is_checked_before_anything_runs(
    cards: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = write_mask(tmp_path / "m.fits", **cards)
    with refused(f"{path} {message}", InputError):
        FactsStore(tmp_path / "facts.json").named_mask(path)


def test_named_mask_may_lack_keywords(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.fits", USEAFTER=None, REFTYPE=None, FILTER=None)
    known = FactsStore(tmp_path / "facts.json").named_mask(path)
    assert "FILTER" not in known["selectors"]
