"""The results of a finished campaign, and the pages of its report."""

import json
from pathlib import Path
from typing import Any

import pytest
from files import ROOT, completed, touch_results, write_campaign

from psfalign.campaign import layout, targets, truth
from psfalign.campaign.judgement import Judgement
from psfalign.campaign.plan import Plan
from psfalign.campaign.targets import (
    exposures_to_report,
    find_unfinished,
    list_asked,
    list_pages,
    list_results,
)
from psfalign.steps.registry import Scope

NAME = "jw1_a3001"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A campaign whose exposure does not say where north is: nothing is combined."""
    monkeypatch.chdir(tmp_path)
    return write_campaign(tmp_path)


def plan(config: dict[str, Any], **options: Any) -> Plan:
    return Plan(completed(config), scripts=ROOT / "workflow/scripts", looks="", **options)


def names(config: dict[str, Any]) -> set[str]:
    return {path.name.removeprefix(f"{NAME}_") for path in list_results(plan(config))}


def test_all_results_are_asked_for(config: dict[str, Any]) -> None:
    own = {"psfmask.json", "clean.fits", "shifts.ecsv", "psfalign.fits"}
    pages = {"summary.json", "images.png", "shifts.png", "checks.png", "table.html"}
    assert names(config) == own | pages | {"psfsub.fits", "star_clean.fits"}
    assert names({**config, "psf_subtraction": {"method": "none"}}) == own | pages | {
        "star_clean.fits"
    }
    assert "clean.fits" not in names({**config, "keep_intermediates": False})


@pytest.mark.parametrize("figures", ["reported", "none"])
def test_figures_of_their_own_are_asked_for_of_all_exposures_or_none(
    figures: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**config, "figures": figures}
    pages = {name for name in names(config) if name.endswith(("png", "html", "summary.json"))}
    assert pages == {"summary.json", "table.html"}
    shown = [page.path.name for page in list_pages(plan(config, in_storage=True))]
    assert shown == [f"{NAME}_table.html"]
    monkeypatch.setattr(Plan, "combined", ["star_a3001"])
    pictures = [path.name for path in list_results(plan(config)) if path.suffix == ".png"]
    of_all_rolls = ["star_a3001_northup.png", "star_a3001_contrast.png"]
    assert pictures == (of_all_rolls if figures == "reported" else [])


def test_pictures_are_asked_for_where_they_can_be_made(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(config)
    monkeypatch.setattr(Plan, "combined", ["star_a3001"])
    combined = [path for path in list_results(made) if "combined" in path.parts]
    assert [path.name.removeprefix("star_a3001_") for path in combined] == [
        "northup.fits",
        "contrast.ecsv",
        "northup.png",
        "contrast.png",
    ]


def test_engine_is_asked_for_last_files_and_for_what_is_missing(config: dict[str, Any]) -> None:
    made = plan(config)
    assert list_asked(made) == list_results(made)
    touch_results(made)
    last = Path(f"report/{NAME}/{NAME}_table.html")
    assert list_asked(made) == [last]
    (made.settings.output_dir / f"{NAME}/{NAME}_shifts.ecsv").unlink()
    assert list_asked(made) == [Path(f"{NAME}/{NAME}_shifts.ecsv"), last]
    in_storage = plan(config, in_storage=True)  # where nobody sees what is there
    assert list_asked(in_storage) == list_results(in_storage)


@pytest.fixture
def shared(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Two exposures with the same psf images, and one with others; all results are there."""
    (entry,) = config["exposures"]
    monkeypatch.setattr(truth, "judge", lambda *_: "")
    other = tmp_path / "other_psfstack.fits"
    other.write_bytes(Path(entry["psfs"]).read_bytes())
    entries = [
        entry,
        {**entry, "asn_id": "a3002"},
        {**entry, "asn_id": "a3003", "psfs": str(other)},
    ]
    found = {**config, "exposures": entries}
    touch_results(plan(found))
    return found


def unfinished(made: Plan) -> set[str]:
    return {name for _, name in find_unfinished(made, Judgement(made))}


def test_what_shares_a_file_with_what_is_left_is_left_too(shared: dict[str, Any]) -> None:
    made = plan(shared)
    folder = made.settings.output_dir
    assert unfinished(made) == set()
    layout.result(folder, "fit_shifts", "jw1_a3002").unlink()
    assert unfinished(made) == {NAME, "jw1_a3002", "star"}
    layout.result(folder, "clean_psfs", "other").unlink()
    assert unfinished(made) == {NAME, "jw1_a3002", "star", "jw1_a3003", "other"}
    asked = list_asked(made, {(Scope.EXPOSURE, "jw1_a3002")})
    assert [path.name for path in asked] == ["jw1_a3002_shifts.ecsv", "jw1_a3002_table.html"]


@pytest.mark.parametrize("options", [{"is_whole": False}, {"in_storage": True}])
def test_all_is_left_where_nobody_knows(shared: dict[str, Any], options: dict[str, bool]) -> None:
    assert unfinished(plan(shared, **options)) == {
        *(NAME, "jw1_a3002", "jw1_a3003"),
        *("star", "other"),
    }


def test_all_of_a_demo_is_left_as_times_of_its_inputs_count(
    shared: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(shared)
    judgement = Judgement(made)
    monkeypatch.setattr(made.facts, "is_made_first", lambda path: path.name.startswith("other"))
    assert len(find_unfinished(made, judgement)) == len(shared["exposures"]) + 2


def test_report_of_results_in_storage_shows_all_figures(config: dict[str, Any]) -> None:
    found = [page.path.name for page in list_pages(plan(config, in_storage=True))]
    figures = ("images.png", "shifts.png", "checks.png", "table.html")
    assert set(found) == {f"{NAME}_{name}" for name in figures}


def test_report_shows_the_pages_that_are_there(config: dict[str, Any]) -> None:
    made = plan(config)
    assert list_pages(made) == []
    for name in ("campaign.html", f"{NAME}/{NAME}_images.png", f"{NAME}/{NAME}_summary.json"):
        path = made.settings.output_dir / "report" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    campaign, images = list_pages(made)
    assert (str(campaign.path), campaign.category) == ("report/campaign.html", "Campaign")
    assert (images.caption, images.subcategory) == ("images", NAME)
    assert images.labels == {"figure": "1 images"}


def test_of_many_exposures_the_report_shows_what_deserves_a_look(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = config["exposures"][0]
    config["exposures"] = [{**entry, "asn_id": f"a300{i}"} for i in range(1, 5)]
    made = plan(config)
    every = [f"jw1_a300{i}" for i in range(1, 5)]
    assert exposures_to_report(made) == every
    monkeypatch.setattr(targets, "MOST_REPORTED", 2)
    assert exposures_to_report(made) == every[:2]  # nothing is known of them yet
    states = made.settings.output_dir / "report/campaign.json"
    states.parent.mkdir(parents=True)
    content = {"exposures": [{"name": "gone"}, *({"name": n} for n in reversed(every))]}
    states.write_text(json.dumps(content))
    assert exposures_to_report(made) == every[:1:-1]
    states.write_text("[1]")
    assert exposures_to_report(made) == every[:2]
