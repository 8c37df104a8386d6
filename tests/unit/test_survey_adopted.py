"""Associations say what belongs together, as far as their members are there and agree."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from files import write_association
from intake import left_out, made, put, survey_folders

TITLE = "NIRCAM F335M MASKA335R SUB320A335R NRCALONG"
ONE, TWO, STAR = "jw09301001_calints.fits", "jw09301002_calints.fits", "jw09301003_calints.fits"
MEMBERS = [(ONE, "science"), (STAR, "psf")]
PASSED_OVER = (
    f"no association names it, as one does others of {TITLE}; to use it, add it there, or list it "
    "under `exposures` in the configuration"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder of two rolls and a star."""
    monkeypatch.chdir(tmp_path)
    for name in (ONE, TWO):
        put(f"d/{name}")
    put(f"d/{STAR}", True)
    return tmp_path


def associate(name: str, members: list[tuple[str, str]], **entries: Any) -> Path:
    return write_association(Path("d") / name, members, **entries)


def survey() -> Any:
    return survey_folders([Path("d")])


def test_association_is_used_as_it_is_and_speaks_for_its_kind() -> None:
    path = associate("l3.json", MEMBERS, asn_type="None")
    extra = put("d/jw09301004_calints.fits", True)
    found = survey()
    assert (found.associations, found.entries) == ([path], [])
    assert left_out(found) == {f"d/{TWO}": PASSED_OVER, str(extra): PASSED_OVER}


def test_other_filters_and_programs_are_grouped_by_their_headers() -> None:
    path = associate("l3.json", [*MEMBERS, (TWO, "science")])
    put("d/jw09301011_calints.fits", FILTER="F444W")
    put("d/jw09301013_calints.fits", True, FILTER="F444W")
    put("d/jw07777001_calints.fits")
    found = survey()
    assert found.associations == [path]
    assert made(found) == [
        ("d/jw07777001_calints.fits", [f"d/{STAR}"]),
        ("d/jw09301011_calints.fits", ["d/jw09301013_calints.fits"]),
    ]
    assert [entry.asn_id for entry in found.entries] == ["a3002", "a3003"]


def test_candidates_with_the_same_members_are_one_work() -> None:
    paths = [
        associate(
            f"jw09301001-{candidate}_20240101t000000_coron3_00001_asn.json",
            MEMBERS,
            asn_id=candidate,
        )
        for candidate in ("a3001", "c1001", "o001")
    ]
    found = survey()
    assert found.associations == [paths[1]]
    same = f"makes the same as {paths[1]}"
    assert {p: left_out(found)[p] for p in map(str, paths[::2])} == dict.fromkeys(
        map(str, paths[::2]), same
    )


def test_newest_of_an_archives_associations_is_used() -> None:
    extra = put("d/jw09301004_calints.fits", True)
    stamp = "jw09301001-c1001_{}t000000_coron3_00001_asn.json"
    old = associate(stamp.format(20240101), MEMBERS, asn_id="c1001")
    new = associate(stamp.format(20250101), [*MEMBERS, (extra.name, "psf")], asn_id="c1001")
    found = survey()
    assert found.associations == [new]
    assert left_out(found)[str(old)] == f"is older than {new}"


def test_same_science_with_other_psfs_gets_another_candidate() -> None:
    """A second association of the user, with a library star."""
    library = put("d/library/jw01455001_calints.fits")
    first = associate("a.json", MEMBERS)
    associate("b.json", [*MEMBERS, ("library/jw01455001_calints.fits", "psf")])
    found = survey()
    assert found.associations == [first]
    assert made(found) == [(f"d/{ONE}", [f"d/{STAR}", str(library)])]
    assert found.entries[0].asn_id == "a3002"


def test_members_are_found_in_other_folders() -> None:
    tree = Path("d/mastDownload")
    for name in (ONE, STAR):
        folder = tree / name.removesuffix("_calints.fits")
        folder.mkdir(parents=True)
        shutil.move(f"d/{name}", folder)
    associate("x_asn.json", [("/gone/" + ONE, "science"), (STAR, "psf")], asn_id="c1001")
    found = survey()
    assert found.associations == []
    assert made(found) == [(str(tree / "jw09301001" / ONE), [str(tree / "jw09301003" / STAR)])]
    assert found.entries[0].asn_id == "c1001"
    assert found.remarks.warnings == []


def test_members_are_found_in_one_step() -> None:
    for step in ("bgsub", "medsub"):
        put(f"d/{step}/jw09301005_calints.fits")
        put(f"d/{step}/jw09301006_calints.fits", True)
    associate(
        "x_asn.json", [("jw09301005_calints.fits", "science"), ("jw09301006_calints.fits", "psf")]
    )
    found = survey()
    (own,) = (entry for entry in found.entries if "jw09301005" in entry.name)
    assert {path.parent.name for path in (own.science, *own.psfs)} == {"medsub"}
    assert (
        left_out(found)["d/bgsub/jw09301005_calints.fits"]
        == "an association uses another file of this name"
    )


def test_missing_member() -> None:
    path = associate("x_asn.json", [*MEMBERS, ("gone_calints.fits", "psf")])
    found = survey()
    assert made(found) == [(f"d/{ONE}", [f"d/{STAR}"])]
    assert found.remarks.warnings == [
        f"{path}: member d/gone_calints.fits is not there; what needs it is made without it. Fetch it, "
        "and run psfalign campaign again, or remove the member"
    ]


def test_association_without_psf_left_gives_way_to_headers() -> None:
    path = associate("x_asn.json", [(ONE, "science"), ("gone_calints.fits", "psf")])
    found = survey()
    assert made(found) == [(f"d/{name}", [f"d/{STAR}"]) for name in (ONE, TWO)]
    assert left_out(found) == {str(path): "none of its exposures can be made; see the warnings"}


def test_damaged_member() -> None:
    damaged = Path("d/jw09301005_calints.fits")
    damaged.write_text("no")
    path = associate("x_asn.json", [*MEMBERS, (damaged.name, "psf")])
    found = survey()
    assert made(found) == [(f"d/{ONE}", [f"d/{STAR}"])]
    assert left_out(found)[str(damaged)] == "is not a FITS file; name a FITS file"
    assert found.remarks.warnings[0].startswith(f"{path}: member {damaged} cannot be used; ")


def test_member_that_does_not_agree() -> None:
    odd = put("d/jw09301005_calints.fits", True, FILTER="F444W", shape=(30, 40))
    path = associate("x_asn.json", [(odd.name, "psf"), *MEMBERS])
    found = survey()
    assert made(found) == [(f"d/{ONE}", [f"d/{STAR}"])]
    words = f"has FILTER=F444W, not F335M, size=40×30, not 40×32 as science d/{ONE} has"
    assert left_out(found)[str(odd)] == words
    assert found.remarks.warnings == [f"{path}: psf member {odd} {words}; left out there"]


def test_roles_of_an_association_win() -> None:
    """IS_PSF may be missing, or F for the star of a library."""
    library = put("d/jw01455001_calints.fits", None)
    path = associate("l3.json", [(TWO, "psf"), (library.name, "psf"), (ONE, "science")])
    assert survey().associations == [path]


def test_exposures_that_are_each_others_references() -> None:
    associate("l3.json", [(name, kind) for name in (ONE, TWO) for kind in ("science", "psf")])
    assert made(survey()) == [(f"d/{ONE}", [f"d/{TWO}"]), (f"d/{TWO}", [f"d/{ONE}"])]


def test_candidate_that_is_none_is_replaced() -> None:
    path = associate("l3.json", MEMBERS, asn_id="mine")
    found = survey()
    assert made(found) == [(f"d/{ONE}", [f"d/{STAR}"])]
    assert found.entries[0].asn_id == "a3001"
    assert found.remarks.warnings == [f"{path} asn_id=mine: is not an association candidate"]


def test_other_json_files_are_named() -> None:
    level2 = associate(
        "l2.json",
        [("x_rateints.fits", "science"), ("y_rateints.fits", "background")],
        asn_type="None",
    )
    image = associate("image3.json", MEMBERS, asn_type="image3")
    found = survey()
    assert made(found) == [(f"d/{name}", [f"d/{STAR}"]) for name in (ONE, TWO)]
    by_hand = "list its files under `exposures` in the configuration"
    assert left_out(found) == {
        str(level2): f"exptype: has no psf members; add them, or {by_hand}",
        str(image): "asn_type=image3: is not a level-3 coronagraphic association; "
        f"name one of type coron3, or {by_hand}",
    }
