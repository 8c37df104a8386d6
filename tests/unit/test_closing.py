"""The end of a run writes the page and prints the summary, also after failures."""

from pathlib import Path
from typing import Any

import pytest
from files import completed, write_campaign

from psfalign.archive import closing
from psfalign.archive.closing import close_campaign
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.campaign.layout import result
from psfalign.errors import InputError
from psfalign.steps.registry import Scope


@pytest.mark.parametrize("error", [InputError("is damaged", file="a.fits"), OSError("no room")])
def test_run_does_not_fail_for_its_crate_or_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    settings = completed(write_campaign(tmp_path))
    facts, warnings = FactsStore(tmp_path / "facts.json"), []
    monkeypatch.setattr(closing, "write_crate", fail)
    (tmp_path / "results").write_text("a file where a folder should be")
    lines = close_campaign(
        settings, plan_exposures(settings), facts, threads=1, warn=warnings.append
    )
    assert lines[1].startswith("1 exposure: 1 failed. ")
    assert warnings[0] == f"the RO-Crate was not written: {error}"
    assert warnings[1].startswith("the campaign page was not written: ")
    assert len(warnings) == 2


def test_crate_is_left_out_where_nothing_is_known_of_files(tmp_path: Path) -> None:
    settings = completed(write_campaign(tmp_path))
    warnings: list[str] = []
    close_campaign(settings, plan_exposures(settings), None, threads=1, warn=warnings.append)
    assert warnings == []
    assert (tmp_path / "results/report/campaign.html").is_file()
    assert not (tmp_path / "results/ro-crate-metadata.json").exists()


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, []),
        ({"figures": "none"}, ["report/combined/{0}_northup.png"]),
        (
            {"psf_subtraction": {"method": "none"}},
            [
                "combined/{0}_northup.fits",
                "jw1_a3001/jw1_a3001_psfsub.fits",
                "report/combined/{0}_northup.png",
            ],
        ),
    ],
)
def test_results_of_steps_that_are_left_out_are_neither_shown_nor_passed_over(
    options: dict[str, Any], left: list[str], tmp_path: Path
) -> None:
    settings = completed(write_campaign(tmp_path) | options)
    (exposure,) = exposures = plan_exposures(settings)
    name, output = exposure.name_in(Scope.ASSOCIATION), tmp_path / "results"
    for step, where in (
        ("subtract_psf", exposure.name),
        ("combine_rolls", name),
        ("plot_association", name),
    ):
        path = result(output, step, where)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of an earlier run")
    warnings: list[str] = []
    close_campaign(settings, exposures, None, threads=1, warn=warnings.append)
    names = ", ".join(str(output / path.format(name)) for path in left)
    line = f"{names}: of an earlier configuration; remove what is outdated"
    assert warnings == ([line] if left else [])
    page = (output / "report/campaign.html").read_text()
    assert ("data:image/png" in page) == (not left)
