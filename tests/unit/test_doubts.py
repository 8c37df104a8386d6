"""Possible mistakes cause warnings with the names of both files."""

import os
from pathlib import Path
from typing import Any

import pytest
from files import write_association
from intake import BAR, put

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.doubts import list_doubts
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore

SCIENCE, STAR = "jw01001_calints.fits", "jw03001_calints.fits"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory."""
    monkeypatch.chdir(tmp_path)


def doubts(*psfs: str, science: str = SCIENCE, **config: Any) -> list[str]:
    exposures = [{"science": science, "psfs": list(psfs or (STAR,)), "asn_id": "a3001"}]
    plan = plan_exposures(complete_config(config or {"exposures": exposures}))
    return list_doubts(plan, FactsStore(Path(os.devnull)))


def test_right_roles_raise_no_doubt() -> None:
    put(SCIENCE, SELFREF=True)
    put(STAR, True, SELFREF=True)
    assert doubts() == []


def test_exchanged_roles() -> None:
    put(SCIENCE, True)
    put(STAR, False)
    assert doubts() == [
        f"science {SCIENCE} has IS_PSF=T, psf {STAR} IS_PSF=F: the header calls it a reference star; "
        "exchange them if they are mixed up"
    ]


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (
            "DISC",
            f"science {SCIENCE} and psf {STAR} show the same target DISC (IS_PSF=F): what turns little "
            "between the rolls, near the star, subtracts itself",
        ),
        (
            "LIBRARY",
            f"psf {STAR} has IS_PSF=F, like science {SCIENCE}: right for the star of a library; "
            "exchange them if they are mixed up",
        ),
    ],
)
def test_psf_that_is_science_elsewhere(target: str, line: str) -> None:
    """An association that names it says that it is meant."""
    put(SCIENCE)
    put(STAR, False, TARGPROP=target)
    assert doubts() == [line]
    path = write_association(Path("asn.json"), [(SCIENCE, "science"), (STAR, "psf")])
    assert doubts(associations=[str(path)]) == []


@pytest.mark.parametrize("role", ["science", "psf"])
def test_acquisition_or_background_in_a_list(role: str) -> None:
    put(SCIENCE, BKGDTARG=role == "science")
    put(STAR, True, BKGDTARG=role == "psf")
    name = SCIENCE if role == "science" else STAR
    assert doubts() == [
        f"{role} {name} BKGDTARG=T: is a background exposure; subtract it before, in calwebb_image2 "
        "or by hand"
    ]


def test_fiducial_points_that_differ() -> None:
    put(SCIENCE, **BAR, PPS_APER="NRCA5_MASKLWB_F335M")
    put(STAR, True, **BAR, PPS_APER="NRCA5_MASKLWB_NARROW")
    assert doubts() == [
        f"science {SCIENCE} has PPS_APER=NRCA5_MASKLWB_F335M, psf {STAR} "
        "PPS_APER=NRCA5_MASKLWB_NARROW: the stars are at different places of the bar, too far "
        "apart for max_shift; use psfs of the same fiducial point"
    ]


@pytest.mark.parametrize(("total", "missing"), [(4, "2, 4"), (None, "2")])
def test_missing_segments(total: int | None, missing: str) -> None:
    put(SCIENCE)
    psfs = [f"jw03001-seg00{number}_nrcalong_calints.fits" for number in (1, 3)]
    for name in psfs:
        put(name, True, EXSEGTOT=total)
    assert doubts(*psfs) == [
        f"{', '.join(psfs)}: of {total or 3} segments, {missing} missing; "
        "fetch what is missing, or go on without it"
    ]
