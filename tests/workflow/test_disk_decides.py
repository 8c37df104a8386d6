"""The results on the disk decide what runs again, not the records of Snakemake."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import PSF_STEPS, scene, write_association, write_exposure, write_mask

from .campaign import CHECKOUT, Campaign

SCIENCES = ("s1", "s2", "s3")
PSFS = ("p1", "p2")
NAMES = tuple(f"{root}_a3001" for root in SCIENCES)
STACK = "p1_2psfs_"
AFTER_CLEAN = ("fit_shifts", "align_psfs", "plot_exposure")


def write_members(path: Path, science: str, psfs: tuple[str, ...]) -> None:
    members = [(f"{science}_calints.fits", "science")]
    write_association(path, [*members, *((f"{psf}_calints.fits", "psf") for psf in psfs)])


def configure(campaign: Campaign, **changes: Any) -> None:
    config = {
        "output_dir": "results",
        "associations": [f"data/{root}_asn.json" for root in SCIENCES],
        "psfmask": {"references": ["masks"]},
        "align_refs": {"max_shift": 4},
        "psf_subtraction": {"method": "none"},
    }
    campaign.write_config(config | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Three associations with one product name and the same psfs."""
    folder = tmp_path_factory.mktemp("finished") / "campaign"
    for index, root in enumerate((*SCIENCES, "s4")):
        write_exposure(folder / f"data/{root}_calints.fits", scene([(0.1 * index, 0.2)]))
        write_members(folder / f"data/{root}_asn.json", root, PSFS)
    for root, step in zip(PSFS, PSF_STEPS, strict=False):
        write_exposure(folder / f"data/{root}_calints.fits", scene([step], seed=ord(root[1])))
    write_mask(folder / "masks/mask.fits")
    campaign = Campaign(folder, CHECKOUT)
    configure(campaign)
    campaign.run()
    return campaign


@pytest.fixture
def campaign(finished: Campaign, tmp_path: Path) -> Campaign:
    """A copy of the finished campaign, to be changed."""
    folder = tmp_path / "campaign"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Campaign(folder, CHECKOUT)


def jobs(*rules: str, of: tuple[str, ...] = NAMES) -> set[tuple[str, str]]:
    return {(rule, name) for rule in rules for name in of}


def planned(campaign: Campaign) -> set[tuple[str, str]]:
    """Return what would run, a stack called by the beginning of its name."""
    found = campaign.planned()
    return {(rule, STACK if name.startswith(STACK) else name) for rule, name in found}


def forget(campaign: Campaign) -> None:
    shutil.rmtree(campaign.folder / ".snakemake")


def forget_and_refit(campaign: Campaign) -> None:
    forget(campaign)
    configure(campaign, align_refs={"max_shift": 5})


def forget_and_edit_an_exposure(campaign: Campaign) -> None:
    forget(campaign)
    write_exposure(campaign.folder / "data/s1_calints.fits", scene([(0.3, 0.1)]))


def spell_output_absolutely(campaign: Campaign) -> None:
    configure(campaign, output_dir=str(campaign.folder / "results"))


def spell_output_absolutely_and_refit(campaign: Campaign) -> None:
    output = str(campaign.folder / "results")
    configure(campaign, output_dir=output, align_refs={"max_shift": 5})


def as_if_made_with_an_older_numpy(campaign: Campaign) -> None:
    """Change what a table of shifts says; the product says itself that it was made with another."""
    for path in campaign.folder.glob("results/s1_a3001/*_shifts.ecsv"):
        text = path.read_text()
        path.write_text(text.replace(version("numpy"), "1" * len(version("numpy"))))


def ask_for_new_software(campaign: Campaign) -> None:
    as_if_made_with_an_older_numpy(campaign)
    configure(campaign, rerun_on_new_software=True)


def move_results(campaign: Campaign) -> None:
    (campaign.folder / "results").rename(campaign.folder / "elsewhere")
    configure(campaign, output_dir="elsewhere")


def lose_times(campaign: Campaign) -> None:
    """As an archive does that copies files in any order; the product older than all it is made of."""
    forget(campaign)
    for path in sorted(campaign.folder.rglob("*_calints.fits")):
        path.touch()
    for path in sorted(campaign.folder.glob("results/*/*"), reverse=True):
        path.touch()


def spell_references_absolutely(campaign: Campaign) -> None:
    configure(campaign, psfmask={"references": [str(campaign.folder / "masks")]})


def add_an_association_in_front(campaign: Campaign) -> None:
    names = ("s4", *SCIENCES)
    configure(campaign, associations=[f"data/{root}_asn.json" for root in names])


def reverse_associations(campaign: Campaign) -> None:
    configure(campaign, associations=[f"data/{root}_asn.json" for root in reversed(SCIENCES)])


def remove_first_association(campaign: Campaign) -> None:
    configure(campaign, associations=[f"data/{root}_asn.json" for root in SCIENCES[1:]])


def swap_psfs(campaign: Campaign) -> None:
    write_members(campaign.folder / "data/s2_asn.json", "s2", PSFS[::-1])


def remove(*names: str) -> Callable[[Campaign], None]:
    def change(campaign: Campaign) -> None:
        for name in names:
            found = list((campaign.folder / "results").glob(name))
            assert found
            for path in found:
                path.unlink()

    return change


def empty(name: str) -> Callable[[Campaign], None]:
    return lambda campaign: (campaign.folder / "results" / name).write_bytes(b"")


def edit_header(campaign: Campaign) -> None:
    path = campaign.folder / "results/s1_a3001/s1_a3001_psfalign.fits"
    path.write_bytes(path.read_bytes().replace(b"'MJy/sr", b"'mJy/sr", 1))


SECOND = jobs("fit_shifts", "align_psfs", "plot_exposure", of=("s2_a3001",))
FIRST = ("s1_a3001",)
ROWS: dict[str, tuple[Callable[[Campaign], None], set[tuple[str, str]]]] = {
    "nothing": (lambda campaign: None, set()),
    "memory removed": (forget, set()),
    "memory removed, max_shift": (forget_and_refit, jobs(*AFTER_CLEAN)),
    "memory removed, an exposure edited": (
        forget_and_edit_an_exposure,
        jobs("clean", *AFTER_CLEAN, of=FIRST),
    ),
    "output spelled absolutely": (spell_output_absolutely, set()),
    "output spelled absolutely, max_shift": (
        spell_output_absolutely_and_refit,
        jobs(*AFTER_CLEAN),
    ),
    "an older numpy": (as_if_made_with_an_older_numpy, set()),
    "an older numpy counts": (ask_for_new_software, jobs("fit_shifts", of=("s1_a3001",))),
    "results moved with their key": (move_results, set()),
    "times lost": (lose_times, set()),
    "references spelled absolutely": (spell_references_absolutely, set()),
    "an association more, in front": (
        add_an_association_in_front,
        jobs("resolve_psfmask", "clean", *AFTER_CLEAN, of=("s4_a3001",)),
    ),
    "associations reversed": (reverse_associations, set()),
    "first association removed": (remove_first_association, set()),
    "psfs of one swapped": (swap_psfs, SECOND | {("stack_psfs", "p2"), ("clean", "p2")}),
    # What a file that is gone was needed for is made again with it, but nothing after that: the
    # table of shifts says the same as before.
    "cleaned exposure deleted": (
        # The shifts will be the same, and the product says that it was made with them.
        remove("s1_a3001/*_clean.fits"),
        jobs("clean", "fit_shifts", "plot_exposure", of=FIRST),
    ),
    "shifts deleted": (remove("s1_a3001/*_shifts.ecsv"), jobs(*AFTER_CLEAN, of=FIRST)),
    "mask deleted": (
        remove("s1_a3001/*_psfmask.json"),
        jobs("resolve_psfmask", *AFTER_CLEAN, of=FIRST),
    ),
    "stacks deleted": (
        remove("psfstacks/*"),
        {("stack_psfs", STACK), ("clean", STACK), *jobs(*AFTER_CLEAN)},
    ),
    "figure deleted": (
        remove("report/s1_a3001/*_images.png"),
        jobs("plot_exposure", of=FIRST),
    ),
    "product emptied": (
        empty("s1_a3001/s1_a3001_psfalign.fits"),
        jobs("align_psfs", of=FIRST),
    ),
    "figure emptied": (
        empty("report/s1_a3001/s1_a3001_shifts.png"),
        jobs("plot_exposure", of=FIRST),
    ),
    "header of a product edited": (edit_header, jobs("align_psfs", of=FIRST)),
}


@pytest.mark.bad_input(55, 56, 57)
@pytest.mark.parametrize("name", ROWS)
def test_disk_decides_what_runs_again(name: str, campaign: Campaign) -> None:
    change, expected = ROWS[name]
    change(campaign)
    found = planned(campaign)
    if name == "psfs of one swapped":
        found = {(rule, "p2" if stack.startswith("p2_") else stack) for rule, stack in found}
    assert found == expected


def test_inputs_are_not_read_again_where_the_results_lie(campaign: Campaign) -> None:
    """What is read is remembered in the results, so that nothing new means nothing read."""
    assert planned(campaign) == set()
    kept = campaign.folder / "results/.facts.json"
    before = kept.stat()
    forget(campaign)
    assert planned(campaign) == set()
    after = kept.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not (campaign.folder / ".snakemake/psfalign/facts.json").exists()


@pytest.mark.bad_input(55)
def test_outdated_product_is_made_again_with_the_reason(campaign: Campaign) -> None:
    forget(campaign)
    path = campaign.folder / "results/s1_a3001/s1_a3001_psfalign.fits"
    before = path.read_bytes()
    path.write_bytes(before[:-2880])
    result = campaign.snakemake()
    assert result.returncode == 0, result.stderr
    assert "psfalign: align_psfs runs again for s1_a3001: has " in result.stderr
    assert path.read_bytes() == before
    assert planned(campaign) == set()


def test_verify_names_what_the_crate_lists_and_is_gone(
    campaign: Campaign, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from psfalign.cli import main

    monkeypatch.chdir(campaign.folder)
    for name in ("clean.fits", "shifts.ecsv", "psfmask.json"):
        Path(f"results/s1_a3001/s1_a3001_{name}").unlink()
    assert main(["verify", "results", "--config", "campaign.yaml"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"psfalign: error: results/s1_a3001/s1_a3001_{name}: ro-crate-metadata.json lists it, but it "
        "is not there; run the workflow again"
        for name in ("clean.fits", "psfmask.json", "shifts.ecsv")
    ]


def test_stacks_are_named_by_their_members(campaign: Campaign) -> None:
    names = {path.name for path in (campaign.folder / "results/psfstacks").iterdir()}
    assert len(names) == 2
    assert all(name.startswith(STACK) for name in names)
    listed = json.loads((campaign.folder / "results/ro-crate-metadata.json").read_text())
    assert any(entity["@id"].startswith("psfstacks/p1_2psfs_") for entity in listed["@graph"])
    config = yaml.safe_load(campaign.config.read_text())
    assert len(config["associations"]) == len(SCIENCES)
