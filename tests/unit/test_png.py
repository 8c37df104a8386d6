"""A figure's note comes back as it was written, and a damaged file gives none."""

from pathlib import Path

import pytest
from PIL import Image

from psfalign.errors import InputError
from psfalign.files.png import note_chunk, read_note

TEXT = '{"style": "é"}' * 100


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    path = tmp_path / "figure.png"
    Image.new("L", (8, 8)).save(path, pnginfo=note_chunk(TEXT))
    return path


def test_a_note_comes_back_and_is_compressed(figure: Path) -> None:
    assert read_note(figure) == TEXT
    assert figure.stat().st_size < len(TEXT)


def test_a_figure_without_a_note_says_nothing(figure: Path) -> None:
    Image.new("L", (8, 8)).save(figure)
    with pytest.raises(InputError, match=r"figure.png: says nothing of how it was made$"):
        read_note(figure)


@pytest.mark.parametrize("n_bytes", [0, 20, 100, -20])
def test_a_cut_figure_is_damaged(figure: Path, n_bytes: int) -> None:
    figure.write_bytes(figure.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"figure.png: is damaged$"):
        read_note(figure)
