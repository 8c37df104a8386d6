"""
After a change, exactly the dependent jobs run again.

Each case changes one thing of a finished campaign of two exposures, asks Snakemake what it would
do, and puts the thing back; the last one runs what is asked for, and finds nothing left to do.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits

from .campaign import (
    MIRI,
    MIRI_ROLLS,
    MIRI_STACK,
    NIRCAM,
    NIRCAM_ROLLS,
    OWN_CONFIG,
    SECOND,
    Campaign,
    make_small_campaign,
)

NIRCAM_STACK = "jw09999-a3001_t001_nircam_f335m-maska335r"
EXPOSURES = (NIRCAM, MIRI)
ROLLS = {NIRCAM: NIRCAM_ROLLS, SECOND: NIRCAM_ROLLS, MIRI: MIRI_ROLLS}
COMBINE = ("combine_rolls", "plot_association")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = make_small_campaign(tmp_path_factory.mktemp("it's a folder"))
    campaign.run()
    return campaign


@pytest.fixture
def campaign(finished: Campaign) -> Iterator[Campaign]:
    """Return the finished campaign, and take back what a test changed, with the times of files."""
    kept = finished.folder.parent / "kept"
    names = ("data", "masks", "checkout", "campaign.yaml", ".snakemake")
    for name in names:
        source, target = finished.folder / name, kept / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    yield finished
    for name in names:
        target = finished.folder / name
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        (kept / name).rename(target)
    shutil.rmtree(kept)


def set_option(section: str, **values: object) -> Callable[[Campaign], None]:
    def change(campaign: Campaign) -> None:
        config = yaml.safe_load(yaml.safe_dump(OWN_CONFIG))
        config.setdefault(section, {}).update(values)
        campaign.write_config(config)

    return change


def brighten(path: Path) -> None:
    """Change one pixel."""
    with fits.open(path, mode="update") as file:
        data = file["SCI"].data
        data.flat[data.size // 3] += 1.0
        for hdu in file:
            hdu.add_checksum(when="")


def touch(campaign: Campaign) -> None:
    for path in campaign.folder.glob("data/*.fits"):
        path.touch()


def edit(name: str) -> Callable[[Campaign], None]:
    def change(campaign: Campaign) -> None:
        path = campaign.code / "workflow" / name
        path.write_text(path.read_text() + "\nCHANGED = True\n")

    return change


def restyle(campaign: Campaign) -> None:
    with open(
        campaign.code / "workflow/lib/psfalign/report/figures/psfalign.mplstyle", "a"
    ) as style:
        style.write("font.size: 8\n")


def forget_and_restyle(campaign: Campaign) -> None:
    shutil.rmtree(campaign.folder / ".snakemake")
    restyle(campaign)


def change_science(campaign: Campaign) -> None:
    brighten(campaign.folder / OWN_CONFIG["exposures"][0]["science"])


def change_psfstack(campaign: Campaign) -> None:
    brighten(campaign.folder / OWN_CONFIG["exposures"][1]["psfs"])


def change_mask(campaign: Campaign) -> None:
    path = campaign.folder / "masks" / "psfmask_miri_f1065c_4qpm_1065.fits"
    with fits.open(path, mode="update") as file:
        file["SCI"].data = np.where(file["SCI"].data < 0.1, 0, file["SCI"].data).astype("f4") * 0.99
        for hdu in file:
            hdu.add_checksum(when="")


def replace_by_older_file(campaign: Campaign) -> None:
    """Restore another file with a time long past: times tell nothing, digests do."""
    change_science(campaign)
    path = campaign.folder / OWN_CONFIG["exposures"][0]["science"]
    import os

    os.utime(path, (0, 0))


def add_mask(useafter: str) -> Callable[[Campaign], None]:
    def change(campaign: Campaign) -> None:
        masks = campaign.folder / "masks"
        new = masks / "psfmask_nircam_new.fits"
        shutil.copy(masks / "psfmask_nircam_f335m_maska335r.fits", new)
        with fits.open(new, mode="update") as file:
            file[0].header["USEAFTER"] = useafter
            for hdu in file:
                hdu.add_checksum(when="")

    return change


def comment(campaign: Campaign) -> None:
    campaign.config.write_text("# a remark\n" + campaign.config.read_text())


def add_exposure(campaign: Campaign) -> None:
    config = yaml.safe_load(yaml.safe_dump(OWN_CONFIG))
    second = config["exposures"][0] | {
        "science": "data/jw09999002001_02102_00001_nrcalong_calints.fits"
    }
    campaign.write_config({**config, "exposures": [*config["exposures"], second]})


def exclude_on_one(campaign: Campaign) -> None:
    config = yaml.safe_load(yaml.safe_dump(OWN_CONFIG))
    config["exposures"][1]["exclude"] = [{"column": 30, "row": 31.5, "radius": 3}]
    campaign.write_config(config)


def choose_figures(campaign: Campaign) -> None:
    campaign.write_config(OWN_CONFIG | {"figures": "reported"})


def chain(*rules: str, of: tuple[str, ...] = EXPOSURES) -> set[tuple[str, str]]:
    """Rules of exposures, and the pictures of all rolls where the rule for them is among these."""
    names = {rule: ROLLS if rule in COMBINE else {} for rule in rules}
    return {(rule, names[rule].get(exposure, exposure)) for rule in rules for exposure in of}


CLEAN_ALL = chain("clean", of=(*EXPOSURES, NIRCAM_STACK, MIRI_STACK))
SUBTRACT = ("subtract_psf", *COMBINE)
AFTER_FIT = ("fit_shifts", "align_psfs", *SUBTRACT, "plot_exposure")

CASES = {
    "nothing": (lambda campaign: None, set()),
    "the times of all raw files": (touch, set()),
    "a comment in the configuration": (comment, set()),
    "one science file": (
        # Another image chooses no other mask.
        change_science,
        chain("clean", *AFTER_FIT, of=(NIRCAM,)),
    ),
    "one science file, by an older one": (
        replace_by_older_file,
        chain("clean", *AFTER_FIT, of=(NIRCAM,)),
    ),
    "the psfstack": (change_psfstack, {("clean", MIRI_STACK), *chain(*AFTER_FIT, of=(MIRI,))}),
    "one mask file": (change_mask, chain("resolve_psfmask", *AFTER_FIT, of=(MIRI,))),
    "a new mask, later but in time": (
        add_mask("2023-05-01T00:00:00"),
        chain("resolve_psfmask", *AFTER_FIT, of=(NIRCAM,)),
    ),
    "a new mask, earlier": (add_mask("2020-01-01T00:00:00"), set()),
    "a new mask, too late": (add_mask("2024-01-01T00:00:00"), set()),
    "median_box_length": (
        set_option("align_refs", median_box_length=5),
        CLEAN_ALL | chain(*AFTER_FIT),
    ),
    "bad_bits": (
        set_option("align_refs", bad_bits="DO_NOT_USE, HOT"),
        CLEAN_ALL | chain(*AFTER_FIT),
    ),
    "bad_bits, another spelling": (set_option("align_refs", bad_bits="1"), set()),
    "max_shift": (set_option("align_refs", max_shift=6), chain(*AFTER_FIT)),
    "a circle on all exposures": (
        set_option("align_refs", exclude=[{"separation": 1.0, "position_angle": 0, "radius": 0.2}]),
        chain(*AFTER_FIT),
    ),
    "a circle on one exposure": (exclude_on_one, chain(*AFTER_FIT, of=(MIRI,))),
    "errors": (set_option("align_refs", errors="fourier"), chain("align_psfs", *SUBTRACT)),
    "modes": (set_option("psf_subtraction", modes=[1, 2]), chain(*SUBTRACT)),
    "references": (
        set_option("psf_subtraction", references="stars+rolls"),
        chain(*SUBTRACT),
    ),
    "figures": (choose_figures, chain("plot_exposure")),
    "star_flux": (set_option("psf_subtraction", star_flux=1.5), chain(*COMBINE)),
    "the code of the subtraction": (edit("lib/psfalign/images/klip.py"), chain(*SUBTRACT)),
    "the code of the picture": (edit("lib/psfalign/images/north_up.py"), chain(*COMBINE)),
    "convention": (
        set_option("psfmask", convention="weight"),
        chain("resolve_psfmask", *AFTER_FIT),
    ),
    "the code of the fit": (edit("lib/psfalign/fit/spectral.py"), chain(*AFTER_FIT)),
    "the code of the figures": (
        edit("lib/psfalign/report/figures/images.py"),
        chain("plot_exposure", "plot_association"),
    ),
    "the style of the figures": (restyle, chain("plot_exposure", "plot_association")),
    "the style of the figures, the memory of the engine removed": (
        forget_and_restyle,
        chain("plot_exposure", "plot_association"),
    ),
    "a module that no step uses": (edit("lib/psfalign/campaign/yaml.py"), set()),
    "a script, which only hands over": (edit("scripts/align_psfs.py"), set()),
    "one exposure more": (
        add_exposure,
        chain("resolve_psfmask", "clean", *AFTER_FIT, of=(SECOND,)),
    ),
}


@pytest.mark.bad_input(50, 53, 62)
@pytest.mark.parametrize("name", CASES)
def test_what_runs_again_when_this_changes(campaign: Campaign, name: str) -> None:
    change, expected = CASES[name]
    change(campaign)
    assert campaign.planned() == expected


def test_an_edited_table_of_noise_is_drawn_again(campaign: Campaign) -> None:
    path = campaign.folder / f"results/combined/{NIRCAM_ROLLS}_contrast.ecsv"
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    assert campaign.planned() == {("plot_association", NIRCAM_ROLLS)}
    path.write_bytes(before)
    assert campaign.planned() == set()


# Rules of an exposure, its psf images and their rolls; those that its last file takes.
ITS_JOBS = {("all", ""), *chain("resolve_psfmask", "clean_science", *AFTER_FIT, of=(NIRCAM,))}
ITS_JOBS |= {("clean_psfs", NIRCAM_STACK)}
ITS_LAST = ITS_JOBS - chain(*COMBINE, of=(NIRCAM,))
N_JOBS = 2 * len(ITS_JOBS) - 1


def looked_at(campaign: Campaign, *arguments: str) -> set[tuple[str, str]]:
    """Return the jobs that Snakemake considers: rule and exposure, stack or association."""
    result = campaign.snakemake("--debug-dag", *arguments)
    assert result.returncode == 0, result.stderr
    line = r"^selected job (\S+)\n *wildcards: (?:\w+=)?(\S*)$"
    return set(re.findall(line, result.stdout + result.stderr, re.MULTILINE))


def test_of_what_is_finished_only_what_the_engine_needs_is_planned(campaign: Campaign) -> None:
    assert looked_at(campaign, "-n") == ITS_LAST  # of one exposure: it has to ask for something
    change_science(campaign)
    assert looked_at(campaign, "-n") == ITS_JOBS  # not those of the other one


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "--forceall"),
        ("-n", "--forcerun", "fit_shifts"),
        ("-n", "--rerun-triggers", "params", "mtime", "software-env"),
        ("--touch", "--no-hooks"),
        ("--report", "report.zip"),
        ("--report", "report.zip", "report_pages"),
    ],
    ids=" ".join,
)
def test_the_engine_sees_all_jobs_where_it_does_more_than_what_is_left(
    campaign: Campaign, arguments: tuple[str, ...]
) -> None:
    assert len(looked_at(campaign, *arguments)) == N_JOBS


def test_the_engine_sees_all_jobs_where_a_run_was_killed(campaign: Campaign) -> None:
    (campaign.folder / ".snakemake/incomplete/mark").touch()
    assert len(looked_at(campaign, "-n")) == N_JOBS


@pytest.mark.slow
def test_running_again_leaves_nothing_to_do(campaign: Campaign) -> None:
    set_option("align_refs", errors="fourier")(campaign)
    campaign.run()
    assert campaign.planned() == set()
    campaign.write_config(OWN_CONFIG)
    campaign.run()
    assert campaign.planned() == set()
