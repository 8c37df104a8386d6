"""The table of shifts: the same numbers as ECSV, as FITS, and read back."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from files import refused

from psfalign.errors import InputError
from psfalign.files.shifts import COLUMNS, ShiftTable
from psfalign.fit.result import PairFit, Status

META = {"science": "a ä.fits", "options": {"max_shift": 10, "colon": "x: y # z"}, "none": None}


def table(n_integrations: int = 2, n_psfs: int = 3) -> ShiftTable:
    rng = np.random.default_rng(8)

    def fit(failed: bool) -> PairFit:
        if failed:
            return PairFit(status=Status.BAD_PSF)
        return PairFit(*rng.normal(0, 1, 8).tolist(), n_pixels=100, n_iterations=4)

    rows = [[fit(i == 1 and k == 2) for k in range(n_psfs)] for i in range(n_integrations)]
    return ShiftTable.of(rows, META)


def assert_same(one: Any, other: Any) -> None:
    """Bit by bit, NaN included."""
    for name, (dtype, _, _) in COLUMNS.items():
        left, right = (np.asarray(columns[name]) for columns in (one, other))
        if dtype == "string":
            assert [str(x) for x in left] == [str(x) for x in right]
        else:
            np.testing.assert_array_equal(left, right)


def test_rows_are_ordered_by_integration_then_psf() -> None:
    made = table()
    assert len(made) == 6
    assert made.columns["integration"].tolist() == [0, 0, 0, 1, 1, 1]
    assert made.columns["psf"].tolist() == [0, 1, 2, 0, 1, 2]
    assert made.n_failed == 1
    assert made.count_failures() == {"bad_psf": 1}
    assert list(made.columns) == list(COLUMNS)


def one_wrong_pair() -> list[list[PairFit]]:
    """Shifts of positions, but for one that is two pixels off."""
    rows = [
        [PairFit(dx=k - 0.5 * i, dy=0.1 * k, sigma_dx=0.01, sigma_dy=0.01) for k in range(6)]
        for i in range(5)
    ]
    rows[3][4] = replace(rows[3][4], dy=2.4)
    return rows


def test_pair_that_contradicts_the_others_is_suspicious() -> None:
    made = ShiftTable.of(one_wrong_pair(), META)
    expected = (made.columns["integration"] == 3) & (made.columns["psf"] == 4)
    np.testing.assert_array_equal(made.columns["suspicious"], expected)
    assert made.n_suspicious == 1
    assert made.n_failed == 0
    assert made.columns["dy"][expected] == 2.4
    assert made.columns["closure"][expected] == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize(("sigma", "suspicious"), [(0.036, True), (0.0402, False)])
def test_suspicion_takes_the_sigma_of_one_axis(sigma: float, suspicious: bool) -> None:
    """Two tenths of a pixel off are more than five times 0.036, and less than five times 0.0402."""
    rows = [[PairFit(dx=1.0, dy=0.5, sigma_dx=sigma, sigma_dy=sigma)] * 6 for _ in range(5)]
    rows[3][4] = replace(rows[3][4], dy=0.7)
    assert ShiftTable.of(rows, META).n_suspicious == suspicious


def test_joint_shifts_are_those_that_all_pairs_imply() -> None:
    made = ShiftTable.of(one_wrong_pair(), META, shifts="joint")
    i, k = made.columns["integration"], made.columns["psf"]
    np.testing.assert_allclose(made.columns["dx"], k - 0.5 * i, rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.columns["dy"], 0.1 * k, rtol=0, atol=1e-12)
    assert made.n_suspicious == 1


@pytest.mark.parametrize(("n_integrations", "n_psfs"), [(2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize("n_wrong", [0, 1, 2])
def test_few_pairs_keep_their_own_shifts(n_integrations: int, n_psfs: int, n_wrong: int) -> None:
    """Nothing says which are wrong: joint shifts would spoil the good ones."""
    rows = [row[:n_psfs] for row in one_wrong_pair()[:n_integrations]]
    for i in range(n_wrong):
        rows[i][i] = replace(rows[i][i], dy=2.4 + i)
    alone = ShiftTable.of(rows, META)
    made = ShiftTable.of(rows, META, shifts="joint")
    assert_same(made.columns, alone.columns)
    assert made.meta["shifts"] == "pairwise"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = table()
    made.write(tmp_path / "s.ecsv")
    again = ShiftTable.read(tmp_path / "s.ecsv")
    assert_same(again.columns, made.columns)
    assert again.meta == META


def test_astropy_reads_it_with_units_types_and_meta(tmp_path: Path) -> None:
    made = table()
    made.write(tmp_path / "s.ecsv")
    read = Table.read(tmp_path / "s.ecsv", format="ascii.ecsv")
    assert read.colnames == list(COLUMNS)
    for name, (dtype, unit, description) in COLUMNS.items():
        assert str(read[name].unit or "") == unit
        assert read[name].description == description
        assert (
            read[name].dtype.kind
            == {"int64": "i", "float64": "f", "string": "U", "bool": "b"}[dtype]
        )
    assert_same({name: read[name] for name in COLUMNS}, made.columns)
    assert dict(read.meta) == META | {"pairs": len(read)}


def test_fits_table_holds_the_same(tmp_path: Path) -> None:
    made = table()
    header, content = made.to_fits()
    assert len(content) == header["NAXIS1"] * header["NAXIS2"]
    raw = fits.PrimaryHDU().header.tostring().encode() + header.tostring().encode() + content
    raw += bytes(-len(raw) % 2880)
    with fits.open(io.BytesIO(raw)) as opened:
        data = opened["SHIFTS"].data
        assert_same({name: data[name] for name in COLUMNS}, made.columns)
        assert opened["SHIFTS"].columns["dx"].unit == "pix"


def test_table_without_rows(tmp_path: Path) -> None:
    made = ShiftTable.of([], META)
    made.write(tmp_path / "s.ecsv")
    assert len(ShiftTable.read(tmp_path / "s.ecsv")) == 0
    assert len(Table.read(tmp_path / "s.ecsv", format="ascii.ecsv")) == 0
    assert made.n_failed == 0


def test_same_table_same_bytes(tmp_path: Path) -> None:
    table().write(tmp_path / "a.ecsv")
    table().write(tmp_path / "b.ecsv")
    assert (tmp_path / "a.ecsv").read_bytes() == (tmp_path / "b.ecsv").read_bytes()


def damage(text: str, kind: str) -> str:
    lines = text.splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if not line.startswith("#")]
    return {
        "empty": "",
        "fits": "SIMPLE  =                    T",
        "no meta": "".join(line for line in lines if not line.startswith("# meta")),
        "meta is no JSON": text.replace("# meta: {", "# meta: !!omap {"),
        "a row is cut": text[:-40],
        "a column is missing": text.replace("sigma_dx", "sigma", 2),
        "text for a number": "".join([*header, rows[0], "x" + rows[1], *rows[2:]]),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "fits",
        "no meta",
        "meta is no JSON",
        "a row is cut",
        "a column is missing",
        "text for a number",
    ],
)
def test_item_19_not_a_table_of_shifts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "s.ecsv"
    table().write(path)
    path.write_text(damage(path.read_text(), kind))
    with refused(f"{path}: is not a table of shifts; run fit_shifts again", InputError):
        ShiftTable.read(path)


def test_item_19_not_text(tmp_path: Path) -> None:
    path = tmp_path / "s.ecsv"
    path.write_bytes(b"\xff\xfe")
    with refused(f"{path}: is not a table of shifts; run fit_shifts again", InputError):
        ShiftTable.read(path)


def test_item_18_missing(tmp_path: Path) -> None:
    path = tmp_path / "s.ecsv"
    with refused(f"{path}: no such file; check the path", InputError):
        ShiftTable.read(path)


def test_meta_is_one_line_of_json(tmp_path: Path) -> None:
    path = tmp_path / "s.ecsv"
    table().write(path)
    (line,) = [x for x in path.read_text().splitlines() if x.startswith("# meta: ")]
    assert json.loads(line.removeprefix("# meta: ")) == META | {"pairs": len(table())}
