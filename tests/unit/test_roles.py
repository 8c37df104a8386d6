"""Roles that headers tell."""

import pytest

from psfalign.campaign.roles import (
    check_usable,
    fiducial_of,
    guess_roles,
    holds_star,
    is_named_background,
    role_of,
)
from psfalign.errors import InputError

NIRCAM = {"INSTRUME": "NIRCAM"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HD-70001-BACKGROUND", True),
        ("BACK-HD-1", True),
        ("HD-1-BG", True),
        ("HD1BG", True),
        ("BKGD1", True),
        ("HD-1-BG-2", True),
        ("BGHD-1", False),
        ("V-AU-MIC", False),
        ("", False),
    ],
)
def test_names_of_backgrounds(name: str, expected: bool) -> None:
    assert is_named_background(name) is expected


@pytest.mark.parametrize(
    ("detector", "mask", "expected"),
    [
        ("NRCA2", "MASKA210R", True),
        ("NRCA4", "MASKA210R", False),
        ("NRCA4", "MASKASWB", True),
        ("NRCA2", "MASKALWB", False),
        ("NRCALONG", "MASKALWB", True),
        ("NRCA1", "MASKA335R", False),
        ("NRCB3", "MASKB335R", True),
        ("NRCA1", "NONE", True),
        ("NRCA1", "", True),
        ("", "MASKA335R", True),
    ],
)
def test_detectors_behind_an_occulter(detector: str, mask: str, expected: bool) -> None:
    assert holds_star({**NIRCAM, "DETECTOR": detector, "CORONMSK": mask}) is expected


def test_fiducial_point_of_bars_only() -> None:
    apertures = {"PPS_APER": "P", "APERNAME": "A"}
    assert fiducial_of({**apertures, "CORONMSK": "MASKALWB"}) == "P"
    assert fiducial_of({"APERNAME": "A", "CORONMSK": "MASKASWB"}) == "A"
    assert fiducial_of({**apertures, "CORONMSK": "MASKA335R"}) == ""


def test_background_of_a_star_is_a_background() -> None:
    """It has IS_PSF, too."""
    with pytest.raises(InputError, match="^BKGDTARG=T: is a background exposure; "):
        check_usable({"EXP_TYPE": "MIR_4QPM", "IS_PSF": "T", "BKGDTARG": "T"})


def test_type_of_exposure_goes_first() -> None:
    with pytest.raises(InputError, match="^EXP_TYPE=MIR_TACQ: is a target acquisition"):
        check_usable({"EXP_TYPE": "MIR_TACQ", "BKGDTARG": "T"})


@pytest.mark.parametrize("kind", ["NRC_CORON", "MIR_4QPM", "MIR_LYOT", ""])
def test_coronagraphic_types(kind: str) -> None:
    check_usable({"EXP_TYPE": kind, "SELFREF": "T"})


def test_roles_that_is_psf_states() -> None:
    assert [role_of({"IS_PSF": word}) for word in ("T", "F")] == ["psf", "science"]
    assert role_of({}) is None


@pytest.mark.parametrize("values", ["11", "159", "59", "1"])
def test_dither_patterns_that_tell_nothing(values: str) -> None:
    assert guess_roles([{"NUMDTHPT": value} for value in values]) == {}


def test_dither_pattern_that_contradicts_what_is_known() -> None:
    headers = [{"NUMDTHPT": "1", "IS_PSF": "T"}, {"NUMDTHPT": "5"}]
    assert guess_roles(headers) == {}
    assert guess_roles([{"NUMDTHPT": "1"}, {"NUMDTHPT": "5"}]) == {"1": "science", "5": "psf"}
