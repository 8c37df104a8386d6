"""Unusable files of a campaign are reported in one line before a job runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from files import (
    PSF_STEPS,
    SHAPE,
    campaign,
    completed,
    digests,
    exposure_hdus,
    mask_hdus,
    scene,
    write,
    write_association,
    write_campaign,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.campaign.checks import check_campaign, choose_masks
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.errors import PsfalignError
from psfalign.files.fits.structure import scan

Damage = Callable[[Path], None]


def refusals(config: dict[str, Any], folder: Path) -> list[str]:
    """Return the errors of the workflow before it plans jobs, and check that nothing is written."""
    before = digests(folder)
    try:
        config = completed(config)
        exposures = plan_exposures(config)
        facts = FactsStore(folder / "facts.json")
        masks, errors = choose_masks(config, exposures, facts)
        errors += check_campaign(config, exposures, masks, facts)
    except PsfalignError as error:
        errors = [error]
    assert digests(folder) == before
    # The workflow says each mistake once, and so are they counted here.
    return list(dict.fromkeys(map(str, errors)))


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return write_campaign(tmp_path)


def test_campaign_without_a_mistake(config: dict[str, Any], tmp_path: Path) -> None:
    assert refusals(config, tmp_path) == []


def damage_of(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content) and None


def cut(end: Callable[[bytes], int]) -> Damage:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: end(content)])

    return damage


def append(tail: bytes) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes() + tail) and None


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "item_18_missing": (Path.unlink, ": no such file; check the path"),
    "item_18_folder": (folder, ": is a folder; name a file"),
    "item_18_symlink_loop": (loop, ": cannot be read: Too many levels of symbolic links; "),
    "item_19_empty": (damage_of(b""), ": is empty; fetch it again"),
    "item_19_html": (damage_of(b"<html>" * 999), ": is not a FITS file; name a FITS file"),
    "item_20_cut_in_data": (cut(lambda c: len(c) - 1), "it is cut short; fetch it again"),
    "item_20_cut_in_header": (cut(lambda c: 1000), ": the header at byte 0 has no END; "),
    "item_20_cut_after_the_primary": (cut(lambda c: 2880), "[SCI]: "),
    "item_21_trailing_bytes": (append(b"x"), ": 1 bytes after the last HDU are no extension; "),
    "item_22_gzip": (damage_of(b"\x1f\x8b\x08"), ": is compressed with gzip; decompress it first"),
}


@pytest.mark.bad_input(18, 19, 20, 21, 22)
@pytest.mark.parametrize("role", ["science", "psf", "psfmask"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_file_of_each_role(
    name: str, role: str, config: dict[str, Any], tmp_path: Path
) -> None:
    damage, message = DAMAGES[name]
    files = {"science": "jw1_calints.fits", "psf": "star_psfstack.fits", "psfmask": "mask.fits"}
    path = tmp_path / files[role]
    damage(path)
    (line,) = refusals(config, tmp_path)
    if (name, role) == ("item_18_folder", "psfmask"):
        assert line.startswith(f"psfmask.references={path}: names no FITS file; ")
        return
    assert line.startswith(str(path))
    assert message in line
    assert "; " in line


@pytest.mark.parametrize("name", ["jw1_calints.fits", "star_psfstack.fits", "mask.fits"])
def test_item_23_wrong_checksum(name: str, config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[scan(path)[1].data_start + 5] ^= 1
    path.write_bytes(content)
    (line,) = refusals(config, tmp_path)
    assert line.startswith(f"{path}[SCI] CHECKSUM=")
    assert line.endswith("; fetch it again, or write the checksums again")


@pytest.mark.parametrize("role", ["science", "psf", "psfmask"])
def test_item_27_shapes_differ(role: str, tmp_path: Path) -> None:
    cubes = {"science": scene(PSF_STEPS), "psf": scene(PSF_STEPS)}
    mask = np.ones(SHAPE, np.float32)
    if role == "psfmask":
        mask = mask[:, 1:]
    else:
        cubes[role] = cubes[role][:, :, 1:]
    science = write_exposure(tmp_path / "s.fits", cubes["science"])
    psfs = write_psfs(tmp_path / "p.fits", cubes["psf"])
    path = write_mask(tmp_path / "m.fits", mask)
    size = {name: "39×32" if name == role else "40×32" for name in ("science", "psf", "psfmask")}
    assert refusals(campaign(tmp_path, science, psfs, path), tmp_path) == [
        f"{science}: image sizes differ (columns×rows): science {science} {size['science']}, "
        f"psf {psfs} {size['psf']}, psfmask {path} {size['psfmask']}; "
        "use files of the same subarray"
    ]


def test_item_27_one_of_many_members(tmp_path: Path) -> None:
    science = write_exposure(tmp_path / "s.fits")
    psfs = [write_psfs(tmp_path / f"p{i}.fits") for i in range(2)]
    psfs.append(write_psfs(tmp_path / "p2.fits", scene(PSF_STEPS)[:, 1:]))
    mask = write_mask(tmp_path / "m.fits")
    (line,) = refusals(campaign(tmp_path, science, psfs, mask), tmp_path)
    assert f"psf {psfs[2]} 40×31" in line


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("INSTRUME", "MIRI"), ("FILTER", "F444W"), ("CORONMSK", "MASKALWB"), ("SUBARRAY", "FULL")],
)
def test_item_34_psf_differs(keyword: str, value: str, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    psfs = write_psfs(tmp_path / "star_psfstack.fits", **{keyword: value})
    (line,) = refusals(config, tmp_path)
    assert line.startswith(f"{tmp_path}/jw1_calints.fits: {keyword} differ: science ")
    assert f"psf {psfs} {keyword}={value}; " in line
    assert line.endswith("; use files that belong together")


def test_item_34_named_mask_differs(tmp_path: Path) -> None:
    """Of another filter it may be forced; not of another instrument."""
    config = write_campaign(tmp_path)
    mask = write_mask(tmp_path / "other.fits", INSTRUME="MIRI", FILTER="F444W")
    config["exposures"][0]["psfmask"] = str(mask)
    assert refusals(config, tmp_path) == [
        f"{tmp_path}/jw1_calints.fits: INSTRUME differ: science {tmp_path}/jw1_calints.fits "
        f"INSTRUME=NIRCAM; psf {tmp_path}/star_psfstack.fits INSTRUME=NIRCAM; psfmask {mask} "
        "INSTRUME=MIRI; use files that belong together"
    ]


def test_item_15_every_incomplete_mask_of_the_catalogue_is_named(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    masks = [write_mask(tmp_path / f"{i}.fits", REFTYPE=None, FILTER="F1065C") for i in range(2)]
    config["psfmask"]["references"] += map(str, masks)
    lines = refusals(config, tmp_path)
    assert [line.partition(":")[0] for line in lines] == [f"{path} REFTYPE" for path in masks]


@pytest.mark.parametrize("card", [" f335m ", "F335M   "])
def test_item_33_case_and_blanks_of_values_do_not_matter(card: str, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_exposure(tmp_path / "jw1_calints.fits", FILTER=card)
    assert refusals(config, tmp_path) == []


@pytest.mark.filterwarnings("ignore:Verification reported errors")
@pytest.mark.filterwarnings("ignore:Card keyword")
@pytest.mark.filterwarnings("ignore:Note. astropy.io.fits")
def test_item_33_keyword_in_lower_case(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    path = tmp_path / "jw1_calints.fits"
    exposure_hdus().writeto(path, overwrite=True)  # without checksums
    path.write_bytes(path.read_bytes().replace(b"FILTER  =", b"filter  ="))
    assert refusals(config, tmp_path) == []


@pytest.mark.parametrize(("value", "said"), [(5, "5"), (True, "T"), (1.5, "1.5")])
def test_item_33_value_of_the_wrong_type_matches_nothing(
    value: Any, said: str, tmp_path: Path
) -> None:
    config = write_campaign(tmp_path)
    write_exposure(tmp_path / "jw1_calints.fits", FILTER=value)
    (line,) = (line for line in refusals(config, tmp_path) if "no mask matches" in line)
    assert line.startswith(f"{tmp_path}/jw1_calints.fits: no mask matches ")
    assert f"FILTER={said}" in line


@pytest.mark.parametrize("keyword", ["INSTRUME", "FILTER", "CORONMSK", "SUBARRAY"])
@pytest.mark.parametrize("value", [None, "", "   "])
def test_item_33_selector_missing_or_blank(keyword: str, value: Any, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_exposure(tmp_path / "jw1_calints.fits", **{keyword: value})
    assert refusals(config, tmp_path) == [
        f"{tmp_path}/jw1_calints.fits {keyword}: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    ]


@pytest.mark.parametrize("keyword", ["DATE_OBS", "TIME_OBS"])
def test_item_33_start_missing(keyword: str, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_exposure(tmp_path / "jw1_calints.fits", **{keyword: None})
    assert refusals(config, tmp_path) == [
        f"{tmp_path}/jw1_calints.fits DATE-OBS, TIME-OBS: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    ]


def test_item_33_a_named_mask_needs_neither_selectors_nor_a_start(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    config["exposures"][0]["psfmask"] = str(tmp_path / "mask.fits")
    write_exposure(tmp_path / "jw1_calints.fits", FILTER=None, DATE_OBS=None, TIME_OBS=None)
    assert refusals(config, tmp_path) == []


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"USEAFTER": "soon"}, "USEAFTER=soon: is not a date; write YYYY-MM-DDTHH:MM:SS"),
        ({"REFTYPE": "DARK"}, "REFTYPE=DARK: is not a PSFMASK file; name one"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_item_15_mask_header(
    cards: dict[str, str], message: str, named: bool, tmp_path: Path
) -> None:
    config = write_campaign(tmp_path)
    mask = write_mask(tmp_path / "mask.fits", **cards)
    if named:
        config["exposures"][0]["psfmask"] = str(mask)
        config["psfmask"] = {}
    assert refusals(config, tmp_path) == [f"{mask} {message}"]


def test_item_15_two_masks_match(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    write_mask(tmp_path / "refs/a.fits")
    write_mask(tmp_path / "refs/b.fits")
    config["psfmask"]["references"] = [str(tmp_path / "refs")]
    (line,) = refusals(config, tmp_path)
    assert line.startswith(f"{tmp_path}/jw1_calints.fits: {tmp_path}/refs/a.fits and {tmp_path}")
    assert " match it equally, with USEAFTER 2022-07-01T00:00:00; " in line


def test_item_17_members_of_an_association_are_missing(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    members = [("jw1_calints.fits", "science"), ("gone.fits", "psf")]
    association = write_association(tmp_path / "asn.json", members)
    config |= {"exposures": [], "associations": [str(association)]}
    (line,) = refusals(config, tmp_path)
    assert line.startswith(f"{tmp_path}/asn.json expname=gone.fits: no such file in {tmp_path}, ")
    assert line.endswith("the member")


@pytest.mark.bad_input(10, 58)
@pytest.mark.parametrize("name", ["{x}", "m<b>x"])
@pytest.mark.parametrize("role", ["science", "psf", "psfmask", "association"])
def test_characters_of_the_engine_in_the_path_of_an_input(
    role: str, name: str, tmp_path: Path
) -> None:
    """Snakemake would read x as a wildcard, and b as a path variable."""
    config = write_campaign(tmp_path)
    exposure = config["exposures"][0]
    if role == "science":
        path = write_exposure(tmp_path / name / "jw1_calints.fits")
        exposure["science"] = str(path)
    elif role == "psf":
        path = write_psfs(tmp_path / name / "star_psfstack.fits")
        exposure["psfs"] = str(path)
    elif role == "association":
        members = [
            (exposure["science"], "science"),
            (str(write_exposure(tmp_path / "psf_calints.fits")), "psf"),
        ]
        (tmp_path / name).mkdir()
        path = write_association(tmp_path / name / "asn.json", members)
        config |= {"exposures": [], "associations": [str(path)]}
    else:
        path = write_mask(tmp_path / f"{name}.fits")
        config["psfmask"]["references"] = [str(path)]
    assert refusals(config, tmp_path) == [
        f"{path}: Snakemake does not accept {{ }} < > in a path; rename the file or folder",
    ]


def test_item_06_box_larger_than_the_image(tmp_path: Path) -> None:
    config = write_campaign(tmp_path) | {"align_refs": {"median_box_length": 41}}
    assert refusals(config, tmp_path) == [
        "align_refs.median_box_length=41: the box is larger than the image of 40×32 pixels; "
        "use a smaller one"
    ]


@pytest.mark.parametrize("name", ["jw1_a3001/jw1_calints.fits", "old/old_clean.fits"])
def test_item_11_results_over_inputs(name: str, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    science = write_exposure(tmp_path / "results" / name)
    config["exposures"][0]["science"] = str(science)
    assert refusals(config, tmp_path) == [
        f"output_dir={tmp_path}/results: {science} lies where results are written; "
        "name another folder"
    ]


def test_item_11_output_is_a_file(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    (tmp_path / "results").touch()
    (line,) = refusals(config, tmp_path)
    assert line == f"output_dir={tmp_path}/results: is a file; name a folder"


def test_every_mistake_of_a_campaign_is_said_at_once(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    template = config["exposures"][0]
    for name in ("b", "c"):
        config["exposures"].append({**template, "science": f"{tmp_path}/{name}_calints.fits"})
    assert refusals(config, tmp_path) == [
        f"{tmp_path}/{name}_calints.fits: no such file; check the path" for name in ("b", "c")
    ]


def test_item_36_other_extensions_are_carried_but_never_opened(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    hdus = exposure_hdus()
    hdus["ASDF"].data["ASDF_METADATA"] = 0xFF
    write(hdus, tmp_path / "jw1_calints.fits")
    mask = mask_hdus()
    mask.append(fits.ImageHDU(np.zeros(10, np.uint8), name="ASDF"))
    write(mask, tmp_path / "mask.fits")
    assert refusals(config, tmp_path) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, ": read as exclude, the mask leaves hardly any pixel (all are 0 to 0); "),
        (2.0, ": values are 2 to 2, outside [0, 1]; name another mask"),
        (np.nan, ": 1280 pixels are not finite; name another mask"),
    ],
)
def test_item_41_mask_that_cannot_weight_a_fit_is_refused_beforehand(
    value: float, message: str, tmp_path: Path
) -> None:
    config = write_campaign(tmp_path)
    mask = write_mask(tmp_path / "mask.fits", np.full(SHAPE, value, np.float32))
    (line,) = refusals(config, tmp_path)
    assert line.startswith(f"{mask}{message}")
