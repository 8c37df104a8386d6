"""The outline of files that psfalign wrote, beside the careful reader of files from anywhere."""

from pathlib import Path

import numpy as np
import pytest
from small_campaign import NAME, PRODUCT

from psfalign.errors import InputError
from psfalign.files.fits.outline import outline, read_rows
from psfalign.files.fits.structure import BLOCK, scan
from psfalign.files.provenance.table import NAME as PROVENANCE
from psfalign.files.provenance.table import read_records

FILES = (PRODUCT, f"results/{NAME}/{NAME}_clean.fits", "results/psfstacks/star_clean.fits")


@pytest.mark.parametrize("name", FILES)
def test_outline_is_that_of_the_careful_reader(name: str, copied_results: Path) -> None:
    path = copied_results / name
    found, expected = outline(path), scan(path)
    assert [hdu.name for hdu in found] == [hdu.name.replace("PRIMARY", "") for hdu in expected]
    for hdu, other in zip(found, expected, strict=True):
        assert (hdu.data_start, hdu.data_size, hdu.end) == (
            other.data_start,
            other.data_size,
            other.end,
        )
    table = next(hdu for hdu in found if hdu.name == PROVENANCE)
    assert read_rows(path, table) == [tuple(record) for record in read_records(path, expected)]


@pytest.mark.bad_input(56)
def test_every_byte_of_every_header_counts(copied_results: Path) -> None:
    """A bit of each card, one after the other: no edit of a header goes unnoticed."""
    path = copied_results / PRODUCT
    content = path.read_bytes()
    rng = np.random.default_rng(3)
    for hdu in scan(path):
        for card in range(hdu.start, hdu.data_start, 80):
            damaged = bytearray(content)
            damaged[card + rng.integers(80)] ^= 1 << rng.integers(7)
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=f"^{path}: .*; remove it and run the workflow"):
                outline(path)


@pytest.mark.bad_input(56)
@pytest.mark.parametrize("size", [0, 5, BLOCK, -BLOCK, -1, BLOCK // 2])
def test_cut_file_is_noticed(size: int, copied_results: Path) -> None:
    path = copied_results / PRODUCT
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=f"^{path}: .*; remove it and run the workflow again$"):
        outline(path)


@pytest.mark.bad_input(56)
def test_appended_bytes_are_noticed(copied_results: Path) -> None:
    path = copied_results / PRODUCT
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="the header at byte .* has no END; remove it"):
        outline(path)


@pytest.mark.bad_input(56)
def test_damaged_table_is_noticed(copied_results: Path) -> None:
    path = copied_results / PRODUCT
    table = next(hdu for hdu in outline(path) if hdu.name == PROVENANCE)
    content = bytearray(path.read_bytes())
    content[table.data_start + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="has a damaged table PROVENANCE: its checksum does not"):
        read_rows(path, outline(path)[-1])
