"""Association files of the pipeline are read, and wrong ones are refused."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from files import refused, write_association

from psfalign.campaign.associations import ROLES, check_member, read_association
from psfalign.errors import InputError

MEMBERS = [("s.fits", "science"), ("p.fits", "psf")]
BY_HAND = "list its files under `exposures` in the configuration"
LACKS = f"lacks products whose members have expname and exptype; complete it, or {BY_HAND}"


def members(*names: tuple[str, str]) -> list[dict[str, str]]:
    return [{"expname": name, "exptype": kind} for name, kind in names]


def test_members_are_sorted_by_type_in_the_order_of_the_file(tmp_path: Path) -> None:
    names = [
        ("p2.fits", "psf"),
        ("s.fits", "Science"),
        ("ta.fits", "target_acquisition"),
        ("p1.fits", "psf"),
    ]
    association = read_association(write_association(tmp_path / "asn.json", names))
    (product,) = association.products
    assert product.science == (tmp_path / "s.fits",)
    assert product.psfs == (tmp_path / "p2.fits", tmp_path / "p1.fits")
    assert product.name == "jw09999-a3001_t001_nircam"
    assert association.asn_id == "a3001"
    assert association.left_out == ()


def test_member_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [*MEMBERS, *MEMBERS])
    (product,) = read_association(path).products
    assert (len(product.science), len(product.psfs)) == (1, 1)


def test_absolute_member_paths_stay(tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [("/x/s.fits", "science"), ("p.fits", "psf")])
    assert read_association(path).products[0].science == (Path("/x/s.fits"),)


def test_member_beside_the_association_goes_before_one_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("in/asn.json")
    path.parent.mkdir()
    write_association(path, MEMBERS)
    for name in ("s.fits", "p.fits", "in/p.fits"):
        Path(name).touch()
    (product,) = read_association(path).products
    assert (product.science, product.psfs) == ((Path("s.fits"),), (Path("in/p.fits"),))


@pytest.mark.parametrize(
    "kind", ["coron3", "CORON3", " coron3 ", "user_built", "None", "none", "", None]
)
def test_types_of_the_archive_and_of_people(kind: Any, tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", MEMBERS, asn_type=kind)
    assert len(read_association(path).products) == 1


def test_what_an_association_may_lack(tmp_path: Path) -> None:
    path = tmp_path / "l3asn.json"
    path.write_text(json.dumps({"products": [{"members": members(*MEMBERS)}]}))
    association = read_association(path)
    assert association.asn_id == "a3001"
    assert association.products[0].name == ""


def test_edited_by_hand(tmp_path: Path) -> None:
    names = [(" ./s.fits ", "SCIENCE"), ("p.fits", " Psf "), ("gone.fits", "Background")]
    path = write_association(tmp_path / "asn.json", names, asn_type="coron3")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(path.read_bytes().decode().encode(encoding))
        association = read_association(path)
        (product,) = association.products
        assert product.science == (tmp_path / "s.fits",)
        assert product.psfs == (tmp_path / "p.fits",)
        assert association.left_out == ("1 member of exptype background not used",)
        write_association(path, names)


def test_all_products_are_read(tmp_path: Path) -> None:
    products = [
        {"name": "one", "members": members(*MEMBERS)},
        {"name": "lonely", "members": members(("s2.fits", "science"))},
        {"name": "two", "members": members(("s3.fits", "science"), ("p3.fits", "psf"))},
    ]
    association = read_association(write_association(tmp_path / "a.json", [], products=products))
    assert [product.name for product in association.products] == ["one", "two"]
    assert association.left_out == ("products[1] 'lonely' left out, it has no psf members",)


def test_same_exposures_as_science_and_psf(tmp_path: Path) -> None:
    """Programs whose stars are each other's references list them so."""
    names = [(f"{name}.fits", kind) for name in "ab" for kind in ("science", "psf")]
    (product,) = read_association(write_association(tmp_path / "asn.json", names)).products
    assert product.science == product.psfs == (tmp_path / "a.fits", tmp_path / "b.fits")


@pytest.mark.parametrize("text", ["", "not json", "{", '{"a": 1,}', "SIMPLE  = T"])
def test_item_17_not_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text(text)
    message = f"^{path}: is not JSON: .*; correct it with a text editor, or {BY_HAND}$"
    with pytest.raises(InputError, match=message):
        read_association(path)


def test_item_17_in_no_unicode_encoding(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_bytes(b'{"asn_type": "\xff"}')
    with pytest.raises(InputError, match=f"^{path}: is not JSON: .*0xff.*; correct it "):
        read_association(path)


def test_item_17_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text("[" * 2 * sys.getrecursionlimit())
    with pytest.raises(InputError, match=r"^.*asn\.json: is not JSON: .*; correct it "):
        read_association(path)


def test_item_17_a_list_at_the_top(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text("[]")
    with refused(f"{path}: is not an association; name a coron3 association", InputError):
        read_association(path)


@pytest.mark.parametrize("kind", ["image2", "image3", "wfs-image2", 3])
def test_item_17_other_type(kind: Any, tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", MEMBERS, asn_type=kind)
    message = (
        f"{path} asn_type={kind}: is not a level-3 coronagraphic association; "
        f"name one of type coron3, or {BY_HAND}"
    )
    with refused(message, InputError):
        read_association(path)


@pytest.mark.parametrize("kind", ["science", "psf"])
def test_item_17_no_members_of_a_type(kind: str, tmp_path: Path) -> None:
    names = [member for member in MEMBERS if member[1] != kind]
    path = write_association(tmp_path / "asn.json", names, asn_type="None")
    with refused(f"{path} exptype: has no {kind} members; add them, or {BY_HAND}", InputError):
        read_association(path)


def test_item_17_no_product_has_both(tmp_path: Path) -> None:
    products = [{"name": name, "members": members((f"{name}.fits", name))} for name in ROLES]
    path = write_association(tmp_path / "asn.json", [], products=products)
    problem = "no product has science and psf members"
    with refused(f"{path} exptype: {problem}; add them, or {BY_HAND}", InputError):
        read_association(path)


@pytest.mark.parametrize(
    "products",
    [
        None,
        "x",
        [None],
        [{"name": "x"}],
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


def test_item_17_without_products(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    path.write_text("{}")
    with refused(f"{path}: {LACKS}", InputError):
        read_association(path)


@pytest.mark.parametrize("products", [[], {}, [{"name": "x", "members": []}]], ids=repr)
def test_item_17_empty(products: Any, tmp_path: Path) -> None:
    path = write_association(tmp_path / "asn.json", [], products=products)
    with refused(f"{path} exptype: has no science members; add them, or {BY_HAND}", InputError):
        read_association(path)


def test_item_17_missing_member_says_where_it_was_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    remedy = "fetch the file, correct expname, or remove the member"
    relative = f"{path} expname=x/s.fits: no such file in {tmp_path}, nor in the working directory; {remedy}"
    with refused(relative, InputError):
        check_member(tmp_path / "x/s.fits", path)
    with refused(f"{path} expname=/no/s.fits: no such file; {remedy}", InputError):
        check_member(Path("/no/s.fits"), path)
    (tmp_path / "s.fits").touch()
    check_member(tmp_path / "s.fits", path)


def test_item_18_missing(tmp_path: Path) -> None:
    path = tmp_path / "asn.json"
    with refused(f"{path}: no such file; check the path", InputError):
        read_association(path)


def test_a_bad_disk_is_no_bad_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_association(tmp_path / "asn.json", [])

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
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
