"""Files of earlier releases are read for ever; those of later ones as far as this one knows them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from files import ROOT, refused
from small_campaign import rewrite

from psfalign import __version__
from psfalign.cli import main
from psfalign.errors import InputError
from psfalign.files.product import Product
from psfalign.files.release import is_newer
from psfalign.files.shifts import COLUMNS, ShiftTable
from psfalign.psfmask.resolved import ResolvedMask

OLD = ROOT / "tests/data/release_0.1.0"
LATER = "99.1.0"


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    """A copy of the aligned product with the files beside it."""
    return shutil.copytree(OLD / "aligned", tmp_path / "sci_a3001") / "sci_a3001_psfalign.fits"


def beside(product: Path, end: str) -> Path:
    return product.with_name(product.name.replace("psfalign.fits", end))


@pytest.mark.parametrize("kind", ["aligned", "passed_on"])
def test_product_of_an_earlier_release_verifies(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    product = OLD / kind / "sci_a3001_psfalign.fits"
    assert main(["verify", str(product)]) == 0
    said = capsys.readouterr()
    found = "4 pairs, 0 failed" if kind == "aligned" else "not aligned"
    assert said.out.startswith(f"{product}: ok; {found}; not at hand: ")
    assert said.err == ""


def test_product_of_an_earlier_release_is_shown(aligned: Path, tmp_path: Path) -> None:
    assert main(["show", str(aligned), "--output", str(tmp_path / "shown.png")]) == 0
    assert (tmp_path / "shown.png").stat().st_size > 10_000


def test_columns_that_an_earlier_release_did_not_write_say_nothing(aligned: Path) -> None:
    table = ShiftTable.read(beside(aligned, "shifts.ecsv"))
    stored = fits.getdata(aligned, "SHIFTS")
    assert list(table.columns) == list(COLUMNS)
    assert not table.columns["doubtful"].any()
    assert np.isnan(table.columns["misfit"]).all()
    for columns in (table.columns, Product(aligned).columns):
        for name in stored.dtype.names:
            np.testing.assert_array_equal(columns[name], stored[name])


def later(change: Callable[[fits.HDUList], None]) -> Callable[[fits.HDUList], None]:
    def edit(hdus: fits.HDUList) -> None:
        hdus[0].header["ALIGNVER"] = f"psfalign {LATER}"
        change(hdus)

    return edit


def add_column(hdus: fits.HDUList) -> None:
    old = hdus["SHIFTS"]
    new = fits.Column("novel", "E", array=np.arange(len(old.data), dtype=np.float32))
    hdus["SHIFTS"] = fits.BinTableHDU.from_columns(old.columns + new, name="SHIFTS")
    hdus.append(fits.ImageHDU(np.zeros(3), name="NOVEL"))


def test_what_a_later_release_added_is_passed_over(aligned: Path, tmp_path: Path) -> None:
    rewrite(later(add_column), str(aligned))
    beside(aligned, "shifts.ecsv").unlink()
    path = beside(aligned, "psfmask.json")
    content = json.loads(path.read_text()) | {"novel": [1]}
    content["provenance"] = [[*entry, "novel"] for entry in content["provenance"]]
    path.write_text(json.dumps(content))
    assert ResolvedMask.read(path) == ResolvedMask.read(OLD / "aligned" / path.name)
    assert Product(aligned).columns["novel"].tolist() == [0, 1, 2, 3]
    assert main(["verify", str(aligned)]) == 0
    assert main(["show", str(aligned), "--output", str(tmp_path / "shown.png")]) == 0


def of_two_dimensions(hdus: fits.HDUList) -> None:
    hdus[0].header["DATAMODL"] = "NovelModel"


def without_status(hdus: fits.HDUList) -> None:
    columns = hdus["SHIFTS"].columns
    columns.del_col("status")
    hdus["SHIFTS"] = fits.BinTableHDU.from_columns(columns, name="SHIFTS")


def test_what_a_later_release_changed_is_refused_with_its_name(
    aligned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(later(of_two_dimensions), str(aligned))
    assert main(["verify", str(aligned)]) == 1
    assert capsys.readouterr().err.startswith(
        f"psfalign: error: {aligned}[SCI]: was made by psfalign {LATER}, this is {__version__}: "
        f"has 4 axes, which does not fit DATAMODL=NovelModel; read it with psfalign {LATER} or later"
    )
    rewrite(later(without_status), str(aligned))
    message = (
        f"{aligned}[SHIFTS]: was made by psfalign {LATER}, this is {__version__}: "
        f"has no column 'status'; read it with psfalign {LATER} or later"
    )
    with refused(message, InputError):
        Product(aligned)


def test_table_of_a_later_release_that_cannot_be_read_names_it(aligned: Path) -> None:
    path = beside(aligned, "shifts.ecsv")
    text = path.read_text().replace('"psfalign": "0.1.0"', f'"psfalign": "{LATER}"', 1)
    path.write_text(
        text.replace('"name": "status"', '"name": "state"').replace(" status", " state")
    )
    message = (
        f"{path}: was made by psfalign {LATER}, this is {__version__}: is not a table of shifts; "
        f"read it with psfalign {LATER} or later"
    )
    with refused(message, InputError):
        ShiftTable.read(path)


def test_mask_of_a_later_release_that_cannot_be_read_names_it(aligned: Path) -> None:
    path = beside(aligned, "psfmask.json")
    content = json.loads(path.read_text().replace('"0.1.0"', f'"{LATER}"'))
    del content["reason"]
    path.write_text(json.dumps(content))
    message = (
        f"{path}: was made by psfalign {LATER}, this is {__version__}: "
        f"is not a resolved mask, psfmask.json; read it with psfalign {LATER} or later"
    )
    with refused(message, InputError):
        ResolvedMask.read(path)


def test_order_of_releases() -> None:
    assert [is_newer(v) for v in ("99.0", "0.0.9", __version__, "")] == [True, False, False, False]
