"""The configuration that `psfalign campaign` writes is right, and says what was left out."""

import shutil
from pathlib import Path

import pytest
from files import (
    digests,
    refused,
    ring,
    scene,
    snakemake,
    write_association,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.survey import survey_folder
from psfalign.campaign.yaml import read_yaml
from psfalign.cli import main
from psfalign.errors import ConfigError

SCIENCE, STAR = "jw1_calints.fits", "jw2_calints.fits"
TITLE = "NIRCAM F335M MASKA335R SUB320A335R NRCALONG"


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
    write_exposure(folder / "jw3_calints.fits", IS_PSF=False)
    for name, is_psf in (("jw0", True), ("jw4", False)):
        write_exposure(folder / f"{name}_calints.fits", FILTER="F250M", IS_PSF=is_psf)
    write_mask(folder / "masks" / "f250m.fits", FILTER="F250M")
    before = digests(folder)
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == []
    assert digests(folder) == before
    config = read_yaml(Path("my_campaign.yaml"))
    assert config == {
        "output_dir": "results",
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


def test_associations_precede_headers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_association(
        folder / "star" / "jw9_20240102t000000_coron3_00001_asn.json",
        [(f"../{SCIENCE}", "science"), (STAR, "psf")],
    )
    older = folder / "star" / "jw9_20240101t000000_coron3_00001_asn.json"
    shutil.copy(path, older)
    other = write_association(folder / "jw9_image2_00001_asn.json", [], asn_type="image2")
    broken = folder / "jw9_coron3_00002_asn.json"
    broken.write_text("{}")
    lost = write_association(
        folder / "jw9_coron3_00003_asn.json",
        [("lost_calints.fits", "science"), (f"star/{STAR}", "psf")],
        products=[{"name": "lost", "members": []}],
        asn_id="a3002",
    )
    write_association(
        lost, [("lost_calints.fits", "science"), (f"star/{STAR}", "psf")], asn_id="a3002"
    )
    assert campaign(folder) == 0
    assert read_yaml(Path("my_campaign.yaml"))["associations"] == [str(path)]
    assert lines_left_out(capsys) == [
        f"{older}: jw1_a3001 is made from {path}",
        f"{other} asn_type=image2: is not coron3; name a coron3 one",
        f"{broken} asn_type: is not coron3; name a coron3 one",
        f"{lost}: {folder}/lost_calints.fits: no such file; check the path",
    ]


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (
            {"IS_PSF": None},
            "IS_PSF=(missing): is not T or F; say in the configuration whether it is science or psf",
        ),
        (
            {"IS_PSF": "yes"},
            "IS_PSF=yes: is not T or F; say in the configuration whether it is science or psf",
        ),
        ({"EXP_TYPE": "NRC_TACQ"}, "EXP_TYPE=NRC_TACQ: is a target acquisition"),
        ({"EXP_TYPE": "MIR_TACONFIRM"}, "EXP_TYPE=MIR_TACONFIRM: is a target acquisition"),
        ({"BKGDTARG": True}, "BKGDTARG=True: is a background"),
        ({"CORONMSK": None}, "CORONMSK: missing or blank; is it coronagraphic?"),
    ],
)
def test_exposure_that_is_left_out(
    cards: dict[str, object], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_exposure(folder / "jw3_calints.fits", **{"IS_PSF": False, **cards})
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == [f"{path} {message}"]
    assert len(read_yaml(Path("my_campaign.yaml"))["exposures"]) == 1


def test_unreadable_files_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("jw3_calints.fits", "mask.fits"):
        (folder / name).write_text("no")
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == [
        f"{folder}/{name}: is not a FITS file; name a FITS file"
        for name in ("mask.fits", "jw3_calints.fits")
    ]


@pytest.mark.parametrize(
    ("cards", "lacking"),
    [({"FILTER": "F250M"}, "F250M MASKA335R SUB320A335R NRCALONG"),
     ({"DETECTOR": "NRCA2"}, "F335M MASKA335R SUB320A335R NRCA2")],
)  # fmt: skip
def test_group_without_reference_star_or_science(
    cards: dict[str, str], lacking: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    science = write_exposure(folder / "jw3_calints.fits", IS_PSF=False, **cards)
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == [f"{science}: no reference star with NIRCAM {lacking}"]
    Path("my_campaign.yaml").unlink()
    write_exposure(science, IS_PSF=True, **cards)
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == [f"{science}: no science exposure with NIRCAM {lacking}"]


def test_exposure_that_cannot_be_used_with_its_group_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = write_exposure(folder / "jw3_calints.fits", scene([(0, 0)])[:, 1:, :], IS_PSF=False)
    early = write_exposure(folder / "jw4_calints.fits", IS_PSF=False, DATE_OBS="2021-01-01")
    assert campaign(folder) == 0
    first, second = lines_left_out(capsys)
    assert first.startswith(f"{small}: image sizes differ (columns×rows): ")
    assert second.startswith(f"{early}: no mask for ")
    assert [e["science"] for e in read_yaml(Path("my_campaign.yaml"))["exposures"]] == [
        f"data/{SCIENCE}"
    ]


def test_copy_of_an_exposure_counts_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(folder / "star", folder / "twice"))
    assert campaign(folder) == 0
    assert lines_left_out(capsys) == [f"{copy / STAR}: {folder}/star/{STAR} has the same name"]


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
    path = write_mask(folder / "masks" / "b.fits", USEAFTER=None)
    assert campaign(folder) == 0
    [line] = lines_left_out(capsys)
    assert line.startswith(f"{path} USEAFTER: missing or blank, so psfmask.references cannot hold")
    assert read_yaml(Path("my_campaign.yaml"))["psfmask"]["references"] == ["data/masks/mask.fits"]


def test_without_masks_the_file_is_written_with_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "masks")
    assert campaign(folder, "--output", "new.yaml") == 0
    assert capsys.readouterr().err == (
        "psfalign: warning: new.yaml: psfmask.references is empty; name masks there before you "
        "run it\n"
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


def test_nothing_to_align_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / SCIENCE).unlink()
    assert campaign(folder) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        "psfalign: error: my_campaign.yaml: no exposure that can be aligned was found; "
        "mend what was left out, or write it by hand"
    )
    assert not Path("my_campaign.yaml").exists()


def test_folder_that_is_none(tmp_path: Path) -> None:
    with refused(f"{tmp_path}/no: is no folder; name the folder of the files", ConfigError):
        survey_folder(tmp_path / "no")


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
    masks = [shared_data / "psfmask"]
    survey = survey_folder(shared_data / "flight", masks)
    assert [group.title for group in survey.groups] == [
        "MIRI F1140C 4QPM_1140 MASK1140 MIRIMAGE",
        "NIRCAM F444W MASKA335R SUB320A335R NRCALONG",
    ]
    assert masks[0] in survey.references
    assert len(survey.references) == 3
    assert survey.left_out == []
