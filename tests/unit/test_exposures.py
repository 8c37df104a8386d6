"""Names and stacks of a campaign: unique, harmless, and shared where they can be."""

import copy
import os
import re
from pathlib import Path
from typing import Any

import pytest
from files import refused, write_association

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.exposures import list_warnings, plan_exposures, safe_name
from psfalign.errors import ConfigError
from psfalign.steps.registry import Scope

NAME_RULE = (
    "cannot be the name of results; "
    "name files with letters, digits, _ . and -, not beginning with a dash"
)


def plan(*entries: tuple[str, Any, str], associations: list[str] | None = None) -> Any:
    config = complete_config(
        {
            "exposures": [{"science": s, "psfs": p, "asn_id": a} for s, p, a in entries],
            "associations": associations or [],
        }
    )
    before = copy.deepcopy(config)
    try:
        return plan_exposures(config)
    finally:
        assert config == before


def test_exposure_is_named_for_its_science_file_and_candidate() -> None:
    (exposure,) = plan(("in/jw1_calints.fits", "x/star_psfstack.fits", "c1001"))
    assert exposure.name == "jw1_c1001"
    assert exposure.stack.name == "star"
    assert exposure.stack.is_stacked
    assert exposure.stack.members == (Path("x/star_psfstack.fits"),)
    assert exposure.psfmask is None


def test_list_of_psfs_is_a_stack_that_exposures_share() -> None:
    psfs = ["p1_calints.fits", "p2_calints.fits"]
    first, second, third = plan(
        ("a_calints.fits", psfs, "a1"),
        ("b_calints.fits", psfs, "a1"),
        ("c_calints.fits", psfs[::-1], "a1"),
    )
    assert first.stack is second.stack
    assert not first.stack.is_stacked
    assert third.stack.name != first.stack.name


def test_one_calints_as_psfs_is_a_stack_of_one() -> None:
    (exposure,) = plan(("a_calints.fits", "p_calints.fits", "a1"))
    assert not exposure.stack.is_stacked


def test_same_science_with_two_candidates_is_two_exposures() -> None:
    names = [
        e.name
        for e in plan(("a.fits", "p_psfstack.fits", "a1"), ("a.fits", "p_psfstack.fits", "a2"))
    ]
    assert names == ["a_a1", "a_a2"]


@pytest.mark.parametrize("other", ["b/a_calints.fits", "b/A_calints.fits", "b/a.fits"])
def test_item_09_two_exposures_with_one_name(other: str) -> None:
    root = Path(other).name.removesuffix(".fits").removesuffix("_calints")
    message = (
        f"exposures[0] and exposures[1] would both write {root}_a1; "
        "remove one, or list it under exposures with another asn_id"
    )
    with refused(message, ConfigError):
        plan(("a_calints.fits", "p.fits", "a1"), (other, "p.fits", "a1"))


def test_two_stacks_with_one_name_are_told_apart(tmp_path: Path) -> None:
    """Folders may each hold a psfstack of one name; case makes no difference on some disks."""
    first, second, third = plan(
        ("a.fits", "x/p_psfstack.fits", "a1"),
        ("b.fits", "y/P_psfstack.fits", "a1"),
        ("c.fits", "z/q_psfstack.fits", "a1"),
    )
    names = [e.stack.name for e in (first, second, third)]
    assert re.fullmatch(r"p_[0-9a-f]{8} P_[0-9a-f]{8} q", " ".join(names))
    backwards = plan(("b.fits", "y/P_psfstack.fits", "a1"), ("a.fits", "x/p_psfstack.fits", "a1"))
    assert [e.stack.name for e in backwards] == names[1::-1]


@pytest.mark.parametrize(
    "root", ["-x", "a b", "a{b}", ".hidden", "_x", "a..b", "é", "a;b", "a'b", "x" * 126, "a\tb"]
)
def test_item_10_names_that_are_no_names(root: str) -> None:
    science = f"{root}_calints.fits"
    message = f"exposures[0] science={science}: {f'{root}_a1'!r} {NAME_RULE}"
    with refused(" ".join(message.split()), ConfigError):
        plan((science, "p.fits", "a1"))


def test_item_10_folders_of_the_science_do_not_leak_into_the_name() -> None:
    (exposure,) = plan(("../../x/../a_calints.fits", "p.fits", "a1"))
    assert exposure.name == "a_a1"


def test_item_10_longest_name() -> None:
    (exposure,) = plan(("x" * 125 + "_calints.fits", "p.fits", "a1"))
    assert len(exposure.name) == 128


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../evil", "evil"),
        ("a/b", "a_b"),
        ("-rf", "rf"),
        ("logs", "logs_psfs"),
        ("Level 3", "Level_3"),
        ("*betPic-F335M", "betPic-F335M"),
        ("jw01_{source_id}", "jw01__source_id"),
        ("β Pic é", "Pic_e"),
        ("a..b", "a_b"),
        ("***", "psfs"),
        ("x" * 200, "x" * 100),
    ],
)
def test_item_10_any_text_makes_a_safe_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["../../evil", "a/b", "-rf", "logs", "x y", ""])
def test_item_10_product_name_of_an_association_names_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    members = [{"expname": "s.fits", "exptype": "science"}, {"expname": "p.fits", "exptype": "psf"}]
    write_association(path, [], products=[{"name": name, "members": members}])
    (exposure,) = plan(associations=[str(path)])
    assert (exposure.name, exposure.stack.name) == ("s_a3001", "p_1psfs_01488cd2")
    assert exposure.product == name


def write_two_associations(folder: Path) -> list[str]:
    """Associations with one product name, other science members, and a psf more in the second."""
    paths = []
    for index, psfs in enumerate((["p1.fits", "p2.fits"], ["p1.fits", "p2.fits", "p3.fits"])):
        members = [(f"s{index}.fits", "science"), *((psf, "psf") for psf in psfs)]
        paths.append(str(write_association(folder / f"asn{index}.json", members)))
    return paths


@pytest.mark.bad_input(57)
def test_associations_with_one_product_name_live_side_by_side(tmp_path: Path) -> None:
    first, second = plan(associations=write_two_associations(tmp_path))
    assert first.stack.name.startswith("p1_2psfs_")
    assert second.stack.name.startswith("p1_3psfs_")


@pytest.mark.bad_input(57)
def test_no_name_depends_on_what_comes_first(tmp_path: Path) -> None:
    def names(exposures: list[Any]) -> dict[str, str]:
        return {exposure.name: exposure.stack.name for exposure in exposures}

    paths = write_two_associations(tmp_path)
    more = str(tmp_path / "more.json")
    members = [("s3.fits", "science"), ("p1.fits", "psf"), ("p2.fits", "psf")]
    write_association(Path(more), members)
    every = names(plan(associations=[more, *paths]))
    assert every["s3_a3001"] == every["s0_a3001"]
    assert names(plan(associations=[*reversed(paths), more])) == every
    assert names(plan(associations=paths)).items() <= every.items()


@pytest.mark.bad_input(57)
def test_order_of_psfs_which_is_that_of_the_planes_is_in_the_name() -> None:
    one, other = plan(
        ("a.fits", ["p1.fits", "p2.fits"], "a1"), ("b.fits", ["p2.fits", "p1.fits"], "a1")
    )
    assert one.stack.name != other.stack.name


def test_one_file_spelled_in_two_ways_is_one_stack(tmp_path: Path) -> None:
    spelled = f"{tmp_path}/x/../p.fits"
    (tmp_path / "x").mkdir()
    one, other = plan(("a.fits", [f"{tmp_path}/p.fits"], "a1"), ("b.fits", [spelled], "a1"))
    assert one.stack is other.stack


def test_item_10_name_of_a_psfstack() -> None:
    """The notebooks' product is called `Level 3`."""
    (exposure,) = plan(("s_calints.fits", "in/Level 3_psfstack.fits", "a1"))
    assert exposure.stack.name == "Level_3"


def test_association_without_a_product_name(tmp_path: Path) -> None:
    members = [{"expname": "s.fits", "exptype": "science"}, {"expname": "p.fits", "exptype": "psf"}]
    path = write_association(tmp_path / "asn.json", [], products=[{"members": members}])
    (exposure,) = plan(associations=[str(path)])
    assert re.fullmatch(r"p_1psfs_[0-9a-f]{8}", exposure.stack.name)


@pytest.mark.parametrize("asn_id", ["x1", "a", "A3001", "a3001\n", "", 7, "a30 01", "../a1"])
def test_item_16_asn_id_of_an_association(asn_id: Any, tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    write_association(path, [("s.fits", "science"), ("p.fits", "psf")], asn_id=asn_id)
    message = (
        f"associations[0] {path} asn_id={str(asn_id)!r}: is not an association candidate; "
        "write o, c or a and digits, for example a3001"
    )
    with refused(message, ConfigError):
        plan(associations=[str(path)])


@pytest.mark.parametrize("asn_id", ["o001", "c1001", "a3001"])
def test_item_16_candidates(asn_id: str) -> None:
    assert plan(("s_calints.fits", "p.fits", asn_id))[0].name == f"s_{asn_id}"


def test_item_17_same_file_as_science_and_psf() -> None:
    message = "exposures[0] science=in/a.fits: is both science and psf; remove one"
    with refused(message, ConfigError):
        plan(("in/a.fits", ["p.fits", "./in/a.fits"], "a1"))


def test_item_17_same_file_by_another_path(tmp_path: Path) -> None:
    science = tmp_path / "a.fits"
    science.touch()
    (tmp_path / "link.fits").symlink_to(science)
    relative = os.path.relpath(science)
    for psf in (tmp_path / "link.fits", tmp_path / "x" / ".." / "a.fits", relative):
        message = f"exposures[0] science={science}: is both science and psf; remove one"
        with refused(message, ConfigError):
            plan((str(science), [str(psf)], "a1"))


def test_item_18_symlink_loop_is_no_crash(tmp_path: Path) -> None:
    loop = tmp_path / "loop.fits"
    loop.symlink_to(loop)
    (exposure,) = plan((str(loop), ["p.fits"], "a1"))
    assert exposure.science == loop


def test_associations_come_first_and_each_science_member_is_an_exposure(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    members = [
        ("p1.fits", "psf"),
        ("s1.fits", "science"),
        ("t.fits", "target_acquisition"),
        ("s2.fits", "SCIENCE"),
    ]
    write_association(path, members)
    exposures = plan(("e.fits", "p.fits", "a1"), associations=[str(path)])
    assert [e.name for e in exposures] == ["s1_a3001", "s2_a3001", "e_a1"]
    assert exposures[0].stack is exposures[1].stack
    assert exposures[0].stack.name.startswith("p1_1psfs_")
    assert exposures[0].stack.members == (tmp_path / "p1.fits",)


def test_item_17_what_is_left_out_of_an_association_is_said(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    members = [
        ("s.fits", "science"),
        ("p.fits", "psf"),
        ("b.fits", "background"),
        ("c.fits", "background"),
        ("t.fits", "target_acquisition"),
    ]
    write_association(path, members)
    config = complete_config({"associations": [str(path)]})
    assert list_warnings(config) == [f"{path}: 2 members of exptype background not used"]


def test_exposures_that_are_each_others_references(tmp_path: Path) -> None:
    """SELFREF: the same files are science and psf; each gets all others."""
    names = [(f"{name}.fits", kind) for name in "abc" for kind in ("science", "psf")]
    path = write_association(tmp_path / "asn.json", names)
    exposures = plan(associations=[str(path)])
    assert ["".join(p.stem for p in e.stack.members) for e in exposures] == ["bc", "ac", "ab"]
    assert len({e.stack.name for e in exposures}) == 3


def test_item_17_exposure_that_is_its_own_only_psf(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    write_association(path, [("a.fits", "science"), ("./a.fits", "psf")])
    message = f"associations[0] {path} expname=a.fits: is its own only psf; add another psf member"
    with refused(message, ConfigError):
        plan(associations=[str(path)])


def test_products_of_one_association(tmp_path: Path) -> None:
    """Two filters under one name, and one of them twice, as loops over filters write them."""
    products = [
        {
            "name": "Level3",
            "members": [
                {"expname": f"s{name}.fits", "exptype": "science"},
                {"expname": f"p{name}.fits", "exptype": "psf"},
            ],
        }
        for name in "112"
    ]
    path = write_association(tmp_path / "asn.json", [], products=products)
    exposures = plan(associations=[str(path)])
    assert [e.name for e in exposures] == ["s1_a3001", "s2_a3001"]
    assert [e.stack.name[:9] for e in exposures] == ["p1_1psfs_", "p2_1psfs_"]


def test_products_and_associations_of_one_name_are_not_combined(tmp_path: Path) -> None:
    names = ("s1", "s2")
    products = [
        {
            "name": "Level3",
            "members": [
                {"expname": f"{name}.fits", "exptype": "science"},
                {"expname": f"p{name}.fits", "exptype": "psf"},
            ],
        }
        for name in names
    ]
    paths = [tmp_path / name / "l3 asn.json" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        write_association(
            path, [], products=products, asn_id="a1" if path.parent.name == "a" else "a2"
        )
    alone = plan(associations=[str(paths[0])])
    assert [e.name_in(Scope.ASSOCIATION) for e in alone] == ["l3_asn_1", "l3_asn_2"]
    both = plan(associations=list(map(str, paths)))
    assert len({e.name_in(Scope.ASSOCIATION) for e in both}) == 4


@pytest.mark.parametrize(
    ("name", "exposure"),
    [
        ("jw1_a3001_crfints.fits", "jw1_a1"),
        ("jw1_crfints.fits", "jw1_a1"),
        ("jw1_CALINTS.FITS", "jw1_a1"),
        ("jw1_calints.fit", "jw1_a1"),
    ],
)
def test_ends_of_names_of_exposures(name: str, exposure: str) -> None:
    (planned,) = plan((name, name.replace("jw1", "jw2"), "a1"))
    assert planned.name == exposure
    assert not planned.stack.is_stacked


def test_psf_listed_twice(tmp_path: Path) -> None:
    psf = tmp_path / "b_calints.fits"
    entry = {"science": "a_calints.fits", "psfs": [str(psf), str(psf)], "asn_id": "a3001"}
    with pytest.raises(ConfigError, match="psfs=.*b_calints.fits: is listed twice; list each psf"):
        plan_exposures(complete_config({"exposures": [entry]}))
