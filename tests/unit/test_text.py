"""Text files of absurd size are refused before they are read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from psfalign.campaign.associations import read_association
from psfalign.campaign.yaml import read_yaml
from psfalign.errors import PsfalignError
from psfalign.files.shifts import ShiftTable
from psfalign.files.text import LARGEST, read_text
from psfalign.psfmask.resolved import ResolvedMask

READERS = [read_association, read_yaml, ResolvedMask.read, ShiftTable.read]


def sparse(path: Path, text: bytes, size: int) -> Path:
    """A file whose tail of zeros takes no room on the disk, and minutes to read."""
    path.write_bytes(text)
    os.truncate(path, size)
    return path


@pytest.mark.bad_input(59)
@pytest.mark.parametrize("read", READERS, ids=["association", "configuration", "mask", "table"])
def test_text_without_end_is_refused_unread(read: Callable[[Path], object], tmp_path: Path) -> None:
    size = 6 << 30
    path = sparse(tmp_path / "text", b"output_dir: results\n", size)
    with pytest.raises(PsfalignError) as refused:
        read(path)
    line = str(refused.value)
    assert line.startswith(f"{path}: has {size} bytes; at most ")
    assert line.endswith(" are read as text; name another file")


def test_largest_text_is_read(tmp_path: Path) -> None:
    path = sparse(tmp_path / "text", b"", LARGEST)
    assert len(read_text(path)) == LARGEST
