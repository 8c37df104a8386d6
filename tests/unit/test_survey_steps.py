"""Files of the same names: copies count once, processing steps are never mixed."""

import shutil
from pathlib import Path

import pytest
from intake import left_out, made, put, survey_folders

SCIENCE, STAR = "jw01001_calints.fits", "jw03001_calints.fits"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory."""
    monkeypatch.chdir(tmp_path)


def pair(folder: str) -> tuple[str, list[str]]:
    put(f"{folder}/{SCIENCE}")
    put(f"{folder}/{STAR}", True)
    return f"{folder}/{SCIENCE}", [f"{folder}/{STAR}"]


def step(folder: str, used: str) -> str:
    return (
        f"{folder} holds another processing step than {used}, which is used; "
        f"name {folder} alone to use it"
    )


@pytest.mark.parametrize(
    ("folders", "used"),
    [
        (("d/bgsub", "d/medsub", "d/nanreplaced"), "d/medsub"),
        (("d/aligned", "d/stage2"), "d/stage2"),
        (("d", "d/bgsub"), "d"),
        (("d/new", "d/old"), "d/new"),
        (("d/Aligned", "d/BGsub"), "d/BGsub"),
    ],
)
def test_one_step_is_used(folders: tuple[str, ...], used: str) -> None:
    pairs = {folder: pair(folder) for folder in folders}
    found = survey_folders([Path("d")])
    assert made(found) == [pairs[used]]
    assert left_out(found) == {
        str(path): step(folder, used)
        for folder, (science, psfs) in pairs.items()
        if folder != used
        for path in (science, *psfs)
    }


def test_complete_step_goes_first() -> None:
    put(f"d/medsub/{SCIENCE}")
    complete = pair("d/padded")
    found = survey_folders([Path("d")])
    assert made(found) == [complete]
    assert left_out(found) == {f"d/medsub/{SCIENCE}": step("d/medsub", "d/padded")}


def test_steps_that_hold_a_part_each_are_not_mixed() -> None:
    science = put(f"d/medsub/{SCIENCE}")
    star = put(f"d/bgsub/{STAR}", True)
    found = survey_folders([Path("d")])
    assert made(found) == []
    title = "NIRCAM F335M MASKA335R SUB320A335R NRCALONG, 40×32 pixels"
    assert left_out(found) == {
        str(
            science
        ): f"no reference star with {title} of the same processing step; that in d/bgsub "
        "is another one; fetch its calints, from this program or another",
        str(star): "no science exposure of the same processing step",
    }


def test_steps_in_a_folder_for_each_observation() -> None:
    for name in ("bgsub", "medsub"):
        put(f"d/Obs1/{name}/{SCIENCE}")
        put(f"d/Obs3/{name}/{STAR}", True)
    found = survey_folders([Path("d")])
    assert made(found) == [(f"d/Obs1/medsub/{SCIENCE}", [f"d/Obs3/medsub/{STAR}"])]


def test_star_that_lies_with_each_observation() -> None:
    """Copies of it are one star; and two calibrations of it are two, each for its own science."""
    first, second = put("d/A/jw01001_calints.fits"), put("d/B/jw02001_calints.fits")
    star = put(f"d/A/{STAR}", True)
    shutil.copy(star, f"d/B/{STAR}")
    found = survey_folders([Path("d")])
    assert made(found) == [(str(first), [str(star)]), (str(second), [str(star)])]
    assert left_out(found) == {f"d/B/{STAR}": f"is a copy of {star}"}
    put(f"d/B/{STAR}", True)
    found = survey_folders([Path("d")])
    assert made(found) == [(str(first), [str(star)]), (str(second), [f"d/B/{STAR}"])]
    assert left_out(found) == {}


def test_copy_under_another_name_counts_once() -> None:
    expected = pair("d")
    shutil.copy(f"d/{STAR}", "d/jw03001_copy_calints.fits")
    found = survey_folders([Path("d")])
    assert made(found) == [expected]
    assert left_out(found) == {"d/jw03001_copy_calints.fits": f"is a copy of d/{STAR}"}


def test_folder_for_each_file_and_a_copy_of_some() -> None:
    tree = Path("d/mastDownload/JWST")
    science = put(tree / "jw01001" / SCIENCE)
    star = put(tree / "jw03001" / STAR, True)
    Path("d/flat").mkdir()
    shutil.copy(star, "d/flat")
    found = survey_folders([Path("d")])
    assert made(found) == [(str(science), [str(star)])]
    Path(f"d/flat/{STAR}").unlink()
    put(f"d/old/{STAR}", True)  # of another calibration
    found = survey_folders([Path("d")])
    assert made(found) == [(str(science), [str(star)])]
    assert left_out(found) == {f"d/old/{STAR}": step("d/old", str(star.parent))}
