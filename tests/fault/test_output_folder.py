"""An output directory that cannot take the results is refused before anything is written."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disks import mounted, remount
from files import (
    PSF_STEPS,
    SHAPE,
    completed,
    digests,
    exposure_hdus,
    scene,
    write,
    write_campaign,
    write_exposure,
    write_psfs,
)
from rolls import write_roll

from psfalign.campaign.checks import inspect_campaign
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.campaign.output_folder import expected_sizes, say_bytes
from psfalign.cli import main
from psfalign.steps.combine import combine_rolls
from psfalign.steps.subtract import subtract_psf

MEGABYTE = 1_000_000


def refusals(config: dict[str, Any], folder: Path) -> list[str]:
    config = completed(config)
    facts = FactsStore(folder / "facts.json")
    return list(map(str, inspect_campaign(config, plan_exposures(config), facts).errors))


def estimate(config: dict[str, Any], folder: Path) -> dict[str, int]:
    settings = completed(config)
    exposures, facts = plan_exposures(settings), FactsStore(folder / "facts.json")
    masks = inspect_campaign(settings, exposures, facts).masks
    align_to, keep = settings.align_refs.align_to, settings.keep_intermediates
    output = settings.output_dir
    n_stages = 2 + len(settings.psf_subtraction.modes)
    sizes = expected_sizes(
        *(output, exposures, masks, facts),
        align_to=align_to,
        keep_intermediates=keep,
        n_stages=n_stages,
    )
    return {str(path.relative_to(output)): size for path, size in sizes.items()}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return write_campaign(tmp_path)


@pytest.mark.parametrize("align_to", ["each", "mean"])
def test_item_11_estimate_is_that_of_the_files_that_come_out(
    align_to: str, config: dict[str, Any], tmp_path: Path
) -> None:
    """The estimate is exact except for headers, tables and figures."""
    config["align_refs"] = {"align_to": align_to}
    sizes = estimate(config, tmp_path)
    inputs = ["--science", config["exposures"][0]["science"]]
    inputs += ["--psfs", config["exposures"][0]["psfs"], "--psfmask", f"{tmp_path}/mask.fits"]
    product = tmp_path / "product.fits"
    assert main(["align", *inputs, "--align-to", align_to, "--output", str(product)]) == 0
    estimated = sizes["jw1_a3001/jw1_a3001_psfalign.fits"]
    assert product.stat().st_size < estimated < product.stat().st_size + 2 * MEGABYTE
    assert len(sizes) == 5


def test_item_11_picture_of_all_rolls_needs_room_too(
    config: dict[str, Any], tmp_path: Path
) -> None:
    paths = write_roll(tmp_path / "roll", 45.0)
    subtracted, northup = tmp_path / "psfsub.fits", tmp_path / "northup.fits"
    subtract_psf(paths["science"], paths["product"], subtracted)
    combine_rolls([subtracted], northup, tmp_path / "contrast.ecsv")
    config["psf_subtraction"] = {"modes": [1, 2, 3]}
    estimated = estimate(config, tmp_path)["combined/star_a3001_northup.fits"]
    # Up to headers, tables, and a star that is not in the middle.
    assert northup.stat().st_size / 2 < estimated < northup.stat().st_size * 2


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_cleaned_keeps_what_its_source_has(
    kind: type, config: dict[str, Any], tmp_path: Path
) -> None:
    hdus = exposure_hdus()
    for name in ("SCI", "ERR"):
        hdus[name].data = hdus[name].data.astype(kind)
    source = write(hdus, tmp_path / "jw1_calints.fits")
    estimated = estimate(config, tmp_path)["jw1_a3001/jw1_a3001_clean.fits"]
    clean = tmp_path / "clean.fits"
    assert main(["clean", "--input", str(source), "--output", str(clean)]) == 0
    # Up to the records of what was done.
    assert clean.stat().st_size - 20_000 < estimated <= clean.stat().st_size


def test_what_goes_when_it_is_used_needs_no_room(config: dict[str, Any], tmp_path: Path) -> None:
    config["exposures"][0]["psfs"] = [str(write_psfs(tmp_path / "p_calints.fits"))]
    config["keep_intermediates"] = False
    stack, product, subtracted, picture = estimate(config, tmp_path)
    assert stack.endswith("_clean.fits")
    assert product == "jw1_a3001/jw1_a3001_psfalign.fits"
    assert subtracted == "jw1_a3001/jw1_a3001_psfsub.fits"
    assert picture.startswith("combined/")


def test_item_11_a_stack_that_is_made_here_needs_room_too(
    config: dict[str, Any], tmp_path: Path
) -> None:
    members = [
        write_psfs(tmp_path / f"p{i}_calints.fits", scene(PSF_STEPS, seed=i)) for i in (5, 6)
    ]
    config["exposures"][0]["psfs"] = [str(path) for path in members]
    sizes = estimate(config, tmp_path)
    (stack,) = (size for name, size in sizes.items() if name.endswith("_psfstack.fits"))
    assert stack == 2 * len(PSF_STEPS) * SHAPE[0] * SHAPE[1] * 12


def test_item_11_disk_too_small(config: dict[str, Any], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=200k") as disk:
        config["output_dir"] = str(disk / "results")
        (line,) = refusals(config, tmp_path)
        assert line.startswith(f"output_dir={disk}/results: needs 1.09 MB, 205 kB available")
        assert line.endswith("; free some, or name a folder on another disk")
        assert list(disk.iterdir()) == []


def test_item_11_what_is_there_needs_no_room(config: dict[str, Any], tmp_path: Path) -> None:
    """A finished campaign on a full disk is accepted, because there is nothing to do."""
    with mounted(tmp_path / "disk", "size=2m") as disk:
        config["output_dir"] = str(disk / "results")
        for name, size in estimate(config, tmp_path).items():
            path = disk / "results" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))
        remount(disk, "size=1200k")
        assert os.statvfs(disk).f_bavail < 100
        assert refusals(config, tmp_path) == []


def test_item_11_no_inodes(config: dict[str, Any], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "nr_inodes=3") as disk:
        config["output_dir"] = str(disk / "results")
        assert refusals(config, tmp_path) == [
            f"output_dir={disk}/results: needs 5 new files, inodes for 2 available; "
            "remove files, or name a folder on another disk"
        ]


def test_item_11_read_only_disk(config: dict[str, Any], tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=50m") as disk:
        config["output_dir"] = str(disk / "results")
        remount(disk, "ro")
        line = f"output_dir={disk}: cannot be written to; name another folder"
        assert refusals(config, tmp_path) == [line]


def test_item_11_one_folder_of_results_is_read_only(config: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "results" / "jw1_a3001"
    with mounted(folder, "size=50m"):
        remount(folder, "ro")
        line = f"output_dir={folder}: cannot be written to; name another folder"
        assert refusals(config, tmp_path) == [line]


def test_item_52_output_that_is_a_link_to_a_folder(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "elsewhere")
    assert refusals(config, tmp_path) == []


def test_item_52_output_that_links_to_where_the_inputs_are(
    config: dict[str, Any], tmp_path: Path
) -> None:
    science = write_exposure(tmp_path / "data/jw1_a3001/jw1_calints.fits")
    config["exposures"][0]["science"] = str(science)
    (tmp_path / "results").symlink_to(tmp_path / "data")
    assert refusals(config, tmp_path) == [
        f"output_dir={tmp_path}/results: {science} lies where results are written; "
        "name another folder"
    ]


def test_item_52_output_that_is_a_dangling_link(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    line = f"output_dir={tmp_path}/results: is a link to nothing; name a folder"
    assert refusals(config, tmp_path) == [line]


def test_nothing_is_written_by_looking(config: dict[str, Any], tmp_path: Path) -> None:
    before = digests(tmp_path)
    assert refusals(config, tmp_path) == []
    after = digests(tmp_path)
    del after["facts.json"]
    assert after == before


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (38_000_000_000, "38 GB"),
        (1_234_567, "1.23 MB"),
        (5e13, "50 TB"),
    ],
)
def test_sizes_are_said_in_the_unit_of_disks(size: int, text: str) -> None:
    assert say_bytes(size) == text
