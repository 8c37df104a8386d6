"""Without intermediate files: the remaining files, and the jobs after a change."""

from collections.abc import Callable

import pytest

from .campaign import MIRI, NIRCAM, OWN_CONFIG, SECOND, Campaign, make_campaign
from .test_incremental import AFTER_FIT, add_exposure, chain

pytestmark = pytest.mark.slow
WITHOUT = OWN_CONFIG | {"keep_intermediates": False}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = make_campaign(tmp_path_factory.mktemp("intermediates"))
    campaign.write_config(WITHOUT)
    campaign.run()
    return campaign


def test_products_tables_masks_and_cleaned_stacks_stay(finished: Campaign) -> None:
    results = finished.folder / "results"
    for exposure in (NIRCAM, MIRI):
        names = {path.name.removeprefix(exposure) for path in (results / exposure).iterdir()}
        assert names == {"_psfalign.fits", "_psfsub.fits", "_shifts.ecsv", "_psfmask.json"}
        assert list(results.glob(f"report/**/{exposure}*_images.png"))
    assert len(list((results / "psfstacks").glob("*_clean.fits"))) == 2
    assert finished.planned() == set()


def more(campaign: Campaign) -> None:
    add_exposure(campaign)
    text = campaign.config.read_text()
    campaign.config.write_text(f"keep_intermediates: false\n{text}")


def refit(campaign: Campaign) -> None:
    campaign.write_config(WITHOUT | {"align_refs": {"max_shift": 6}})


def realign(campaign: Campaign) -> None:
    campaign.write_config(WITHOUT | {"align_refs": {"max_shift": 5, "errors": "fourier"}})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (more, chain("resolve_psfmask", "clean", *AFTER_FIT, of=(SECOND,))),
        (refit, chain("clean", *AFTER_FIT)),
        (realign, chain("clean", *AFTER_FIT)),  # what is subtracted from has to be made again
    ],
    ids=["one exposure more", "max_shift", "errors"],
)
def test_what_a_change_costs_then(
    finished: Campaign, change: Callable[[Campaign], None], expected: set[tuple[str, str]]
) -> None:
    change(finished)
    assert finished.planned() == expected
    finished.write_config(WITHOUT)
