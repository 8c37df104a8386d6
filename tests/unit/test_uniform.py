"""`psfmask: uniform`: weight one wherever an exposure shows the sky."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from chain import run
from files import (
    SCIENCE_STEPS,
    SHAPE,
    completed,
    digest,
    pixels,
    refused,
    scene,
    write_campaign,
    write_exposure,
    write_psfs,
)
from hypothesis import given
from hypothesis import strategies as st

from psfalign.archive.verify.command import expect
from psfalign.archive.verify.results import verify
from psfalign.campaign.checks import inspect_campaign
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.errors import InputError, MaskError
from psfalign.psfmask.resolved import ResolvedMask
from psfalign.psfmask.uniform import Area
from psfalign.steps.resolve import resolve_psfmask


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 2**42 - 1))
def test_area_comes_back_as_it_was(rows: int, columns: int, bits: int) -> None:
    area = np.array([bits >> i & 1 for i in range(rows * columns)], bool).reshape(rows, columns)
    np.testing.assert_array_equal(Area.of(area).weight(), area.astype(float))


def test_area_is_written_as_ranges() -> None:
    area = np.ones((3, 5), bool)
    area[0, 1] = area[1, 3:] = area[2, :2] = area[2, 4] = False
    assert Area.of(area) == Area(3, 5, "1,8-11,14")


def spoilt() -> tuple[Any, Any, Any]:
    """Science and flags, and the area: good somewhere, and no NON_SCIENCE where it is good."""
    science, dq = scene(SCIENCE_STEPS), np.zeros((2, *SHAPE), np.uint32)
    area = np.ones(SHAPE, bool)
    dq[:, 0, :5] = 1  # bad in all integrations
    dq[:, 3, :] = 512  # outside the science area
    science[:, 5, 5] = np.nan
    dq[0, 7, 7], science[1, 7, 7] = 1, np.inf  # bad in each for another reason
    area[0, :5] = area[3] = area[5, 5] = area[7, 7] = False
    dq[0, 10, 10] = 513  # good in the other
    science[1, 11, 11] = np.nan
    dq[:, 12, 12] = 2  # saturated
    return science, dq, area


@pytest.mark.parametrize("bad_bits", [1, 3])
def test_weight_is_one_inside_the_science_area(bad_bits: int, tmp_path: Path) -> None:
    science, dq, area = spoilt()
    area[12, 12] = bad_bits == 1
    path = write_exposure(tmp_path / "a_calints.fits", science, dq=dq)
    before = digest(path)
    output = tmp_path / "m.json"
    resolve_psfmask(path, output, psfmask="uniform", bad_bits=bad_bits)
    assert digest(path) == before
    resolved = ResolvedMask.read(output)
    np.testing.assert_array_equal(resolved.read_weight(), area.astype(float))
    n_out = np.count_nonzero(~area)
    note = f"weight one, but for {n_out} pixels that show no sky in any integration"
    assert resolved.notes == [note]
    assert (resolved.convention, resolved.decided_by) == ("n/a", "configuration")
    assert resolved.share_above_half == pytest.approx(area.mean(), abs=1e-6)
    assert resolved.applies
    assert not resolved.is_file


def test_exposure_without_a_usable_pixel(tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a_calints.fits", np.full((1, *SHAPE), np.nan, np.float32))
    message = f"{path}: no pixel is usable in any integration; leave the exposure out"
    with refused(message, MaskError):
        resolve_psfmask(path, tmp_path / "m.json", psfmask="uniform")


@pytest.mark.parametrize("zeros", ["x", "5-3", "0-99999", "-1", None])
def test_area_that_is_none(zeros: Any, tmp_path: Path) -> None:
    path = write_exposure(tmp_path / "a_calints.fits")
    output = tmp_path / "m.json"
    resolve_psfmask(path, output, psfmask="uniform")
    content = json.loads(output.read_text())
    content["area"]["zeros"] = zeros
    output.write_text(json.dumps(content))
    message = f"{output}: is not a resolved mask, psfmask.json; run resolve_psfmask first"
    with refused(message, InputError):
        ResolvedMask.read(output)


def test_product_says_uniform_and_holds_its_weight(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    science, dq, area = spoilt()
    write_exposure(inputs / "sci_calints.fits", science, dq=dq)
    write_psfs(inputs / "star_psfstack.fits")
    product = run(inputs, tmp_path, psfmask="uniform")["product"]
    header = fits.getheader(product)
    assert (header["R_PSFMAS"], header["MASKCONV"], header["MASKSHA"]) == ("uniform", "n/a", "")
    assert (header["S_PSFALI"], header["NFAILED"]) == ("COMPLETE", 0)
    np.testing.assert_array_equal(pixels(product, "WEIGHT"), area.astype(np.float32))
    records = fits.getdata(product, "PROVENANCE")
    told = {(row["step"], row["kind"], row["name"]): row["value"] for row in records}
    assert told["resolve_psfmask", "mask", "file"] == "uniform"
    assert told["resolve_psfmask", "parameter", "bad_bits"] == "1"
    [verdict, *_] = verify(product, expect(product, None, [inputs]), threads=1)
    assert not verdict.problems
    assert verdict.notes == ["6 pairs, 0 failed"]


def test_campaign_needs_no_file_for_it(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    config["psfmask"]["references"] = []
    config["exposures"][0]["psfmask"] = "uniform"
    settings = completed(config)
    exposures = plan_exposures(settings)
    findings = inspect_campaign(settings, exposures, FactsStore(tmp_path / "facts.json"))
    assert not findings.errors
    assert findings.masks == {"jw1_a3001": []}
