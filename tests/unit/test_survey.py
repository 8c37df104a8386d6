"""The configuration that `psfalign campaign` writes is right, and accounts for every file."""

import gzip
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from files import (
    digests,
    refused,
    ring,
    snakemake,
    write_association,
    write_exposure,
    write_mask,
    write_psfs,
)
from intake import accounted, left_out, made, put

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.survey.campaign import survey_folders
from psfalign.campaign.yaml import read_yaml
from psfalign.cli import main
from psfalign.errors import ConfigError

SCIENCE, STAR = "jw1_calints.fits", "jw2_calints.fits"
TITLE = "NIRCAM F335M MASKA335R SUB320A335R NRCALONG"
BY_HAND = "list it under `exposures` in the configuration"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A science exposure, one of a reference star, and a mask, in the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data")
    write_exposure(folder / SCIENCE, IS_PSF=False)
    write_psfs(folder / "star" / STAR, IS_PSF=True)
    write_mask(folder / "masks" / "mask.fits")
    return folder


def campaign(*arguments: object) -> int:
    return main(["campaign", *map(str, arguments)])


def lines_left_out(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().err.splitlines()
    return [x.removeprefix("psfalign: left out: ") for x in lines if "left out" in x]


def test_exposures_are_grouped_by_their_headers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "jw3_calints.fits")
    for name, is_psf in (("jw0", True), ("jw4", False)):
        write_exposure(folder / f"{name}_calints.fits", FILTER="F250M", IS_PSF=is_psf)
    write_mask(folder / "masks" / "f250m.fits", FILTER="F250M")
    before = digests(folder)
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == []
    assert digests(folder) == before
    config = read_yaml(Path("my_campaign.yaml"))
    assert config == {
        "output_dir": "my_campaign_results",
        "exposures": [
            {
                "science": "data/jw4_calints.fits",
                "psfs": ["data/jw0_calints.fits"],
                "asn_id": "a3001",
            },
            {"science": f"data/{SCIENCE}", "psfs": [f"data/star/{STAR}"], "asn_id": "a3002"},
            {
                "science": "data/jw3_calints.fits",
                "psfs": [f"data/star/{STAR}"],
                "asn_id": "a3002",
            },
        ],
        "psfmask": {"references": ["data/masks"]},
    }
    assert f"  # a3002: {TITLE}; 2 science, 1 psf exposures\n" in Path(
        "my_campaign.yaml"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("with_association", [False, True])
def test_file_passes_check_and_a_dry_run(folder: Path, with_association: bool) -> None:
    if with_association:
        members = [(SCIENCE, "science"), (f"star/{STAR}", "psf")]
        write_association(folder / "jw9_coron3_00001_asn.json", members)
    assert campaign(folder) == 0
    assert main(["check", "my_campaign.yaml"]) == 0
    planned = snakemake(Path.cwd(), "--configfile", "my_campaign.yaml", "-n")
    assert planned.returncode == 0, planned.stderr
    assert "jw1_a3001_psfalign.fits" in planned.stdout


def test_every_file_is_used_or_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One wrong file takes nothing along, and the terminal and the configuration name it."""
    names = ("uncal", "rate", "rateints", "cal", "i2d", "psfsub", "unknown")
    others = [put(folder / "stage1" / f"jw1_{name}.fits") for name in names]
    cut = put(folder / "jw5_calints.fits", True)
    cut.write_bytes(cut.read_bytes()[:-2880])
    packed = folder / "jw6_calints.fits.gz"
    packed.write_bytes(gzip.compress(cut.read_bytes()))
    empty, broken = folder / "jw7_calints.fits", folder / "link_calints.fits"
    empty.touch()
    broken.symlink_to("nowhere.fits")
    link = folder / "other_calints.fits"
    link.symlink_to(SCIENCE)
    (folder / "loop").symlink_to(folder.absolute())
    for name in ("pool.json", "notes_asn.json"):
        (folder / name).write_text("[]" if name == "pool.json" else "{")
    (folder / ".snakemake").mkdir()
    (folder / ".snakemake" / "facts.json").write_text("{}")
    files = [*others, cut, packed, empty, broken, link, *folder.glob("*.json")]
    assert campaign(folder) == 0
    said, text = capsys.readouterr().err, Path("my_campaign.yaml").read_text(encoding="utf-8")
    for path in files:
        assert f"#     {path}\n" in text
    assert f"# Not used, {len(files)} of {len(files) + 3} FITS and JSON files:" in text
    assert "left out: 3 files: is not calibrated; fetch the _calints file" in said
    survey = survey_folders([folder])
    accounted(survey, files)
    assert made(survey) == [(f"data/{SCIENCE}", [f"data/star/{STAR}"])]
    reasons = left_out(survey)
    assert reasons[str(link)] == f"is the same file as {folder / SCIENCE}"
    assert reasons[str(broken)] == "no such file; check the path"
    assert reasons[str(empty)] == "is empty; fetch it again"


def test_nothing_to_align_names_every_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written that could name them."""
    (folder / SCIENCE).unlink()
    names = [put(folder / f"jw{number}_rateints.fits") for number in range(9)]
    assert campaign(folder) == 1
    lines = capsys.readouterr().err.splitlines()
    for name in (*names, folder / "star" / STAR):
        assert any(str(name) in line for line in lines)
    assert lines[-1] == (
        "psfalign: error: my_campaign.yaml: no exposure that can be aligned was found; "
        "correct what was left out, or write it by hand"
    )
    assert not Path("my_campaign.yaml").exists()


def test_long_lists_are_cut_on_the_terminal_only(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [put(folder / f"jw{number}_rateints.fits") for number in range(9)]
    assert campaign(folder) == 0
    (line,) = (x for x in capsys.readouterr().err.splitlines() if "left out" in x)
    assert line.endswith(
        f": {', '.join(map(str, names[:3]))} and 6 more, named in my_campaign.yaml"
    )


def test_exposure_that_no_mask_serves_takes_nothing_along(folder: Path) -> None:
    early = write_exposure(folder / "jw4_calints.fits", IS_PSF=False, DATE_OBS="2021-01-01")
    survey = survey_folders([folder])
    assert made(survey) == [(f"data/{SCIENCE}", [f"data/star/{STAR}"])]
    assert left_out(survey)[str(early)].startswith("no mask for INSTRUME=NIRCAM, ")


def test_psfs_of_exposures_that_no_mask_serves_are_named(folder: Path) -> None:
    science = put(folder / "jw4_calints.fits", FILTER="F444W")
    star = put(folder / "jw5_calints.fits", True, FILTER="F444W")
    reasons = left_out(survey_folders([folder]))
    assert reasons[str(science)].startswith("no mask matches INSTRUME=NIRCAM, FILTER=F444W, ")
    assert reasons[str(star)] == f"{science}, which it serves, is left out"


def test_several_folders_and_files(folder: Path) -> None:
    shutil.move(folder / "star", "library")
    places = [folder, Path("library"), folder / SCIENCE, folder / "masks"]
    survey = survey_folders(places)
    assert made(survey) == [(f"data/{SCIENCE}", [f"library/{STAR}"])]
    assert left_out(survey) == {}
    assert survey.n_files == 3


@pytest.mark.parametrize("name", ["a b", "x{y}", "a\nb", "-x"])
def test_names_that_results_or_paths_cannot_have(folder: Path, name: str) -> None:
    path = put(folder / f"{name}_calints.fits")
    survey = survey_folders([folder])
    assert made(survey) == [(f"data/{SCIENCE}", [f"data/star/{STAR}"])]
    assert list(left_out(survey)) == [str(path)]
    assert "rename the file" in left_out(survey)[str(path)]


def test_results_of_an_earlier_campaign_are_no_input(folder: Path) -> None:
    done = folder / "my_campaign_results"
    put(done / "jw1_a3001" / "jw1_a3001_clean.fits")
    put(done / "jw1_a3001" / "jw1_a3001_psfalign.fits", True)
    put(done / "psfstacks" / "jw2_psfstack.fits", True, STACKVER="psfalign 0.1.0")
    survey = survey_folders([folder])
    assert made(survey) == [(f"data/{SCIENCE}", [f"data/star/{STAR}"])]
    assert set(left_out(survey).values()) == {
        "is a result, no input",
        "was made by psfalign; its psf exposures are the input",
    }


def test_two_campaigns_have_folders_of_their_own(folder: Path) -> None:
    for name, output in (
        ("a.yaml", "a_results"),
        ("in/b.yaml", "in/b_results"),
        ("{c}.yml", "_c__results"),
    ):
        Path(name).parent.mkdir(exist_ok=True)
        assert campaign(folder, "--output", name) == 0
        assert read_yaml(Path(name))["output_dir"] == output


def test_masks_by_folder_file_and_glob(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move(folder / "masks", "masks")
    other = write_mask(Path("masks/other.fits"), FILTER="F444W")
    for place, references in (
        (["masks"], ["masks"]),
        (["masks/*.fits"], ["masks"]),
        (["masks/mask.fits", str(other)], ["masks"]),
        (["masks/mask.fits"], ["masks/mask.fits"]),
    ):
        survey = survey_folders([folder], place)
        assert survey.config["psfmask"]["references"] == references
        assert len(survey.entries) == 1
    assert left_out(survey) == {
        str(other): "lies beside a mask that --masks names, and is not named"
    }
    assert campaign(folder, "--masks", "masks/no*.fits") == 1
    assert capsys.readouterr().err == (
        "psfalign: error: psfmask.references=masks/no*.fits: names no FITS file; "
        "name a file, a folder with .fits files or a glob\n"
    )


def test_what_lies_among_masks_is_named(folder: Path) -> None:
    flat = write_mask(folder / "masks" / "flat.fits", REFTYPE="FLAT")
    bare = write_mask(folder / "mymask.fits", REFTYPE=None)
    survey = survey_folders([folder], [str(folder / "masks")])
    assert survey.config["psfmask"]["references"] == ["data/masks/mask.fits"]
    reasons = left_out(survey)
    assert reasons[str(flat)].startswith("REFTYPE=FLAT: is not a PSFMASK file; ")
    assert reasons[str(bare)].startswith(
        "REFTYPE: missing or blank, so psfmask.references cannot hold it"
    )


def test_masks_are_named_by_folder_only_where_it_holds_nothing_else(folder: Path) -> None:
    shutil.rmtree(folder / "masks")
    more = Path("more")
    for place in (more, more / "deep"):
        write_mask(place / "a.fits", ring(), FILTER="F250M" if place == more else "F335M")
    write_mask(more / "flat.fits", REFTYPE="FLAT")
    assert campaign(folder, "--masks", more, folder) == 0
    references = read_yaml(Path("my_campaign.yaml"))["psfmask"]["references"]
    assert references == ["more/a.fits", "more/deep"]


def test_incomplete_mask_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mask(folder / "masks" / "b.fits", USEAFTER=None)
    assert campaign(folder) == 0
    [line] = lines_left_out(capsys)
    assert line.startswith("USEAFTER: missing or blank, so psfmask.references cannot hold")
    assert read_yaml(Path("my_campaign.yaml"))["psfmask"]["references"] == ["data/masks/mask.fits"]


def test_without_masks_the_file_is_written_with_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "masks")
    assert campaign(folder, "--output", "new.yaml") == 0
    assert capsys.readouterr().err == (
        "psfalign: warning: new.yaml: psfmask.references is empty; before you run it, name masks "
        "there, or make them with `psfalign make-psfmask`; docs/masks.md says where they come from\n"
    )
    assert main(["check", "new.yaml"]) == 1
    assert "no mask matches INSTRUME=NIRCAM" in capsys.readouterr().err


@pytest.mark.parametrize("dangling", [False, True])
def test_existing_file_is_never_written_over(
    folder: Path, dangling: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("my_campaign.yaml")
    path.symlink_to("elsewhere.yaml") if dangling else path.write_text("mine")
    assert campaign(folder) == 1
    assert capsys.readouterr().err == (
        "psfalign: error: my_campaign.yaml: exists already; name another --output\n"
    )
    assert not Path("elsewhere.yaml").exists()
    assert dangling or path.read_text() == "mine"


def test_place_that_is_not_there(tmp_path: Path) -> None:
    message = f"{tmp_path}/no: no such file or folder; name folders of calibrated exposures"
    with refused(message, ConfigError):
        survey_folders([tmp_path / "no"])


def test_paths_that_yaml_could_take_for_something_else(folder: Path) -> None:
    for name in ("1e5", "- yes: no #1", "[a]", "ü (b)"):
        shutil.copytree(folder, f"{name}/")
        output = f"{name}.yaml"
        assert campaign(f"{name}/", "--output", output) == 0
        (exposure,) = plan_exposures(complete_config(read_yaml(Path(output))))
        assert exposure.science == Path(name) / SCIENCE


@pytest.mark.parametrize(
    ("name", "n_science", "n_psfs"), [("nircam_f444w", 2, 6), ("miri_f1140c", 1, 4)]
)
def test_flight_exposures(
    name: str,
    n_science: int,
    n_psfs: int,
    shared_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "flight.yaml"
    assert campaign(shared_data / "flight" / name, "--output", output) == 0
    assert lines_left_out(capsys) == []
    planned = snakemake(tmp_path, "--configfile", output, "-n")
    assert planned.returncode == 0, planned.stderr
    config = read_yaml(output)
    exposures = plan_exposures(complete_config(config))
    assert [len(exposure.stack.members) for exposure in exposures] == [n_psfs] * n_science
    assert {exposure.asn_id for exposure in exposures} == {"a3001"}
    (mask,) = config["psfmask"]["references"]
    assert Path(mask).name.startswith("psfmask_")


def test_all_flight_exposures_at_once(shared_data: Path, tmp_path: Path) -> None:
    masks = [str(shared_data / "psfmask")]
    survey = survey_folders([shared_data / "flight"], masks)
    assert [entry.title for entry in survey.entries] == [
        "MIRI F1140C 4QPM_1140 MASK1140 MIRIMAGE",
        *["NIRCAM F444W MASKA335R SUB320A335R NRCALONG"] * 2,
    ]
    assert Path(masks[0]) in survey.references
    assert len(survey.references) == 3
    assert left_out(survey) == {}


@pytest.mark.parametrize("arrangement", ["one folder", "folder for each", "stages"])
def test_flight_exposures_in_three_arrangements(
    arrangement: str, shared_data: Path, tmp_path: Path
) -> None:
    """Both instruments, 2 NIRCam rolls with 6 psfs and a MIRI exposure with 4, however they lie."""
    for path in sorted((shared_data / "flight").rglob("*.fits")):
        root = path.name.removesuffix("_calints.fits")
        folders = {
            "one folder": ["all"],
            "folder for each": [f"mastDownload/JWST/{root}"],
            "stages": ["stage2", "bgsub"],
        }[arrangement]
        for name in folders if root != path.name else ["masks"]:
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path.name).symlink_to(path)
        if arrangement == "stages" and root != path.name:
            copy = tmp_path / "bgsub" / path.name
            copy.unlink()
            copy.write_bytes(path.read_bytes())
            with fits.open(copy, mode="update") as hdus:
                hdus[0].header["HISTORY"] = "background subtracted"
                hdus[0].add_checksum(when="")
    survey = survey_folders([tmp_path])
    assert sorted(len(psfs) for _, psfs in made(survey)) == [4, 6, 6]
    used = {Path(path).parent.name for science, psfs in made(survey) for path in (science, *psfs)}
    assert arrangement != "stages" or used == {"stage2"}
    assert len(left_out(survey)) == (13 if arrangement == "stages" else 0)
