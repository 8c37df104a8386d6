"""A campaign with masks of a CRDS cache: its records, and what runs again."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from astropy.io import fits
from crds_cache import CONTEXT, RMAP, ROW, write_cache, write_context, write_rules
from files import digest, digests, error_lines

from .campaign import NIRCAM, NIRCAM_ROLLS, OWN_CONFIG, Campaign, make_small_campaign

for package in ("crds", "stdatamodels"):
    pytest.importorskip(package, reason="CRDS look-ups need the extra: pip install psfalign[crds]")

OLD, NEW = "jwst_nircam_psfmask_0001.fits", "jwst_nircam_psfmask_0002.fits"
REFERENCES = Path("cache/references/jwst/nircam")
RULES = ("resolve_psfmask", "fit_shifts", "align_psfs", "subtract_psf", "plot_exposure")
PICTURE = {(rule, NIRCAM_ROLLS) for rule in ("combine_rolls", "plot_association")}
CHAIN = {(rule, NIRCAM) for rule in RULES} | PICTURE


def config(context: str = CONTEXT) -> dict:
    """CRDS for NIRCam; the mask of MIRI is named."""
    result = yaml.safe_load(yaml.safe_dump(OWN_CONFIG))
    result["psfmask"] = {"crds": {"context": context, "path": "cache"}}
    result["exposures"][1]["psfmask"] = "masks/psfmask_miri_f1065c_4qpm_1065.fits"
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = make_small_campaign(tmp_path_factory.mktemp("crds"))
    cache = write_cache(
        campaign.folder / "cache", {ROW: {"2020-01-01 00:00:00": OLD}}, references=False
    )
    write_context(cache, "jwst_0002.pmap")
    (campaign.folder / REFERENCES).mkdir(parents=True)
    for name in (OLD, NEW):
        shutil.copy(
            campaign.folder / "masks/psfmask_nircam_f335m_maska335r.fits",
            campaign.folder / REFERENCES / name,
        )
    campaign.write_config(config())
    campaign.run()
    return campaign


@pytest.fixture
def campaign(finished: Campaign) -> Iterator[Campaign]:
    """Return the finished campaign, and take back what a test changed in the cache."""
    kept = finished.folder.parent / "kept_cache"
    shutil.copytree(finished.folder / "cache", kept)
    yield finished
    shutil.rmtree(finished.folder / "cache")
    kept.rename(finished.folder / "cache")
    finished.write_config(config())


def product(campaign: Campaign) -> fits.Header:
    return fits.getheader(campaign.folder / f"results/{NIRCAM}/{NIRCAM}_psfalign.fits")


def resolved(campaign: Campaign) -> dict:
    return json.loads((campaign.folder / f"results/{NIRCAM}/{NIRCAM}_psfmask.json").read_text())


def test_choice_is_written_down(campaign: Campaign) -> None:
    path = REFERENCES / OLD
    assert resolved(campaign)["psfmask"] == str(path)
    assert resolved(campaign)["sha256"] == digest(campaign.folder / path)
    assert resolved(campaign)["reason"] == f"CRDS {CONTEXT}, {RMAP}"
    assert resolved(campaign)["source"] == "crds"
    assert product(campaign)["R_PSFMAS"] == f"crds://{OLD}"


def nothing(campaign: Campaign) -> None:
    pass


def another_context(campaign: Campaign) -> None:
    campaign.write_config(config("jwst_0002.pmap"))


def another_choice(campaign: Campaign) -> None:
    later = {"2020-01-01 00:00:00": OLD, "2023-01-01 00:00:00": NEW}
    write_rules(campaign.folder / "cache", {ROW: later})


def rule_of_others(campaign: Campaign) -> None:
    useafter = {"2020-01-01 00:00:00": OLD}
    write_rules(campaign.folder / "cache", {ROW: useafter, ("F444W", *ROW[1:]): useafter})


def another_content(campaign: Campaign) -> None:
    with fits.open(campaign.folder / REFERENCES / OLD, mode="update") as file:
        file["SCI"].data = (file["SCI"].data * 0.99).astype("f4")
        for hdu in file:
            hdu.add_checksum(when="")


def not_applicable(campaign: Campaign) -> None:
    write_rules(campaign.folder / "cache", {ROW: "N/A"})


CASES: dict[str, tuple[Callable[[Campaign], None], set[tuple[str, str]]]] = {
    "nothing": (nothing, set()),
    "another context, the same choice": (another_context, set()),
    "rules of others": (rule_of_others, set()),
    "another choice": (another_choice, CHAIN),
    "the content of the mask": (another_content, CHAIN),
    "the result N/A": (not_applicable, CHAIN),
}


@pytest.mark.parametrize("name", CASES)
def test_what_runs_again_when_this_changes(campaign: Campaign, name: str) -> None:
    change, expected = CASES[name]
    change(campaign)
    assert campaign.planned() == expected


def test_edited_rules_are_refused_and_products_stay(campaign: Campaign) -> None:
    before = digests(campaign.folder / "results")
    path = campaign.folder / "cache/mappings/jwst" / RMAP
    path.write_text(path.read_text().replace(OLD, NEW))
    result = campaign.snakemake()
    assert result.returncode == 1
    assert error_lines(result) == [
        f"psfalign: error: cache/mappings/jwst/{RMAP}: its sha1sum is not that of its content; it "
        f"was edited or damaged; fetch it: crds sync --contexts {CONTEXT}"
    ]
    assert digests(campaign.folder / "results") == before


@pytest.mark.slow
def test_exposure_is_skipped_where_crds_says_so_and_aligned_again(campaign: Campaign) -> None:
    not_applicable(campaign)
    campaign.run()
    assert product(campaign)["S_PSFALI"] == "SKIPPED"
    assert product(campaign)["R_PSFMAS"] == "N/A"
    assert resolved(campaign)["reason"] == f"CRDS {CONTEXT}, {RMAP}: not applicable"
    assert resolved(campaign)["psfmask"] == "N/A"
    assert campaign.planned() == set()
    another_choice(campaign)
    another_context(campaign)
    campaign.run()
    assert product(campaign)["R_PSFMAS"] == f"crds://{NEW}"
    assert resolved(campaign)["reason"] == f"CRDS jwst_0002.pmap, {RMAP}"
    assert campaign.planned() == set()
