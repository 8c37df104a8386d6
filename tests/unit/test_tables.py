"""Binary tables are those of astropy, without astropy's tables."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from simulate import read_only

from psfalign.files.fits.structure import scan
from psfalign.files.fits.tables import read_table, table_hdu
from psfalign.files.fits.writer import FitsWriter

LIBRARY = Path(__file__).parents[2] / "workflow" / "lib"
DTYPE = [("n", "int64"), ("x", "float64"), ("s", "S5"), ("flag", "bool")]
ROWS = [(3, 0.25, b"abc", True), (-(2**40), np.nan, b"", False)]


@pytest.mark.parametrize("n_rows", [0, 2])
def test_table_is_that_of_astropy(n_rows: int) -> None:
    rows = read_only(np.array(ROWS[:n_rows], dtype=DTYPE))
    expected = fits.BinTableHDU(rows.copy(), name="T")
    header, content = table_hdu(rows, "T")
    assert header.tostring() == expected.header.tostring()
    again = fits.BinTableHDU.fromstring(
        header.tostring().encode() + content + bytes(-len(content) % 2880)
    )
    for name, _ in DTYPE:
        np.testing.assert_array_equal(again.data[name], rows[name].astype(again.data[name].dtype))


def test_columns_have_units_and_descriptions() -> None:
    rows = np.array(ROWS, dtype=DTYPE)
    header, _ = table_hdu(rows, "T", descriptions={"x": "place"}, units={"x": "pix", "s": ""})
    assert (header["TTYPE2"], header.comments["TTYPE2"], header["TUNIT2"]) == ("x", "place", "pix")
    assert [card.keyword for card in header.cards if card.keyword[0:5] == "TUNIT"] == ["TUNIT2"]


@pytest.mark.parametrize("name", ["x", "a_name_that_is_longer_than_values_mostly_are"])
def test_description_of_any_length_is_kept(name: str, tmp_path: Path) -> None:
    """What no comment beside the name of the column holds becomes a keyword of its own."""
    for length in (1, 20, 47, 48, 300):
        text = ("word " * 60)[:length].strip()
        rows = np.array([(1,)], dtype=[(name, "int64")])
        header, content = table_hdu(rows, "T", descriptions={name: text})
        path = tmp_path / "t.fits"
        with open(path, "wb") as stream:
            writer = FitsWriter(stream)
            writer.add(fits.PrimaryHDU().header)
            writer.add(header, content)
            writer.finish()
        with fits.open(path, checksum=True) as hdus:
            own = hdus["T"].header
            assert own["TTYPE1"] == name
            assert [own.comments["TTYPE1"], own.get("TCOMM1", "")] in (["", text], [text, ""])
        (hdu,) = (hdu for hdu in scan(path) if hdu.name == "T")
        assert read_table(path, hdu)[name].tolist() == [1]


def test_no_step_imports_what_astropy_needs_for_tables() -> None:
    code = (
        "import sys, numpy as np\n"
        "from psfalign.files.fits.tables import table_hdu\n"
        "from psfalign.steps import align, clean, fit, resolve, stack\n"
        "table_hdu(np.zeros(1, [('a', 'int64')]), 'T')\n"
        "print(*{'astropy.table', 'astropy.time', 'scipy', 'multiprocessing'} & {*sys.modules})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(LIBRARY)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.stdout.split() == []
