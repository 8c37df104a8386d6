"""Association files as the pipeline writes them, and as they should not be."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from files import refused, write_association

from psfalign.campaign.associations import read_association
from psfalign.errors import InputError

MEMBERS = [("s.fits", "science"), ("p.fits", "psf")]
LACKS = "lacks asn_id, or products[0] with name and members of expname and exptype; fetch it again"


def test_members_are_sorted_by_type_in_the_order_of_the_file(tmp_path: Path) -> None:
    members = [
        ("p2.fits", "psf"),
        ("s.fits", "Science"),
        ("ta.fits", "target_acquisition"),
        ("p1.fits", "psf"),
    ]
    association = read_association(write_association(tmp_path / "asn.json", members))
    assert association.science == (tmp_path / "s.fits",)
    assert association.psfs == (tmp_path / "p2.fits", tmp_path / "p1.fits")
    assert association.asn_id == "a3001"
    assert association.name == "jw09999-a3001_t001_nircam"
    assert association.unknown_types == ()


def test_member_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [*MEMBERS, *MEMBERS])
    association = read_association(path)
    assert (len(association.science), len(association.psfs)) == (1, 1)


def test_absolute_member_paths_stay(tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [("/x/s.fits", "science"), ("p.fits", "psf")])
    assert read_association(path).science == (Path("/x/s.fits"),)


@pytest.mark.parametrize("text", ["", "not json", "{", '{"a": 1,}', "SIMPLE  = T"])
def test_item_17_not_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{path}: is not JSON: .*; fetch it again$"):
        read_association(path)


def test_item_17_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_bytes(b'{"asn_type": "\xff"}')
    with pytest.raises(InputError, match=f"^{path}: is not JSON: .*0xff.*; fetch it again$"):
        read_association(path)


def test_item_17_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text("[" * 2 * sys.getrecursionlimit())
    with pytest.raises(InputError, match=r"^.*asn\.json: is not JSON: .*; fetch it again$"):
        read_association(path)


def test_item_17_a_list_at_the_top(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text("[]")
    with refused(f"{path}: is not an association; name a coron3 association", InputError):
        read_association(path)


@pytest.mark.parametrize(("kind", "subject"), [("image3", " asn_type=image3"), (None, " asn_type")])
def test_item_17_other_type(kind: Any, subject: str, tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", MEMBERS, asn_type=kind)
    with refused(f"{path}{subject}: is not coron3; name a coron3 one", InputError):
        read_association(path)


@pytest.mark.parametrize("kind", ["science", "psf"])
def test_item_17_no_members_of_a_type(kind: str, tmp_path: Path) -> None:
    members = [member for member in MEMBERS if member[1] != kind]
    path = write_association(tmp_path / "asn.json", members)
    with refused(f"{path} exptype: has no {kind} members; leave it out", InputError):
        read_association(path)


def test_item_17_same_file_as_science_and_psf(tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [*MEMBERS, ("./s.fits", "psf")])
    message = f"{path}: s.fits is both science and psf; remove one of the members"
    with refused(message, InputError):
        read_association(path)


@pytest.mark.parametrize(
    "products",
    [
        None,
        [],
        {},
        "x",
        [None],
        [{"name": "x"}],
        [{"members": []}],
        [{"name": "x", "members": [{"expname": "s.fits"}]}],
        [{"name": "x", "members": [{"exptype": "psf"}]}],
        [{"name": "x", "members": [{"exptype": 3, "expname": "s.fits"}]}],
        [{"name": "x", "members": [{"exptype": "psf", "expname": 3}]}],
        [{"name": "x", "members": ["s.fits"]}],
        [{"name": "x", "members": None}],
    ],
    ids=repr,
)
def test_item_17_incomplete(products: Any, tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [], products=products)
    with refused(f"{path}: {LACKS}", InputError):
        read_association(path)


def test_item_17_more_than_one_product(tmp_path: Path) -> None:
    """The members of the second would be left out silently."""
    members = [{"expname": "a.fits", "exptype": "science"}, {"expname": "p.fits", "exptype": "psf"}]
    products = [{"name": name, "members": members} for name in ("one", "two")]
    path = write_association(tmp_path / "asn.json", [], products=products)
    problem = "has 2 products, of which one would be made; write an association for each"
    with refused(f"{path}: {problem}", InputError):
        read_association(path)


def test_item_18_missing(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    with refused(f"{path}: no such file; check the path", InputError):
        read_association(path)


def test_a_bad_disk_is_no_bad_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_association(tmp_path / "asn.json", [])

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_text", fail)
    with refused(f"{path}: cannot be read: Input/output error; check the disk", InputError):
        read_association(path)


def test_item_18_folder(tmp_path: Path) -> None:
    with refused(f"{tmp_path}: is a folder; name a file", InputError):
        read_association(tmp_path)


def test_item_18_fifo_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    os.mkfifo(path)
    with refused(f"{path}: is not a regular file; name a regular file", InputError):
        read_association(path)
