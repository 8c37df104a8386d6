"""A note in a PNG file, in which a figure says how it was made."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

KEYWORD = "psfalign"  # of the text chunk; any reader of PNG files shows it


def note_chunk(text: str) -> "PngInfo":
    """Return what Pillow writes into a PNG file beside its pixels."""
    from PIL.PngImagePlugin import PngInfo

    chunk = PngInfo()
    chunk.add_text(KEYWORD, text, zip=True)
    return chunk


def read_note(path: Path) -> str:
    """
    Return the note of a PNG file.

    Raises
    ------
    InputError
        If it has none, or is no whole PNG file.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            note = picture.info.get(KEYWORD)
            picture.verify()  # the checksums of all chunks
    except (OSError, SyntaxError) as error:  # as Pillow says it of a damaged one
        raise InputError("is damaged", file=path) from error
    if note is None:
        raise InputError("says nothing of how it was made", file=path)
    return str(note)
