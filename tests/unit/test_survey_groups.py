"""Exposures are grouped by what their headers say; what cannot be used takes nothing along."""

from pathlib import Path
from typing import Any

import pytest
from files import write_psfs
from intake import BAR, MIRI, left_out, made, put, survey_folders

TITLE = "NIRCAM F335M MASKA335R SUB320A335R NRCALONG"
SIZE = "40×32 pixels"
BY_HAND = "list it under `exposures` in the configuration"
FETCH = "fetch its calints, from this program or another"
SCIENCE, STAR = "d/jw01001_calints.fits", "d/jw03001_calints.fits"
PLAIN = [(SCIENCE, [STAR])]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory."""
    monkeypatch.chdir(tmp_path)


def survey(**science: Any) -> Any:
    put(SCIENCE, **science)
    return survey_folders([Path("d")])


@pytest.mark.parametrize(
    "cards",
    [
        {"DETECTOR": None},
        {"CORONMSK": None},
        {"FILTER": " "},
        {"SUBARRAY": None, "DETECTOR": None},
        {"INSTRUME": "nircam", "FILTER": " f335m", "CORONMSK": "MASK335R"},
        {"EXP_TYPE": None},
        {"EXP_TYPE": "nrc_coron "},
        {"IS_PSF": "T"},
        {"IS_PSF": "true"},
    ],
    ids=repr,
)
def test_psf_whose_header_says_less_or_says_it_otherwise(cards: dict[str, Any]) -> None:
    put(STAR, True, **cards)
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {}


def test_lacking_unit_agrees_and_another_one_does_not() -> None:
    path = put(STAR, True)
    other = put("d/jw05001_calints.fits", True)
    from astropy.io import fits

    for name, unit in ((path, None), (other, "DN/s")):
        with fits.open(name, mode="update") as hdus:
            hdus["SCI"].header["BUNIT"] = unit
            hdus["SCI"].add_checksum(when="")
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {str(other): f"no science exposure with {TITLE}, {SIZE}"}


def test_detector_comes_from_the_name_where_the_header_lacks_it() -> None:
    """Short and long wavelengths are read together, behind one mask."""
    sw = {"FILTER": "F335M", "DETECTOR": None}
    for detector in ("nrca2", "nrcalong"):
        put(f"d/jw01001_02101_00001_{detector}_calints.fits", **sw)
        put(f"d/jw03001_02101_00001_{detector}_calints.fits", True, **sw)
    assert made(survey_folders([Path("d")])) == [
        (f"d/jw01001_02101_00001_{d}_calints.fits", [f"d/jw03001_02101_00001_{d}_calints.fits"])
        for d in ("nrca2", "nrcalong")
    ]


def test_psf_that_could_belong_to_two_groups_is_left_out() -> None:
    for number, detector in enumerate(("NRCA2", "NRCALONG")):
        put(f"d/jw0100{number}_calints.fits", DETECTOR=detector)
        put(f"d/jw0300{number}_calints.fits", True, DETECTOR=detector)
    put("d/jw05001_calints.fits", True, DETECTOR=None)
    found = survey_folders([Path("d")])
    assert [psfs for _, psfs in made(found)] == [
        [f"d/jw0300{number}_calints.fits"] for number in (0, 1)
    ]
    assert left_out(found) == {
        "d/jw05001_calints.fits": f"DETECTOR: missing; NRCA2 or NRCALONG are possible; add it, or {BY_HAND}"
    }


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"EXP_TYPE": "NRC_TACQ"}, "EXP_TYPE=NRC_TACQ: is a target acquisition; it is not needed"),
        (
            {"EXP_TYPE": "mir_taconfirm"},
            "EXP_TYPE=MIR_TACONFIRM: is a target acquisition; it is not needed",
        ),
        (
            {"EXP_TYPE": "NRC_IMAGE"},
            f"EXP_TYPE=NRC_IMAGE: is not a coronagraphic exposure; those are NRC_CORON, MIR_4QPM, MIR_LYOT; {BY_HAND}",
        ),
        (
            {"EXP_TYPE": "MIR_CORONCAL"},
            f"EXP_TYPE=MIR_CORONCAL: is not a coronagraphic exposure; those are NRC_CORON, MIR_4QPM, MIR_LYOT; {BY_HAND}",
        ),
        (
            {"BKGDTARG": True},
            "BKGDTARG=T: is a background exposure; subtract it before, in calwebb_image2 or by hand",
        ),
        ({"IS_IMPRT": True}, "IS_IMPRT=T: is an imprint exposure; it is not needed"),
        (
            {"TARGPROP": "HD-1-BACKGROUND"},
            f"TARGPROP=HD-1-BACKGROUND: is named like a background; if it is none, {BY_HAND}",
        ),
        (
            {"DETECTOR": "NRCA4"},
            f"DETECTOR=NRCA4: this detector is not behind MASKA335R, it has no occulted star; if it has, {BY_HAND}",
        ),
        ({"IS_PSF": "yes"}, f"IS_PSF=YES: is not T or F; correct it, or {BY_HAND}"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("psf", [False, True])
def test_what_is_neither_science_nor_psf(cards: dict[str, Any], reason: str, psf: bool) -> None:
    put(STAR, True)
    odd = put("d/jw07001_calints.fits", psf, **cards)
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {str(odd): reason}


@pytest.mark.parametrize(
    ("mask", "right"), [("MASKA430R", "NRCA2"), ("MASKASWB", "NRCA4"), ("MASKALWB", "NRCALONG")]
)
def test_full_frame_detector_behind_the_mask(mask: str, right: str) -> None:
    names = (
        ("NRCA1", "NRCA2", "NRCA3", "NRCA4", "NRCALONG") if right != "NRCALONG" else ("NRCALONG",)
    )
    for detector in (n for n in names if n == right or n != "NRCALONG"):
        for root, psf in (("jw01001", False), ("jw03001", True)):
            put(
                f"d/{root}_{detector}_calints.fits",
                psf,
                CORONMSK=mask,
                SUBARRAY="FULL",
                DETECTOR=detector,
            )
    found = survey_folders([Path("d")])
    assert made(found) == [(f"d/jw01001_{right}_calints.fits", [f"d/jw03001_{right}_calints.fits"])]


def test_fiducial_points_of_a_bar() -> None:
    """9 arcsec lie between them; where PPS_APER is missing, APERNAME says the same."""
    here, there = "NRCA5_MASKLWB_F335M", "NRCA5_MASKLWB_NARROW"
    put(STAR, True, **BAR, PPS_APER=here)
    put("d/jw05001_calints.fits", True, **BAR, APERNAME=here)
    put("d/jw06001_calints.fits", True, **BAR, PPS_APER=there)
    found = survey(**BAR, PPS_APER=here)
    assert made(found) == [(SCIENCE, [STAR, "d/jw05001_calints.fits"])]
    title = "NIRCAM F335M MASKALWB SUB400X256ALWB NRCALONG"
    assert left_out(found) == {
        "d/jw06001_calints.fits": f"no science exposure with {title} {there}, {SIZE}"
    }


def test_round_masks_have_no_fiducial_points() -> None:
    put(STAR, True, PPS_APER="NRCA5_FULL_MASK335R")
    assert made(survey(PPS_APER="NRCA5_MASK335R")) == PLAIN


def test_image_of_another_size_takes_nothing_along() -> None:
    put(STAR, True)
    put("d/jw05001_calints.fits", True, shape=(30, 40))
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {
        "d/jw05001_calints.fits": f"no science exposure with {TITLE}, 40×30 pixels"
    }


@pytest.mark.parametrize("suffix", ["_a3001_crfints", "_crfints", "_C1001_CRFINTS"])
def test_crfints_serve_where_there_are_no_calints(suffix: str) -> None:
    names = [f"d/jw0{number}001{suffix}.fits" for number in (1, 3)]
    put(names[0])
    put(names[1], True)
    put("d/jw05001_calints.fits", True)
    double = put(f"d/jw05001{suffix}.fits", True)
    found = survey_folders([Path("d")])
    assert made(found) == [(names[0], [names[1], "d/jw05001_calints.fits"])]
    assert left_out(found) == {
        str(double): "was made of the exposure of d/jw05001_calints.fits, which goes first"
    }


def test_roles_from_the_dither_pattern_where_is_psf_is_missing() -> None:
    star = {"NUMDTHPT": 9, "TARGPROP": "DISC"}
    for number in (3, 4):
        put(f"d/jw0{number}001_calints.fits", None, **star)
    put(SCIENCE, None, NUMDTHPT=1)
    found = survey_folders([Path("d")])
    psfs = ["d/jw03001_calints.fits", "d/jw04001_calints.fits"]
    assert made(found) == [(SCIENCE, psfs)]
    assert found.remarks.warnings == [
        f"IS_PSF is missing; taken as science (NUMDTHPT=1): {SCIENCE}; as psf (NUMDTHPT=9): "
        f"{', '.join(psfs)}; exchange them if that is wrong"
    ]


@pytest.mark.parametrize("patterns", [(1, 1), (1, 5, 9), (5, 9), (1, None)])
def test_dither_patterns_that_tell_no_role(patterns: tuple[int | None, ...]) -> None:
    for number, value in enumerate(patterns):
        put(f"d/jw0{number}001_calints.fits", None, NUMDTHPT=value)
    found = survey_folders([Path("d")])
    assert made(found) == []
    assert left_out(found) == {
        f"d/jw0{number}001_calints.fits": "IS_PSF is missing, and "
        f"NUMDTHPT={'(missing)' if value is None else value} does not tell either; {BY_HAND}"
        for number, value in enumerate(patterns)
    }


def test_is_psf_of_some_goes_before_dither_patterns() -> None:
    """A science exposure that is dithered: the pattern would call it psf."""
    put(SCIENCE, False, NUMDTHPT=9)
    put(STAR, True, NUMDTHPT=1)
    lost = put("d/jw05001_calints.fits", None, NUMDTHPT=9)
    found = survey_folders([Path("d")])
    assert made(found) == PLAIN
    assert list(left_out(found)) == [str(lost)]


def rolls(*angles: float | None, **cards: Any) -> list[str]:
    names = []
    for number, angle in enumerate(angles, start=1):
        name = f"d/jw0900100{number}_calints.fits"
        put(name, GS_V3_PA=angle, **cards)
        names.append(name)
    return names


@pytest.mark.parametrize("angles", [(60.0, 70.0), (359.0, 9.0), (None, None)])
def test_rolls_without_a_star_serve_each_other(angles: tuple[float | None, ...]) -> None:
    one, other = rolls(*angles)
    found = survey_folders([Path("d")])
    assert made(found) == [(one, [other]), (other, [one])]
    assert {entry.asn_id for entry in found.entries} == {"a3001"}
    assert found.remarks.warnings == [
        f"science {a} and psf {b} show the same target DISC (IS_PSF=F): what turns little "
        "between the rolls, near the star, subtracts itself"
        for a, b in ((one, other), (other, one))
    ]


@pytest.mark.parametrize("angles", [(60.0, 60.2), (359.9, 0.1)])
def test_exposures_of_one_roll_do_not_serve_each_other(angles: tuple[float, float]) -> None:
    names = rolls(*angles)
    found = survey_folders([Path("d")])
    reason = f"no reference star with {TITLE}, {SIZE}; {FETCH}"
    assert left_out(found) == dict.fromkeys(names, reason)


def test_rolls_beside_stars_of_other_filters_are_named_only() -> None:
    put(STAR, True)
    one, other = rolls(60.0, 70.0, FILTER="F444W")
    found = survey()
    assert made(found) == PLAIN
    start = f"no reference star with {TITLE.replace('F335M', 'F444W')}, {SIZE}; another roll may be its psf, such as"
    assert left_out(found) == {
        a: f"{start} {b}: {BY_HAND}" for a, b in ((one, other), (other, one))
    }


def test_psfstack_serves_where_there_is_no_star() -> None:
    put("d/Level 3_psfstack.fits", True)
    found = survey()
    assert made(found) == [(SCIENCE, ["d/Level 3_psfstack.fits"])]
    assert found.entries[0].config["psfs"] == "d/Level 3_psfstack.fits"


def test_psfstack_with_an_empty_header_serves_the_only_group() -> None:
    cards = dict.fromkeys(
        ("TELESCOP", "INSTRUME", "FILTER", "CORONMSK", "SUBARRAY", "DETECTOR", "EXP_TYPE")
    )
    stack = write_psfs(Path("d/x_psfstack.fits"), **cards)
    assert made(survey()) == [(SCIENCE, [str(stack)])]
    put("d/jw02001_calints.fits", FILTER="F444W")
    found = survey_folders([Path("d")])
    assert made(found) == []
    titles = f"{TITLE} and {TITLE.replace('F335M', 'F444W')}"
    assert left_out(found)[str(stack)] == f"could serve {titles}; name it as psfs of an exposure"


def test_psfstacks_that_are_not_used() -> None:
    put(STAR, True)
    other = put("d/f444w_psfstack.fits", True, FILTER="F444W")
    same = put("d/f335m_psfstack.fits", True)
    own = put("d/own_psfstack.fits", True, STACKVER="psfalign 0.1.0")
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {
        str(other): f"no science exposure with {TITLE.replace('F335M', 'F444W')}, {SIZE}",
        str(
            same
        ): "is a psfstack, and psf exposures themselves are used; name it as psfs of an exposure to use it",
        str(own): "was made by psfalign; its psf exposures are the input",
    }


def test_one_of_two_psfstacks_is_used() -> None:
    put("d/a_psfstack.fits", True)
    second = put("d/b_psfstack.fits", True)
    found = survey()
    assert made(found) == [(SCIENCE, ["d/a_psfstack.fits"])]
    assert left_out(found) == {
        str(
            second
        ): "is a psfstack, and another psfstack is used; name it as psfs of an exposure to use it"
    }


def test_stars_of_all_programs_serve() -> None:
    put(STAR, True)
    library = put("d/library/jw01455005001_calints.fits", True)
    assert made(survey()) == [(SCIENCE, [STAR, str(library)])]


def test_instruments_do_not_mix() -> None:
    put(STAR, True)
    put("d/jw01002_calints.fits", **MIRI)
    put("d/jw03002_calints.fits", True, **MIRI)
    assert made(survey()) == [("d/jw01002_calints.fits", ["d/jw03002_calints.fits"]), *PLAIN]


def test_science_without_selector_cannot_get_a_mask() -> None:
    put(STAR, True)
    bare = put("d/jw02001_calints.fits", CORONMSK=None)
    found = survey()
    assert made(found) == PLAIN
    assert left_out(found) == {
        str(
            bare
        ): "CORONMSK: missing or blank; calibrate the exposure again, or name a psfmask for it"
    }
