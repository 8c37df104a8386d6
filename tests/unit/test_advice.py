"""Warnings before a run: masks of other filters, psfs without headers, MIRI backgrounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import (
    SHAPE,
    campaign,
    completed,
    exposure_hdus,
    write,
    write_campaign,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.campaign.advice import REMEDY, list_advice
from psfalign.campaign.checks import inspect_campaign
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.cli import main
from psfalign.files.background import LEAST, Background, measure_background, noise_of
from psfalign.files.exposure import Exposure

MIRI = {
    "INSTRUME": "MIRI",
    "FILTER": "F1065C",
    "CORONMSK": "4QPM_1065",
    "SUBARRAY": "MASK1065",
    "DETECTOR": "MIRIMAGE",
}
NONE = dict.fromkeys((*MIRI, "TELESCOP", "EXP_TYPE"))
NOISE = 0.5


def sky(level: float, *, seed: int = 3, integrations: int = 1) -> Any:
    """A flat sky with noise, and a star that covers a tenth of it; float32."""
    random = np.random.default_rng(seed)
    images = level + random.normal(0, NOISE, (integrations, *SHAPE))
    images[:, 10:20, 10:23] += 100
    return images.astype(np.float32)


def advice(config: dict[str, Any], folder: Path) -> list[str]:
    return list_advice(plan_exposures(completed(config)), FactsStore(folder / "facts.json"))


def test_nothing_to_say(tmp_path: Path) -> None:
    assert advice(write_campaign(tmp_path), tmp_path) == []


def test_noise_and_median_of_a_sky(tmp_path: Path) -> None:
    image = sky(7.0)[0].astype(float)
    image += np.linspace(0, 2, SHAPE[1])  # what varies slowly is no noise
    # Half of 1200 differences tell the median to 4 %.
    assert noise_of(image) == pytest.approx(NOISE, rel=0.12)
    assert np.isnan(noise_of(np.full(SHAPE, np.nan)))
    dq = np.zeros((2, *SHAPE), np.uint32)
    dq[0] = 512  # the first integration holds nothing
    dq[1, :, :8] = 1
    images = np.concatenate([sky(90.0), sky(7.0)])
    images[1, :, :8] = 1000
    path = write_exposure(tmp_path / "a_calints.fits", images, dq=dq, S_BKDSUB=" skipped ")
    found = measure_background(Exposure(path))
    assert found.status == "SKIPPED"
    assert found.median == pytest.approx(7.0, abs=0.15)
    assert found.noise == pytest.approx(NOISE, rel=0.12)
    assert found.is_there
    blank = write_exposure(tmp_path / "b_calints.fits", np.full((1, *SHAPE), np.nan, np.float32))
    assert not measure_background(Exposure(blank)).is_there


@pytest.mark.parametrize(
    ("status", "median", "there"),
    [
        ("", LEAST + 0.1, True),
        ("", LEAST - 0.1, False),
        ("COMPLETE", 99.0, False),
        ("", -9.0, False),
    ],
)
def test_background_that_is_there(status: str, median: float, there: bool) -> None:
    assert Background(status, median, 1.0).is_there is there


# Status and level in units of the noise, of science and psf; which of them are said to lack it.
BACKGROUNDS = {
    "subtracted from both": ("COMPLETE", 0, "COMPLETE", 0, ""),
    "by hand from both": (None, 0, None, 0, ""),
    "from none": (None, 60, "SKIPPED", 80, "both"),
    "not from the psf": ("COMPLETE", 0, "SKIPPED", 50, "psf"),
    "not from the psf, by hand": (None, 0, None, 9, "psf"),
    "not from the science": (None, 9, "COMPLETE", 0, "science"),
    "skipped where it is faint": ("COMPLETE", 0, "SKIPPED", 0, "psf"),
    "the pipeline says so": ("COMPLETE", 9, "COMPLETE", 9, ""),
}


@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("instrument", ["MIRI", "NIRCAM"])
def test_backgrounds_of_miri(name: str, instrument: str, tmp_path: Path) -> None:
    first, level, second, other, lacking = BACKGROUNDS[name]
    cards = MIRI if instrument == "MIRI" else {}
    science = write_exposure(
        tmp_path / "jw1_calints.fits", sky(level * NOISE), S_BKDSUB=first, **cards
    )
    psf = write_exposure(
        tmp_path / "jw2_calints.fits", sky(other * NOISE, seed=4), S_BKDSUB=second, **cards
    )
    lines = advice(campaign(tmp_path, science, [psf], None), tmp_path)
    if not lacking or instrument == "NIRCAM":
        assert lines == []
        return
    found = {path: measure_background(Exposure(path)) for path in (science, psf)}
    said = {
        "both": f"{science} ({found[science]}) and {psf} ({found[psf]})",
        "psf": f"{psf} ({found[psf]}), but from {science}",
        "science": f"{science} ({found[science]}), but from {psf}",
    }
    assert lines == [f"no background was subtracted from {said[lacking]}; {REMEDY}"]


def test_many_psfs_are_counted(tmp_path: Path) -> None:
    science = write_exposure(tmp_path / "jw1_calints.fits", sky(0), **MIRI)
    psfs = [
        write_exposure(tmp_path / f"jw{i}_calints.fits", sky(9, seed=i), **MIRI)
        for i in range(2, 7)
    ]
    [line] = advice(campaign(tmp_path, science, psfs, None), tmp_path)
    assert f"{psfs[0]} (" in line
    assert f"{psfs[2]} (" not in line
    assert f" and 3 more, but from {science}; " in line


def test_psfstack_without_a_header(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    stack = write_psfs(tmp_path / "star_psfstack.fits", **NONE)
    assert advice(config, tmp_path) == [
        f"{stack}: lacks INSTRUME, FILTER, CORONMSK, SUBARRAY, so nothing says whether it belongs "
        "to its science exposure; only the size of the images was checked"
    ]


def test_forced_mask(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    mask = write_mask(tmp_path / "other.fits", FILTER="F444W|F356W", SUBARRAY="FULL")
    config["exposures"][0]["psfmask"] = str(mask)
    assert advice(config, tmp_path) == [
        f"{mask}: forced: the mask is for FILTER=F444W|F356W, the exposure has F335M (jw1_a3001)",
        f"{mask}: forced: the mask is for SUBARRAY=FULL, the exposure has SUB320A335R (jw1_a3001)",
    ]


def test_card_that_cannot_be_read(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    hdus = exposure_hdus()
    hdus.append(fits.ImageHDU(np.ones((3, 4), np.float32), name="AREA"))
    hdus["AREA"].header["MYCARD"] = 1.0
    path = write(hdus, tmp_path / "jw1_calints.fits")
    content = path.read_bytes().replace(b"CHECKSUM", b"OLDCKSUM").replace(b"DATASUM ", b"OLDDSUM ")
    place = content.index(b"MYCARD  =")
    path.write_bytes(content[:place] + b"MYCARD  = 1.2.3".ljust(80) + content[place + 80 :])
    assert advice(config, tmp_path) == [
        f"{path}[AREA]: 'MYCARD  = 1.2.3' cannot be read; nobody needs it, and it is kept as it is"
    ]


def test_advice_is_remembered_and_does_not_refuse(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_psfs(tmp_path / "star_psfstack.fits", FILTER=None)
    settings = completed(config)
    exposures = plan_exposures(settings)
    for _ in range(2):
        findings = inspect_campaign(settings, exposures, FactsStore(tmp_path / "facts.json"))
        assert not findings.errors
        assert len(findings.warnings) == 1


def test_file_that_cannot_be_read_is_left_to_the_checks(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    (tmp_path / "star_psfstack.fits").unlink()
    assert advice(config, tmp_path) == []


def test_check_prints_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    science = write_exposure(tmp_path / "jw1_calints.fits", sky(0), **MIRI)
    psf = write_exposure(tmp_path / "jw2_calints.fits", sky(9, seed=4), **MIRI)
    mask = write_mask(tmp_path / "mask.fits", **MIRI)
    Path("c.yaml").write_text(
        f"exposures:\n- {{science: {science}, psfs: [{psf}], asn_id: a3001}}\n"
        f"psfmask: {{references: [{mask}]}}\n"
    )
    assert main(["check", "c.yaml"]) == 0
    err = capsys.readouterr().err
    assert err.startswith(f"psfalign: warning: no background was subtracted from {psf} (")
    assert err.endswith(f"; {REMEDY}\n")
