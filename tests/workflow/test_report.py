"""
The report in a real browser, opened from disk without a network, of a campaign that failed in part.

PSFALIGN_SCREENSHOTS=docs/images stores pictures of it for the documentation.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from browser import needs_chromium, opened, started_browser
from playwright.sync_api import Browser, Frame, Page

from .campaign import MIRI, NIRCAM, OWN_CONFIG, Campaign, make_campaign

BAD = "jw09999002001_02102_00001_nrcalong"
FIGURES = ("images", "shifts", "checks")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Run a campaign with an exposure that holds nothing, and write the report all the same."""
    campaign = make_campaign(tmp_path_factory.mktemp("report"))
    science = f"data/{BAD}_calints.fits"
    with fits.open(campaign.folder / science, mode="update") as file:
        file["SCI"].data[:] = np.nan
        for hdu in file:
            hdu.add_checksum(when="")
    config = yaml.safe_load(yaml.safe_dump(OWN_CONFIG))
    config["exposures"].append(config["exposures"][0] | {"science": science})
    config["align_refs"]["on_failed_fit"] = "stop"
    campaign.write_config(config)
    result = campaign.snakemake("--quiet", "host", "reason")
    assert result.returncode == 1
    assert f"  {BAD}_a3001  FAILED in fit_shifts: " in result.stdout
    campaign.run("--report", "report.html")
    return campaign


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_browser() as browser:
        yield browser


@pytest.fixture
def page(reported: Campaign, browser: Browser) -> Iterator[Page]:
    with opened(browser, reported.folder / "report.html") as page:
        yield page


def choose(page: Page, *entries: str) -> None:
    """Follow the menu on the left."""
    for entry in entries:
        page.get_by_role("link", name=entry, exact=True).click()


def look_at(page: Page, label: str) -> None:
    """Click on the eye beside a result."""
    page.locator("tr", has_text=label).locator("a").first.click()


def framed(page: Page) -> Frame:
    """Return the page within the report."""
    page.frame_locator("iframe").locator("h1").wait_for()
    return page.frames[-1]


def read_table(frame: Frame, identity: str) -> list[dict[str, str]]:
    heads = frame.locator(f"#{identity} thead th").all_inner_texts()
    rows = frame.locator(f"#{identity} tbody tr").all()
    return [dict(zip(heads, row.locator("td").all_inner_texts(), strict=True)) for row in rows]


def ecsv(campaign: Campaign, exposure: str) -> Table:
    path = campaign.folder / "results" / exposure / f"{exposure}_shifts.ecsv"
    return Table.read(path, format="ascii.ecsv")


def assert_shown(text: str, value: float) -> None:
    """A number that is shown differs by half a unit of its last digit at most."""
    assert abs(float(text) - value) <= 0.5 * 10.0 ** -len(text.partition(".")[2])


def screenshot(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PSFALIGN_SCREENSHOTS", tmp_path))
    picture = page.screenshot(path=folder / f"{name}.png")
    assert len(picture) > 10_000


def test_failed_exposure_does_not_block_the_report(reported: Campaign) -> None:
    assert (reported.folder / "report.html").stat().st_size > 1_000_000
    text = (reported.folder / "results/report/campaign.html").read_text()
    assert "3 exposures: 1 failed, 2 done." in text


def test_no_figure_is_larger_than_300_kb(reported: Campaign) -> None:
    figures = list(reported.folder.glob("results/report/*/*.png"))
    pictures = 2 * 1  # of the one association that was done: what is left, and the noise
    assert len(figures) == 2 * len(FIGURES) + pictures
    assert all(figure.stat().st_size <= 300_000 for figure in figures)


@needs_chromium
def test_campaign_page_has_the_numbers_of_the_tables(
    reported: Campaign, page: Page, tmp_path: Path
) -> None:
    choose(page, "Campaign")
    look_at(page, "Did it work")
    frame = framed(page)
    rows = {row["exposure"]: row for row in read_table(frame, "exposures")}
    assert list(rows) == [f"{BAD}_a3001", NIRCAM, MIRI]  # what went wrong stands first
    for exposure in (NIRCAM, MIRI):
        table, row = ecsv(reported, exposure), rows[exposure]
        assert row["state"] == "done"
        assert int(row["pairs"]) == len(table)
        assert int(row["failed fits"]) == np.count_nonzero(table["status"] != "ok")
        assert int(row["suspicious"]) == np.count_nonzero(table["suspicious"])
        assert_shown(row["median shift (pix)"], np.median(np.hypot(table["dx"], table["dy"])))
        sigma = np.hypot(table["sigma_dx"], table["sigma_dy"])
        assert_shown(row["its uncertainty (pix)"], np.median(sigma))
        # The psfs of the demo are misaligned by most of a pixel.
        assert float(row["residual ÷"]) > 2
    (failure,) = read_table(frame, "failures")
    assert (failure["exposure"], failure["step"]) == (f"{BAD}_a3001", "fit_shifts")
    assert "fits failed" in failure["error"]
    masks = {row["exposure"]: row for row in read_table(frame, "masks")}
    assert masks[NIRCAM]["mask"] == "psfmask_nircam_f335m_maska335r.fits"
    assert masks[NIRCAM]["1 means"] == "weight"
    screenshot(page, "report", tmp_path)


@needs_chromium
@pytest.mark.parametrize("exposure", [NIRCAM, MIRI])
def test_figures_are_there_and_the_table_is_that_of_the_ecsv(
    exposure: str, reported: Campaign, page: Page, tmp_path: Path
) -> None:
    choose(page, "Exposures", exposure)
    for label in ("1 images", "2 shifts", "3 pixels, weight, radius"):
        look_at(page, label)
        image = page.locator("img[src^='data:image/png']").last
        image.wait_for()
        image.evaluate("image => image.decode()")
        assert image.evaluate("image => image.naturalWidth") == 1200
        assert image.evaluate("image => image.naturalHeight") > 400
        assert image.bounding_box()["width"] > 0
    look_at(page, "4 table of shifts")
    rows, table = read_table(framed(page), "shifts"), ecsv(reported, exposure)
    assert len(rows) == len(table)
    for shown, row in zip(rows, table, strict=True):
        assert (int(shown["integration"]), int(shown["psf"])) == (row["integration"], row["psf"])
        assert shown["status"] == row["status"]
        for name in ("dx", "dy", "sigma_dx", "sigma_dy", "closure"):
            assert_shown(shown[f"{name} (pix)"], row[name])


@needs_chromium
def test_embedded_pages_have_no_dead_links(page: Page) -> None:
    """Snakemake embeds each page by itself; the files beside it are in the menu instead."""
    choose(page, "Campaign")
    look_at(page, "Did it work")
    frame = framed(page)
    assert frame.locator("a").count() == 0
    shown = [row["look at"] for row in read_table(frame, "exposures")]
    assert shown == ["–", *["images · shifts · pixels, weight, radius · table of shifts"] * 2]


@needs_chromium
def test_links_of_the_campaign_page_lead_to_pictures_and_tables(
    reported: Campaign, browser: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(reported.folder / "results/report", folder)
    with opened(browser, folder / "campaign.html") as page:
        links = page.locator("#exposures a").all()
        assert len(links) == 4 * 2
        for link in links:
            link.click()
            page.wait_for_load_state()
            assert page.locator("img, #shifts").count() == 1
            page.go_back()
    with opened(browser, folder / NIRCAM / f"{NIRCAM}_table.html") as page:
        for name in FIGURES:
            page.get_by_role("link", name=name, exact=True).click()
            assert page.locator("img").evaluate("image => image.naturalWidth") == 1200
            page.go_back()
