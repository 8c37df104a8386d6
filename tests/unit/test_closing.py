"""The end of a run is said and written down, whatever has failed."""

from pathlib import Path

import pytest
from files import completed, write_campaign

from psfalign.archive import closing
from psfalign.archive.closing import close_campaign
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.errors import InputError


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
