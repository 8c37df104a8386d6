"""Mistakes in a configuration end the workflow itself, before anything is planned or written."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy.io import fits
from files import (
    PRIMARY,
    campaign,
    digests,
    error_lines,
    primary_hdu,
    snakemake,
    write_association,
    write_campaign,
    write_exposure,
    write_mask,
)

from psfalign.files.fits.structure import BLOCK

OLD = "results/jw1_a3001/jw1_a3001_psfalign.fits"


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A campaign in a folder of its own, with a product of an earlier run."""
    product = tmp_path / OLD
    product.parent.mkdir(parents=True)
    product.write_bytes(b"an earlier product")
    return write_campaign(tmp_path)


def refusal(folder: Path, config: Any, *arguments: object) -> str:
    """Run the workflow on a configuration that it must refuse, and return its error."""
    path = folder / "bad.yaml"
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    before = digests(folder)
    result = snakemake(folder, "--dry-run", "--configfile", path, *arguments)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "Traceback" not in output
    assert _kept(folder) == before
    (line,) = error_lines(result)
    return line.removeprefix("psfalign: error: ")


def _kept(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files except the caches of planning."""
    memory = (".snakemake/", ".facts.json")
    return {k: v for k, v in digests(folder).items() if not any(part in k for part in memory)}


def test_a_good_campaign_is_planned_and_nothing_is_written(
    config: dict[str, Any], tmp_path: Path
) -> None:
    """Otherwise the tests below would pass for a workflow that refuses everything."""
    path = tmp_path / "good.yaml"
    path.write_text(yaml.safe_dump(config))
    before = digests(tmp_path)
    result = snakemake(tmp_path, "--dry-run", "--configfile", path)
    assert result.returncode == 0, result.stderr
    assert "align_psfs" in result.stdout + result.stderr
    assert error_lines(result) == []
    assert _kept(tmp_path) == before


def test_item_03_unknown_key(config: dict[str, Any], tmp_path: Path) -> None:
    line = refusal(tmp_path, config | {"ouput_dir": "x"})
    assert line == f"{tmp_path}/bad.yaml ouput_dir: unknown key; did you mean output_dir?"


def test_item_04_duplicate_key(config: dict[str, Any], tmp_path: Path) -> None:
    text = "output_dir: a\n" + yaml.safe_dump(config, sort_keys=False)
    assert refusal(tmp_path, text) == (
        f"{tmp_path}/bad.yaml: line 2, column 1: the key output_dir is there twice, "
        "in lines 1 and 2; correct the YAML"
    )


def test_item_05_nested_values_of_the_command_line_are_checked_too(
    config: dict[str, Any], tmp_path: Path
) -> None:
    line = refusal(tmp_path, config, "--config", "align_refs={max_shift: 1e1}")
    assert line == (
        "--config align_refs.max_shift='1e1': is a string, expected an integer; write 10"
    )


def test_item_07_required_key_missing(config: dict[str, Any], tmp_path: Path) -> None:
    del config["exposures"][0]["science"]
    line = refusal(tmp_path, config)
    assert line == f"{tmp_path}/bad.yaml exposures[0].science: is required; add it"


def test_item_08_no_exposure_and_no_demo_either(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"output_dir": "results"}) == (
        f"{tmp_path}/bad.yaml exposures: there is no exposure; list exposures or associations"
    )


def test_item_09_two_exposures_with_one_name(config: dict[str, Any], tmp_path: Path) -> None:
    config["exposures"].append(dict(config["exposures"][0]))
    assert refusal(tmp_path, config) == (
        "exposures[0] and exposures[1] would both write jw1_a3001; "
        "remove one, or list it under exposures with another asn_id"
    )


def test_item_10_wildcards_in_the_output(config: dict[str, Any], tmp_path: Path) -> None:
    config["output_dir"] = "{exposure}"
    assert refusal(tmp_path, config) == (
        f"{tmp_path}/bad.yaml output_dir='{{exposure}}': Snakemake does not accept {{ }} < > here; "
        "name a folder without them"
    )


def test_item_17_association_of_another_type(config: dict[str, Any], tmp_path: Path) -> None:
    association = write_association(tmp_path / "asn.json", [], asn_type="image3")
    config["associations"] = [str(association)]
    assert refusal(tmp_path, config) == (
        f"{association} asn_type=image3: is not a level-3 coronagraphic association; name one of type "
        "coron3, or list its files under `exposures` in the configuration"
    )


def test_item_18_science_is_a_loop_of_links(config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "jw1_calints.fits"
    path.unlink()
    path.symlink_to(path)
    assert refusal(tmp_path, config) == (
        f"{path}: cannot be read: Too many levels of symbolic links; check the path"
    )


def test_item_34_science_differs(config: dict[str, Any], tmp_path: Path) -> None:
    config["exposures"][0]["psfmask"] = f"{tmp_path}/mask.fits"
    write_exposure(tmp_path / "jw1_calints.fits", FILTER="F444W")
    line = refusal(tmp_path, config, "--forceall")
    assert line.startswith(f"{tmp_path}/jw1_calints.fits: FILTER differ: science ")


def write_sparse_psfs(path: Path, n_psfs: int, side: int) -> None:
    """Write a file with many psf images as a hole, so that only its header takes space."""
    hdu = fits.ImageHDU(np.zeros((1, side, side), np.float32), name="SCI")
    hdu.header["NAXIS3"] = n_psfs
    primary = primary_hdu(PRIMARY).header.tostring().encode()
    header = hdu.header.tostring().encode()
    path.write_bytes(primary + header)
    size = len(primary) + len(header) + n_psfs * side * side * 4
    os.truncate(path, size + -size % BLOCK)


def test_item_31_too_large_for_the_memory(tmp_path: Path) -> None:
    """The error comes before the first job, and an earlier product is unchanged."""
    side = 640
    science = write_exposure(tmp_path / "jw1_calints.fits", np.zeros((1, side, side), np.float32))
    psfs = tmp_path / "star_psfstack.fits"
    write_sparse_psfs(psfs, 300, side)
    mask = write_mask(tmp_path / "mask.fits", np.ones((side, side), np.float32))
    (tmp_path / OLD).parent.mkdir(parents=True)
    (tmp_path / OLD).write_bytes(b"an earlier product")
    config = campaign(tmp_path, science, psfs, mask)
    (tmp_path / "big.yaml").write_text(yaml.safe_dump(config))
    limit = 1_600_000_000  # bytes: enough for Snakemake, too little for a job with 300 psfs
    result = snakemake(tmp_path, "--configfile", tmp_path / "big.yaml", address_space=limit)
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert re.fullmatch(
        r"psfalign: error: jw1_a3001: \w+ needs (1\.[7-9]|[2-9])\S* GB, 1\.6 GB available; "
        "run it where there is more memory",
        line,
    )
    assert (tmp_path / OLD).read_bytes() == b"an earlier product"


# What is given by --configfile, Snakemake reads before we can; `psfalign check` does better.
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad.yaml", "Config file is not valid JSON or YAML."),
        ("config/config.yaml", "config/config.yaml: line 2, column 1: a tab; YAML is indented"),
    ],
)
def test_item_01_syntax(name: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("output_dir: a\n\tb: c\n")
    arguments = () if name == "config/config.yaml" else ("--configfile", path)
    result = snakemake(tmp_path, "--dry-run", *arguments)
    assert result.returncode == 1
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    kept = {name: value for name, value in digests(tmp_path).items() if ".snakemake" not in name}
    assert list(kept) == [name]
