"""
Damage files in thousands of ways, and check that each is refused or read correctly.

    PYTHONPATH=tests:workflow/lib python -m studies.mutations 20000
"""

import argparse
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from astropy.io import fits
from files import exposure_hdus, mask_hdus, write
from patience import PATIENCE

from psfalign.errors import InputError
from psfalign.files.exposure import LARGEST, Exposure
from psfalign.files.fits.structure import BLOCK, CARD
from psfalign.files.selectors import read_selectors
from psfalign.psfmask.file import read_mask, read_mask_header

SHAPE = 6, 7  # rows, columns: the headers are what is large in these files
CHECKSUMS = (b"CHECKSUM", b"DATASUM ")
# What a card may be made to say.
VALUES = (
    "-1", "0", "1", "2", "16", "-32", "-64", "99999999", "2147483648", "1E400", "-1.5", "NaN", "INF",
    "T", "F", "''", "'", "'SCI     '", "'ERR     '", "'A|B'", "'*'", "/", "&", "(1, 2)", "1.2.3", "",
)  # fmt: skip
KEYWORDS = (
    "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "BITPIX", "PCOUNT", "GCOUNT", "BSCALE", "BZERO", "BLANK",
    "EXTNAME", "XTENSION", "SIMPLE", "END", "CONTINUE", "HIERARCH a b", "ZIMAGE", "FILTER",
)  # fmt: skip

REPORT = """## Damaged files

{count:,} damaged files; {wrong} of them gave anything but one line or right data.
With checksums, right is what was there before the damage; without, or where the damage
took them away, what astropy reads, too. Checksums of FITS are sums: no reader can tell that two
words of the pixels changed places, and no such damage is among these.
"""

Mutation = Callable[[bytearray, np.random.Generator], None]


class HangError(BaseException):
    """Reading took too long."""


@dataclass(frozen=True)
class Content:
    """The content of a file for a reader: arrays, and the selectors of its header."""

    arrays: list[Any]
    selectors: dict[str, str]

    def equals(self, other: "Content", *, tolerance: float = 0.0) -> bool:
        """Compare arrays, within a share of their largest value, and selectors."""
        same = len(self.arrays) == len(other.arrays) and self.selectors == other.selectors
        pairs = zip(self.arrays, other.arrays, strict=True) if same else ()
        return same and all(_equal(a, b, tolerance) for a, b in pairs)


def _equal(a: Any, b: Any, tolerance: float) -> bool:
    if a.shape != b.shape:
        return False
    finite = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return np.allclose(a, b, rtol=0, atol=tolerance * float(finite), equal_nan=True)


def flip_bit(content: bytearray, rng: np.random.Generator) -> None:
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))


def overwrite(content: bytearray, rng: np.random.Generator) -> None:
    start, size = int(rng.integers(len(content))), int(rng.integers(1, 200))
    filling = [bytes(size), b"\xff" * size, b" " * size, rng.bytes(size)][rng.integers(4)]
    content[start : start + size] = filling[: len(content) - start]


def delete(content: bytearray, rng: np.random.Generator) -> None:
    start, size = int(rng.integers(len(content))), int(rng.choice([1, 4, 80, BLOCK]))
    del content[start : start + size]


def insert(content: bytearray, rng: np.random.Generator) -> None:
    start, size = int(rng.integers(len(content) + 1)), int(rng.choice([1, 4, 80, BLOCK]))
    content[start:start] = [rng.bytes(size), bytes(size), b" " * size][rng.integers(3)]


def truncate(content: bytearray, rng: np.random.Generator) -> None:
    end = int(rng.integers(len(content)))
    del content[end - (end % BLOCK if rng.random() < 0.5 else 0) :]


def repeat_block(content: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(1 + len(content) // BLOCK)) * BLOCK
    content[start:start] = content[start : start + BLOCK]


def change_value(content: bytearray, rng: np.random.Generator) -> None:
    start = _card(content, rng)
    value = VALUES[rng.integers(len(VALUES))]
    content[start + 10 : start + CARD] = f"{value:>20}".ljust(CARD - 10).encode()


def rename_card(content: bytearray, rng: np.random.Generator) -> None:
    start = _card(content, rng)
    content[start : start + 8] = KEYWORDS[rng.integers(len(KEYWORDS))][:8].ljust(8).encode()


def add_card(content: bytearray, rng: np.random.Generator) -> None:
    start = _card(content, rng)
    keyword, value = KEYWORDS[rng.integers(len(KEYWORDS))], VALUES[rng.integers(len(VALUES))]
    content[start : start + CARD] = f"{keyword:8.8}= {value:>20}".ljust(CARD).encode()


def copy_card(content: bytearray, rng: np.random.Generator) -> None:
    start, source = _card(content, rng), _card(content, rng)
    content[start : start + CARD] = content[source : source + CARD]


def blank_card(content: bytearray, rng: np.random.Generator) -> None:
    start = _card(content, rng)
    content[start : start + CARD] = b" " * CARD


def swap_cards(content: bytearray, rng: np.random.Generator) -> None:
    one, other = _card(content, rng), _card(content, rng)
    first, second = content[one : one + CARD], content[other : other + CARD]
    content[one : one + CARD], content[other : other + CARD] = second, first


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, overwrite, delete, insert, truncate, repeat_block,
    change_value, rename_card, add_card, copy_card, blank_card, swap_cards,
)  # fmt: skip


def _card(content: bytearray, rng: np.random.Generator) -> int:
    """Choose a card among those that look like one."""
    starts = [
        i
        for i in range(0, len(content) - CARD + 1, CARD)
        if content[i + 8 : i + 10] == b"= " or content[i : i + 8] == b"END     "
    ]
    return starts[rng.integers(len(starts))] if starts else 0


def make_files(folder: Path) -> dict[str, bytes]:
    """Write what is damaged: floats and integers, with checksums and without, and masks."""
    rng = np.random.default_rng(0)
    floats = rng.normal(10, 1, (2, *SHAPE)).astype(np.float32)
    flags = rng.integers(0, 2**32, (2, *SHAPE), dtype=np.uint32)
    mask = rng.random(SHAPE).astype(np.float32)

    def exposure() -> fits.HDUList:
        return exposure_hdus(floats.copy(), dq=flags.copy(), CRPIX1=3.0)

    def integers() -> fits.HDUList:
        hdus = exposure()
        stored = rng.integers(-999, 999, (2, *SHAPE)).astype(np.int16)
        hdus["SCI"] = fits.ImageHDU(stored, name="SCI")
        hdus["SCI"].header["BLANK"] = int(stored[0, 0, 0])
        return hdus

    content = {}
    for name, make in (
        ("exposure", exposure),
        ("exposure of integers", integers),
        ("psfmask", lambda: mask_hdus(mask.copy())),
    ):
        path = folder / "whole.fits"
        content[f"{name}, checksums"] = write(make(), path).read_bytes()
        make().writeto(path, overwrite=True)
        content[f"{name}, no checksums"] = path.read_bytes()
    return content


def read(path: Path, kind: str) -> Content:
    """Read a file as the steps do."""
    if kind.startswith("psfmask"):
        return Content([read_mask(path)], read_selectors(read_mask_header(path)[0]))
    with Exposure(path) as exposure:
        planes = [
            function(i)
            for i in range(len(exposure))
            for function in (exposure.read_science, exposure.read_error, exposure.read_dq)
        ]
        return Content(planes, read_selectors(exposure.primary))


def read_independently(path: Path, kind: str) -> Content:
    """Read a file with astropy, which is independent of the reader of the steps."""
    with fits.open(path, memmap=False) as hdus:
        selectors = read_selectors(hdus[0].header)
        if kind.startswith("psfmask"):
            return Content([hdus["SCI"].data.astype(np.float64)], selectors)
        planes: list[Any] = []
        science = hdus["SCI"].data.astype(np.float64)
        for i in range(len(science)):
            for name in ("SCI", "ERR"):
                data = hdus[name].data.astype(np.float64) if name in hdus else 0 * science
                data[np.abs(data) > LARGEST] = np.inf
                unknown = np.full(science.shape[1:], np.nan)
                planes.append(data[i] if name in hdus else unknown)
            stored = hdus["DQ"].data if "DQ" in hdus else np.zeros(science.shape, np.uint32)
            planes.append((stored[i].astype(np.int64) & 0xFFFFFFFF).astype(np.uint32))
    return Content(planes, selectors)


@contextmanager
def impatiently() -> Iterator[None]:
    """Raise `HangError` in a block that does not end."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(path: Path, kind: str, whole: bytes, original: Content) -> str:
    """
    Return what becomes of a damaged file.

    Where checksums protect it and were not themselves taken away, only the original content is
    right. Elsewhere nobody can tell that a value was changed, and what counts is that another
    reader sees the same in the file.

    Returns
    -------
    ``refused``, ``read, unchanged``, ``read as it is now``, or what is wrong.
    """
    try:
        with impatiently(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = read(path, kind)
    except InputError as error:
        line = str(error)
        return "refused" if str(path) in line and "\n" not in line else f"wrong: unclear {line!r}"
    except HangError:
        return "wrong: it hangs"
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"
    if content.equals(original):
        return "read, unchanged"
    damaged = path.read_bytes()
    protected = "no checksums" not in kind
    if protected and all(damaged.count(key) == whole.count(key) for key in CHECKSUMS):
        return "wrong: other content in spite of checksums"
    return _compare(path, kind, content)


def _compare(path: Path, kind: str, content: Content) -> str:
    try:
        with impatiently(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            other = read_independently(path, kind)
    except Exception as error:
        return f"wrong: astropy says {type(error).__name__}: {error}"
    # astropy scales by BSCALE and BZERO in the single precision in which the pixels are stored.
    same = content.equals(other, tolerance=1e-6)
    return "read as it is now" if same else "wrong: astropy reads other content"


def study(count: int, *, seed: int = 20_000) -> tuple[dict[str, Counter[str]], list[str]]:
    """Damage files; return the outcomes by kind of file, and the errors."""
    outcomes: dict[str, Counter[str]] = {}
    wrong = []
    with tempfile.TemporaryDirectory(prefix="psfalign-mutations-") as name:
        path = Path(name) / "a.fits"
        wholes = make_files(Path(name))
        originals = {}
        for kind, whole in wholes.items():
            path.write_bytes(whole)
            originals[kind] = read(path, kind)
        for number in range(count):
            kind = list(wholes)[number % len(wholes)]
            rng = np.random.default_rng([seed, number])
            content = bytearray(wholes[kind])
            mutations = rng.choice(len(MUTATIONS), size=rng.choice([1, 1, 1, 2, 3]))
            for index in mutations:
                if content:
                    MUTATIONS[index](content, rng)
            path.write_bytes(content)
            outcome = judge(path, kind, wholes[kind], originals[kind])
            outcomes.setdefault(kind, Counter())[outcome.partition(":")[0]] += 1
            if outcome.startswith("wrong"):
                names = ", ".join(MUTATIONS[i].__name__ for i in mutations)
                wrong.append(f"{number} ({kind}; {names}): {outcome}")
    return outcomes, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    count = parser.parse_args().count
    outcomes, wrong = study(count)
    print("\n".join(wrong), file=sys.stderr)
    print(REPORT.format(count=count, wrong=len(wrong)))
    words = ("refused", "read, unchanged", "read as it is now")
    print(f"| file | {' | '.join(words)} | wrong |\n|---|{'---|' * (len(words) + 1)}")
    for kind, counts in outcomes.items():
        print(f"| {kind} | {' | '.join(str(counts[word]) for word in (*words, 'wrong'))} |")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
