"""A product tells which files, settings, code and software made it."""

import json
import platform
from collections import defaultdict
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest
from astropy.table import Table
from files import (
    ROOT,
    digest,
    refused,
    scene,
    write_association,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.cli import main
from psfalign.errors import InputError
from psfalign.files.fits.structure import scan
from psfalign.files.fits.writer import FitsWriter, without_data
from psfalign.files.provenance.code import code_digest
from psfalign.files.provenance.records import Record
from psfalign.files.provenance.table import provenance_hdu, read_records
from psfalign.files.shifts import ShiftTable
from psfalign.fit.integration import FitOptions

STEPS = ("resolve_psfmask", "stack_psfs", "clean_science", "clean_psfs", "fit_shifts", "align_psfs")
MODULES = dict(zip(STEPS, ("resolve", "stack", "clean", "clean", "fit", "align"), strict=True))


def make_product(folder: Path, *options: str) -> Path:
    """Align two stacked psf exposures to one of science, with an association at hand."""
    inputs = folder / "in"
    science = write_exposure(inputs / "sci_calints.fits")
    psfs = [
        write_psfs(inputs / f"psf{i}_calints.fits", scene([(0.3 * i, 0.1)], seed=i)) for i in (1, 2)
    ]
    mask = write_mask(inputs / "mask.fits")
    association = write_association(inputs / "asn.json", [])
    output = folder / "out.fits"
    files = ("--science", science, "--psfs", *psfs, "--psfmask", mask, "--output", output)
    more = ("--association", association, "--candidate", "a3001", "--max-shift", "4", *options)
    assert main(["align", *map(str, (*files, *more))]) == 0
    return output


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_product(tmp_path_factory.mktemp("records"), "--bad-bits", "DO_NOT_USE+HOT")


@pytest.fixture
def told(product: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Names and values by step and kind, as astropy reads them."""
    entries = defaultdict(list)
    for row in Table.read(product, hdu="PROVENANCE", format="fits"):
        entries[row["step"], row["kind"]].append((row["name"], row["value"]))
    return entries


def test_all_inputs_are_told_with_their_checksums(product: Path, told: dict) -> None:
    inputs = product.parent / "in"
    expected = {
        "clean_science": ["sci_calints.fits"],
        "stack_psfs": ["psf1_calints.fits", "psf2_calints.fits"],
        "resolve_psfmask": ["mask.fits"],
        "align_psfs": ["asn.json"],
    }
    for step, names in expected.items():
        assert told[step, "input"] == [(name, digest(inputs / name)) for name in names]
    [(name, _)] = told["clean_psfs", "input"]
    assert name == "psfstack.fits"


def test_all_settings_are_told_as_they_took_effect(told: dict) -> None:
    cleaning = {"median_box_length": 3, "bad_bits": 1 + 2048, "zero_non_science": False}
    fitting = {**asdict(FitOptions(max_shift=4)), "align_to": "each", "on_failed_fit": "flag"}
    expected = {
        "resolve_psfmask": {"convention": "auto"},
        "clean_science": cleaning,
        "clean_psfs": cleaning,
        "fit_shifts": fitting,
        "align_psfs": {"candidate": "a3001", "errors": "variance"},
    }
    for step, settings in expected.items():
        recorded = {name: json.loads(text) for name, text in told[step, "parameter"]}
        assert recorded | settings == recorded


def test_the_mask_is_told_with_what_chose_it(told: dict) -> None:
    facts = dict(told["resolve_psfmask", "mask"])
    assert facts["INSTRUME"] == "NIRCAM"
    assert facts["CORONMSK"] == "MASKA335R"
    assert facts["USEAFTER"] == "2022-07-01T00:00:00"
    assert (facts["convention"], facts["decided_by"]) == ("weight", "auto")
    assert facts["reason"] == "named in the configuration"
    assert facts["note"].endswith("so it is read as 1 = use")


def test_code_and_software_of_every_step_are_told(told: dict) -> None:
    software = {name: version(name) for name in ("numpy", "scipy", "astropy", "psfalign")}
    for step, module in MODULES.items():
        source = ROOT / f"workflow/lib/psfalign/steps/{module}.py"
        assert told[step, "code"] == [("psfalign", code_digest(source))]
        assert dict(told[step, "software"]) == software | {"python": platform.python_version()}


def test_nothing_tells_where_or_when_it_was_made(product: Path, tmp_path: Path) -> None:
    elsewhere = make_product(tmp_path / "else where", "--bad-bits", "1|2048")
    assert elsewhere.read_bytes() == product.read_bytes()
    assert str(product.parent).encode() not in product.read_bytes()


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    records = [Record("clean", "input", "a b'.fits", "0" * 64), Record("clean", "mask", "note", "")]
    assert read_back(tmp_path / "a.fits", records) == records


def read_back(path: Path, records: list[Record]) -> list[Record]:
    from astropy.io import fits

    with open(path, "xb") as stream:
        writer = FitsWriter(stream)
        writer.add(without_data(fits.Header()))
        writer.add(*provenance_hdu(records))
        writer.finish()
    return read_records(path, scan(path))


def test_a_damaged_table_of_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    read_back(path, [Record("clean", "input", "a", "b")])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"TFORM1  = '5A", b"TFORM1  = '9A"))
    with refused(f"{path}[PROVENANCE]: is damaged; make the file again", InputError):
        read_records(path, scan(path))


def test_another_table_of_this_name_is_no_record(tmp_path: Path) -> None:
    from astropy.io import fits

    path = tmp_path / "a.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("step", "5A", array=["x"])])
    table.name = "PROVENANCE"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    assert read_records(path, scan(path)) == []


def test_file_names_beyond_ascii_are_escaped(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    science = write_exposure(inputs / "sci_calints.fits")
    psfs = [
        write_psfs(inputs / f"é{i}_calints.fits", scene([(0.3 * i, 0.1)], seed=i)) for i in (1, 2)
    ]
    mask, output = write_mask(inputs / "ü.fits"), tmp_path / "out.fits"
    files = ("--science", science, "--psfs", *psfs, "--psfmask", mask, "--output", output)
    assert main(["align", *map(str, files)]) == 0
    names = {entry.name for entry in read_records(output, scan(output)) if entry.kind == "input"}
    assert {"\\xe91_calints.fits", "\\xfc.fits"} <= names


def test_a_table_of_shifts_without_records_is_read(tmp_path: Path) -> None:
    ShiftTable.of([], {"psfs": "a"}).write(tmp_path / "a.ecsv")
    assert ShiftTable.read(tmp_path / "a.ecsv").records == []
