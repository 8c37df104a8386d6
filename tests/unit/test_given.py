"""A job refuses inputs that differ from those with which it was planned."""

from pathlib import Path

import pytest
from files import digest, refused

from psfalign.campaign.given import REMEDY, check_given
from psfalign.errors import InputError


@pytest.fixture
def staged(tmp_path: Path) -> list[str]:
    """Two inputs of one name as a storage plug-in puts them, between results."""
    paths = [tmp_path / name for name in ("clean.fits", "s3/1/a.fits", "s3/2/a.fits", "mask.json")]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    return list(map(str, paths))


def planned(staged: list[str]) -> dict[str, str]:
    return {f"data/{i}/a.fits": digest(Path(staged[i])) for i in (1, 2)}


def test_inputs_are_found_by_name_and_order(staged: list[str]) -> None:
    check_given(planned(staged), staged)
    check_given({}, staged)


def test_item_61_another_file_is_refused(staged: list[str]) -> None:
    expected = planned(staged)
    Path(staged[2]).write_text("another")
    found, wanted = digest(Path(staged[2])), expected["data/2/a.fits"]
    message = f"{staged[2]}: its SHA-256 is {found[:12]}…, planned was {wanted[:12]}…; {REMEDY}"
    with refused(message, InputError):
        check_given(expected, staged)


def test_exchanged_files_are_refused(staged: list[str]) -> None:
    expected = planned(staged)
    staged[1:3] = staged[2:0:-1]
    with pytest.raises(InputError, match="its SHA-256 is"):
        check_given(expected, staged)


def test_a_missing_file_is_refused(staged: list[str]) -> None:
    message = "the job was planned with data/2/a.fits, which it was not given; start the run again"
    with refused(message, InputError):
        check_given(planned(staged), staged[:2])
