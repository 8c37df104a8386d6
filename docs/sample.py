"""A small product, and the headers with which it is written, comments and all."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header

from psfalign import cli
from psfalign.files.fits import writer

SHAPE = 24, 28  # rows, columns
COMMON = {
    "TELESCOP": "JWST",
    "INSTRUME": "NIRCAM",
    "FILTER": "F335M",
    "CORONMSK": "MASKA335R",
    "SUBARRAY": "SUB320A335R",
    "DATE-OBS": "2023-06-01",
    "TIME-OBS": "12:00:00",
}
CHANGED = "PRIMARY", "SCI"  # extensions to which psfalign adds keywords
CHECKSUMS = "CHECKSUM", "DATASUM"
ROOM = 10_000  # characters, for comments that would not fit beside a long value
PLANES = {"s_calints.fits": 2, "p_calints.fits": 1, "q_calints.fits": 2}  # integrations


@dataclass(frozen=True)
class Sample:
    """
    What a product consists of.

    Attributes
    ----------
    extensions
        Names of its HDUs.
    keywords
        By extension: the keywords that psfalign adds or changes, and what they mean.
    """

    extensions: list[str]
    keywords: dict[str, dict[str, str]]


@cache
def describe_product() -> Sample:
    """Make a small product from psf exposures, and see what was written."""
    with tempfile.TemporaryDirectory(prefix="psfalign-") as name:
        folder = Path(name)
        sources = [_write_exposure(folder / file, planes) for file, planes in PLANES.items()]
        written = _make_product(folder)
        with fits.open(folder / "o.fits") as product, fits.open(sources[1]) as source:
            extensions = [hdu.name for hdu in product]
            added = {name: _added(product[name].header, source[name].header) for name in CHANGED}
    cards = [card for header in written for card in header.cards]
    # A keyword that one step writes and the next one copies has lost its comment by then.
    comments: dict[str, str] = {}
    for card in cards:
        comments[card.keyword] = max(comments.get(card.keyword, ""), card.comment, key=len)
    keywords = {name: {key: comments[key] for key in keys} for name, keys in added.items()}
    return Sample(extensions, keywords)


def _make_product(folder: Path) -> list[Header]:
    """Run all steps; give every header that was written on the way."""
    mask = np.ones(SHAPE, np.float32)
    mask[10:14, 12:16] = 0
    cards = {**COMMON, "REFTYPE": "PSFMASK", "USEAFTER": "2022-07-01"}
    _write(folder / "m.fits", cards, fits.ImageHDU(mask, name="SCI"))
    (folder / "asn.json").write_text("{}")
    science, *psfs = (str(folder / file) for file in PLANES)
    arguments = ["align", "--science", science, "--psfs", *psfs, "--max-shift", "2"]
    arguments += ["--psfmask", str(folder / "m.fits"), "--association", str(folder / "asn.json")]
    arguments += ["--product-name", "Level 3", "--exclude", "4,4,1.5"]
    with _watched() as written, redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        failed = cli.main([*arguments, "--output", str(folder / "o.fits")])
    if failed:
        raise RuntimeError(said.getvalue())
    return written


@contextmanager
def _watched() -> Iterator[list[Header]]:
    """Keep the headers that are written, with comments that a card of a file has no room for."""
    written: list[Header] = []
    add, add_image, copy = (
        getattr(writer.FitsWriter, name) for name in ("add", "add_image", "copy")
    )

    def keep(method: Any, position: int) -> Any:
        def watched(self: Any, *arguments: Any) -> Any:
            header = arguments[position]
            written.append(getattr(header, "header", header).copy())
            return method(self, *arguments)

        return watched

    methods = {"add": keep(add, 0), "add_image": keep(add_image, 0), "copy": keep(copy, 1)}
    with (
        patch.multiple(writer.FitsWriter, **methods),
        patch.object(writer, "CARD", ROOM),
        warnings.catch_warnings(action="ignore", category=fits.verify.VerifyWarning),
    ):
        yield written


def _added(header: Header, old: Header) -> list[str]:
    """List the keywords that are new or have another value, but those of the file's structure."""
    before = {(card.keyword, card.value) for card in old.cards}
    structure = {"SIMPLE", "BITPIX", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT", *CHECKSUMS}
    return [
        card.keyword
        for card in header.cards
        if (card.keyword, card.value) not in before
        and card.keyword not in structure
        and not card.keyword.startswith("NAXIS")
    ]


def _write_exposure(path: Path, n_planes: int) -> Path:
    rng = np.random.default_rng(sum(path.name.encode()))
    row, column = np.indices(SHAPE)
    star = np.exp(-((row - 9) ** 2 + (column - 16) ** 2) / 9) + np.exp(-((row - 15) ** 2) / 9)
    images = 100 * star + rng.normal(0, 0.1, (n_planes, *SHAPE))
    image = fits.ImageHDU(images.astype(np.float32), name="SCI")
    error = fits.ImageHDU(np.full(images.shape, 0.1, np.float32), name="ERR")
    return _write(path, {**COMMON, "NINTS": n_planes}, image, error)


def _write(path: Path, cards: dict[str, Any], *extensions: fits.ImageHDU) -> Path:
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, *extensions]).writeto(path)
    return path
