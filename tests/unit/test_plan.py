"""The plan of a campaign, made without Snakemake: its jobs, and what each depends on."""

from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from files import (
    ROOT,
    SKY,
    completed,
    digest,
    refused,
    write_association,
    write_campaign,
    write_exposure,
    write_psfs,
)

from psfalign import simulate
from psfalign.campaign.expected import Expectations
from psfalign.campaign.judgement import Judgement
from psfalign.campaign.plan import SEED, Plan
from psfalign.campaign.sizes import OF_ROLL, Sizes
from psfalign.errors import ConfigError, InputError
from psfalign.files.provenance.code import code_digest
from psfalign.files.provenance.records import software_versions
from psfalign.steps.registry import STEPS, Scope, Source

SCRIPTS = ROOT / "workflow/scripts"
NAME, STACK = "jw1_a3001", "star"
PICTURE = f"{STACK}_a3001"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which a plan remembers what it has read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config(folder: Path) -> dict[str, Any]:
    """An exposure with a psfstack and a mask, north and its star known."""
    config = write_campaign(folder)
    with fits.open(folder / "jw1_calints.fits", mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update(
            {"CRPIX1": 20.0, "CRPIX2": 16.0, "PA_APER": 30.0, "PIXAR_A2": 0.01}
        )
        hdus["SCI"].add_checksum()
    return config


def plan(config: dict[str, Any], **options: Any) -> Plan:
    return Plan(completed(config), scripts=SCRIPTS, looks="looks", **options)


def associated(folder: Path) -> dict[str, Any]:
    """Two rolls and two psf exposures in an association."""
    names = ("jw1", "jw2", "jw3", "jw4")
    for name, write in zip(
        names, (write_exposure, write_exposure, write_psfs, write_psfs), strict=True
    ):
        write(folder / f"{name}_calints.fits", OBSERVTN=name)
    kinds = ("science", "science", "psf", "psf")
    members = [(f"{name}_calints.fits", kind) for name, kind in zip(names, kinds, strict=True)]
    asn = write_association(folder / "jw_asn.json", members)
    return {"associations": [str(asn)], "psfmask": {"references": [str(folder / "mask.fits")]}}


def test_jobs_have_the_settings_that_their_steps_record(config: dict[str, Any]) -> None:
    config["align_refs"] = {"bad_bits": "OUTLIER, SATURATED", "max_shift": 4}
    made = plan(config)
    exposure = made.exposures[NAME]
    cleaning = {"median_box_length": 3, "bad_bits": 18}
    assert made.settings_of("clean_science", exposure) == cleaning
    assert made.settings_of("clean_psfs", exposure) == cleaning
    assert made.settings_of("fit_shifts", exposure)["max_shift"] == 4
    assert made.settings_of("align_psfs", exposure) == {"errors": "variance", "candidate": "a3001"}
    assert made.settings_of("combine_rolls", exposure) == {"star": "auto", "star_flux": None}
    drawing = {"style": "looks", "star": "auto", "figures": "all"}
    assert made.settings_of("plot_exposure", exposure) == drawing
    assert made.settings_of("resolve_psfmask", exposure) == {"convention": "auto"}
    assert made.settings_of("stack_psfs", exposure) == {}


def test_steps_that_take_circles_have_those_of_the_exposure(config: dict[str, Any]) -> None:
    circles = [{"column": 3, "row": 4, "radius": 2}, {"column": 30, "row": 4, "radius": 1.5}]
    config["align_refs"] = {"exclude": circles[:1]}
    config["exposures"][0]["exclude"] = circles[1:]
    made = plan(config)
    for step in ("fit_shifts", "subtract_psf"):
        assert made.settings_of(step, made.exposures[NAME])["exclude"] == circles


def test_uniform_weight_depends_on_what_makes_a_pixel_bad(config: dict[str, Any]) -> None:
    config["exposures"][0]["psfmask"] = "uniform"
    made = plan(config)
    settings = made.settings_of("resolve_psfmask", made.exposures[NAME])
    assert settings == {"convention": "auto", "bad_bits": 1}
    assert made.sources("resolve_psfmask", NAME)[Source.MASKS] == []


def test_product_of_an_association_is_named_in_what_align_does(folder: Path) -> None:
    write_campaign(folder)
    made = plan(associated(folder))
    settings = made.settings_of("align_psfs", made.exposures[NAME])
    assert settings["product_name"] == "jw09999-a3001_t001_nircam"


def test_job_depends_on_settings_inputs_and_code(config: dict[str, Any], folder: Path) -> None:
    made, mask = plan(config), folder / "mask.fits"
    job = made.job("fit_shifts", NAME)
    assert job == {
        "settings": made.settings_of("fit_shifts", made.exposures[NAME]),
        "inputs": {str(mask): digest(mask)},
        "code": code_digest(SCRIPTS / "fit_shifts.py"),
    }
    assert list(made.job("resolve_psfmask", NAME)) == ["settings", "inputs", "code"]
    assert made.job("resolve_psfmask", NAME)["settings"] == {"psfmask": None, "convention": "auto"}
    assert made.job("clean_psfs", STACK)["code"] == code_digest(SCRIPTS / "clean.py")


def test_sources_are_files_from_outside(config: dict[str, Any], folder: Path) -> None:
    made = plan(config)
    science, psfs, mask = (
        folder / name for name in ("jw1_calints.fits", "star_psfstack.fits", "mask.fits")
    )
    expected = {
        ("resolve_psfmask", NAME): {"science": [science], "masks": [mask]},
        ("stack_psfs", STACK): {"psfs": []},
        ("clean_psfs", STACK): {"psfstack": [psfs]},
        ("clean_science", NAME): {"science": [science]},
        ("fit_shifts", NAME): {"masks": [mask]},
        ("align_psfs", NAME): {"masks": [mask], "association": []},
        ("subtract_psf", NAME): {},
        ("combine_rolls", PICTURE): {},
        ("plot_exposure", NAME): {"masks": [mask]},
        ("plot_association", PICTURE): {},
        ("simulate_demo", ""): {},
    }
    assert {key[0] for key in expected} == set(STEPS)
    assert {key: made.sources(*key) for key in expected} == expected


def test_psfs_of_an_association_are_stacked_first(folder: Path) -> None:
    write_campaign(folder)
    made = plan(associated(folder))
    (stack,) = made.names(Scope.STACK)
    psfs = [folder / f"{name}_calints.fits" for name in ("jw3", "jw4")]
    assert made.sources("stack_psfs", stack) == {"psfs": psfs}
    assert made.sources("clean_psfs", stack) == {"psfstack": []}
    assert made.sources("align_psfs", NAME)[Source.ASSOCIATION] == [folder / "jw_asn.json"]
    assert made.made_by("stack_psfs", "clean_psfs", stack) == [
        Path(f"psfstacks/{stack}_psfstack.fits")
    ]


def test_what_another_step_makes_for_a_job(config: dict[str, Any], folder: Path) -> None:
    made = plan(config)
    assert made.made_by("stack_psfs", "clean_psfs", STACK) == []  # it came as one file
    assert made.made_by("clean_psfs", "fit_shifts", NAME) == [Path("psfstacks/star_clean.fits")]
    subtracted = [Path(f"{NAME}/{NAME}_psfsub.fits")]
    assert made.made_by("subtract_psf", "plot_exposure", NAME) == subtracted
    assert made.made_by("subtract_psf", "combine_rolls", PICTURE) == subtracted
    config["psf_subtraction"] = {"method": "none"}
    assert plan(config).made_by("subtract_psf", "plot_exposure", NAME) == []


def test_picture_is_made_of_all_rolls(folder: Path) -> None:
    write_campaign(folder)
    made = plan(associated(folder))
    rolls = [Path(f"{name}_a3001/{name}_a3001_psfsub.fits") for name in ("jw1", "jw2")]
    assert made.made_by("subtract_psf", "combine_rolls", "jw") == rolls


def test_rolls_are_combined_where_north_is_known(config: dict[str, Any], folder: Path) -> None:
    made = plan(config)
    assert made.combined == [PICTURE]
    assert made.list_warnings() == []
    write_exposure(folder / "jw1_calints.fits")
    made = plan(config)
    assert made.combined == []
    (warning,) = made.list_warnings()
    assert warning.startswith(
        f"{PICTURE}: its exposures are not combined: {folder}/jw1_calints.fits"
    )
    config["psf_subtraction"] = {"method": "none"}
    assert plan(config).list_warnings() == []


def rolls(folder: Path, *angles: float) -> dict[str, Any]:
    """An association of rolls whose north is known, each the other's reference."""
    write_campaign(folder)
    config = associated(folder)
    for name, angle in zip(("jw1", "jw2"), angles, strict=True):
        with fits.open(folder / f"{name}_calints.fits", mode="update", memmap=False) as hdus:
            hdus["SCI"].header.update(SKY | {"PA_APER": angle})
            hdus["SCI"].add_checksum()
    return config | {"psf_subtraction": {"references": "stars+rolls"}}


@pytest.mark.parametrize("is_whole", [True, False])
def test_other_rolls_are_subtracted_where_that_is_asked_for(folder: Path, is_whole: bool) -> None:
    config = rolls(folder, 30.0, 31.2)
    made = plan(config, is_whole=is_whole)
    assert made.list_warnings() == []
    for own, other in (("jw1", "jw2"), ("jw2", "jw1")):
        files = [
            made.made_by(step, "subtract_psf", f"{own}_a3001", of_other_rolls=True)
            for step in ("clean_science", "fit_shifts")
        ]
        stem = f"{other}_a3001/{other}_a3001"
        assert files == [[Path(f"{stem}_clean.fits")], [Path(f"{stem}_shifts.ecsv")]]
    config["psf_subtraction"]["references"] = "stars"
    assert (
        plan(config).made_by("fit_shifts", "subtract_psf", "jw1_a3001", of_other_rolls=True) == []
    )


def test_exposures_of_one_roll_are_none_of_each_other(folder: Path) -> None:
    config = rolls(folder, 359.9, 0.7)
    made = plan(config)
    assert made.made_by("fit_shifts", "subtract_psf", "jw1_a3001", of_other_rolls=True) == []
    assert made.list_warnings() == [
        f"{name}_a3001: no other roll of jw is known: psf_subtraction.references is stars for it"
        for name in ("jw1", "jw2")
    ]
    config["psf_subtraction"]["method"] = "none"
    assert plan(config).list_warnings() == []


def test_other_rolls_of_the_demo_are_known_before_it_is_made(folder: Path) -> None:
    config = demo(folder)
    entry, sciences = config["exposures"][0], simulate.CAMPAIGN[0].sciences
    path = Path(entry["science"]).parent
    config["exposures"] = [{**entry, "science": str(path / one.name)} for one in sciences]
    config["psf_subtraction"] = {"references": "stars+rolls"}
    made = plan(config)
    assert made.list_warnings() == []
    first, second = made.exposures.values()
    assert made.other_rolls(first) == [second]


def test_other_rolls_lead_to_what_is_subtracted(folder: Path) -> None:
    made = plan(rolls(folder, 30.0, 35.0))
    expected = Expectations(
        folder / "results",
        made.settings_of,
        made.findings.masks,
        made.facts,
        rolls_of=made.other_rolls,
    )
    results = {result.job: result for result in expected.results(made.exposures.values())}
    (own, other), picture = ("jw1_a3001", "jw2_a3001"), ("combine_rolls", "jw")
    for job, names in {("subtract_psf", own): ["jw1", "jw2"], picture: ["jw1", "jw2"]}.items():
        cleaned = [one for one in results[job].made if one.step == "clean_science"]
        told = dict.fromkeys(name for one in cleaned for name, _ in one.inputs or ())
        assert list(told) == [f"{name}_calints.fits" for name in names]
    for step in ("clean_science", "fit_shifts", "resolve_psfmask"):
        assert {("subtract_psf", own), ("subtract_psf", other), picture} <= results[
            step, other
        ].later
        assert ("align_psfs", own) not in results[step, other].later
    assert ("subtract_psf", own) not in results["align_psfs", other].later


def test_other_rolls_count_in_the_size_of_what_subtracts(folder: Path) -> None:
    config = rolls(folder, 30.0, 35.0)
    sizes = [
        Sizes(plan(config | {"psf_subtraction": {"references": references}})).of(
            "subtract_psf", "jw1_a3001"
        )
        for references in ("stars", "stars+rolls")
    ]
    assert [size.psfs for size in sizes] == [6, 6 + OF_ROLL * 2]


def test_name_that_the_campaign_does_not_have(config: dict[str, Any]) -> None:
    message = "other: is not in the campaign; check the name"
    with refused(message, ConfigError):
        plan(config).sources("fit_shifts", "other")
    with refused(message, ConfigError):
        plan(config).made_by("subtract_psf", "combine_rolls", "other")


def test_all_mistakes_are_raised_together(config: dict[str, Any], folder: Path) -> None:
    (folder / "mask.fits").unlink()
    with pytest.raises(ExceptionGroup) as raised:
        plan(config).list_warnings()
    (error,) = raised.value.exceptions
    assert isinstance(error, InputError)
    assert str(error).startswith(f"{folder}/mask.fits: ")


def test_job_of_a_cluster_looks_at_its_own_exposure_only(
    config: dict[str, Any], folder: Path
) -> None:
    broken = folder / "jw2_calints.fits"
    broken.write_text("no FITS file")
    config["exposures"].append({**config["exposures"][0], "science": str(broken)})
    made = plan(config, is_whole=False)
    assert made.list_warnings() == Judgement(made).lines == made.combined == []
    assert made.sources("fit_shifts", NAME) == {"masks": [folder / "mask.fits"]}
    with pytest.raises(ExceptionGroup):
        made.sources("fit_shifts", "jw2_a3001")
    assert not (folder / ".snakemake").exists()  # the jobs of a cluster remember nothing


def test_results_lie_where_a_module_puts_them(config: dict[str, Any], folder: Path) -> None:
    config["output_dir"] = "results"
    made = plan(config, results=folder / "prefix/results")
    assert made.settings.output_dir == folder / "prefix/results"
    assert next(iter(made.facts.made_first)).startswith("results/simulated/")


def test_versions_of_software_count_where_they_are_asked_for(config: dict[str, Any]) -> None:
    assert "software" not in plan(config).job("fit_shifts", NAME)
    config["rerun_on_new_software"] = True
    assert plan(config).job("fit_shifts", NAME)["software"] == software_versions()
    message = (
        "rerun_on_new_software=true: versions of software in a conda environment or a container "
        "are not known; set it to false, or run without --software-deployment-method"
    )
    with refused(message, ConfigError):
        plan(config, runs_elsewhere=True)


def demo(folder: Path) -> dict[str, Any]:
    observation = simulate.CAMPAIGN[0]
    path = folder / "results/simulated"
    science, psfs = path / observation.sciences[0].name, path / observation.psfs.name
    entry = {"science": str(science), "psfs": str(psfs), "asn_id": observation.asn_id}
    references = {"references": [str(path)]}
    return {"output_dir": str(folder / "results"), "exposures": [entry], "psfmask": references}


def test_files_of_the_demo_have_no_digest_before_they_are_made(folder: Path) -> None:
    made = plan(demo(folder))
    (name,) = made.exposures
    job = made.job("clean_science", name)
    assert job["inputs"] == {}
    assert made.job("simulate_demo", "")["settings"] == {"seed": SEED}
    masks = made.sources("fit_shifts", name)[Source.MASKS]
    assert {str(mask) for mask in masks} < set(made.facts.made_first)


def test_results_in_storage_are_not_judged_nor_is_this_disk(config: dict[str, Any]) -> None:
    made = plan({**config, "output_dir": "/dev/null/results"}, in_storage=True)
    assert made.findings.errors == []
    judgement = Judgement(made)
    assert judgement.lines == []
    assert not judgement.is_of("align_psfs")


def test_a_cache_of_crds_is_refused_where_results_are_in_storage(
    config: dict[str, Any], folder: Path
) -> None:
    config["psfmask"] = {"crds": {"context": "jwst_1413.pmap", "path": str(folder / "cache")}}
    with pytest.raises(ExceptionGroup) as caught:
        _ = plan(config, in_storage=True).findings
    assert (
        "psfmask.crds: chooses files of a cache on this machine, which jobs would look for in the "
        "storage; put the masks into the storage, and name them in psfmask.references"
    ) in map(str, caught.value.exceptions)
