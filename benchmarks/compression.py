"""
Say what it would cost to compress the product without loss: DQ alone, and SCI and ERR as well.

A product is written with its DQ tile-compressed (FITS standard 4.0, section 10), a plane a tile,
and opened by other programs. What exposures would gain follows from planes of the first of each
mask in a folder.
"""

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from cases import Case, chosen_cases
from programs import first_of_each_mask
from report import Report
from runs import align, run_peer

from psfalign.images.fourier import Shift
from psfalign.images.shifted_flags import move_flags

FITSIO, PYKLIP = "fitsio 1.4.2", "pyklip 2.10.1"
READERS = {
    "4D": (("jwst", "1.15.1"), ("astropy", "3.0.0"), ("fitsio", FITSIO)),
    "3D": (("jwst", "3.0.0"), ("pyklip", PYKLIP)),
}
RELEASES = ("1.15.1", "3.0.0", PYKLIP, FITSIO)
ALGORITHMS = ("RICE_1", "GZIP_1", "GZIP_2")
INTEGRATIONS = (1, 20)
MOTIONS = tuple(Shift(dx, dy) for dx in (0.3, -0.3) for dy in (0.3, -0.3))
LEAST = 0.3  # seconds of processor that a measurement takes at least
OPENED = ("case", "product", "opened by", "flags", "CPU ms, plain", "CPU ms, compressed")
COSTS = (
    "case",
    "compressed",
    "bytes a pixel, before",
    "after",
    "CPU ms a psf: compress",
    "written plain, 1 integration",
    "written plain, 20 integrations",
    "read a plane, compressed",
    "read a plane, plain",
)
COSTS_LEGEND = (
    "Of DQ each pattern of a psf is compressed once and all its planes point to it: four patterns,",
    "for shifts of less than a pixel, and 20 integrations. What is saved is writing the planes of",
    "a psf as they are. Of SCI and ERR each plane is compressed, for 20 integrations.",
)


def compress(images: NDArray[Any], algorithm: str) -> bytes:
    """Return a FITS file that holds images (planes, rows, columns), a plane a tile."""
    hdu = fits.CompImageHDU(
        images,
        name="DQ",
        compression_type=algorithm,
        tile_shape=(1, *images.shape[1:]),
        quantize_level=0,
    )
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream)
    return stream.getvalue()


def milliseconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, the mean of several runs."""
    start, runs = time.process_time(), 0
    while time.process_time() - start < LEAST:
        work()
        runs += 1
    return 1e3 * (time.process_time() - start) / runs


def with_compressed_flags(product: Path, output: Path) -> Path:
    """Write a product again with its DQ compressed."""
    with fits.open(product, memmap=False) as hdus:
        flags = hdus["DQ"]
        tile = (*(1,) * (flags.data.ndim - 2), *flags.shape[-2:])
        hdus[hdus.index_of("DQ")] = fits.CompImageHDU(
            flags.data, flags.header, name="DQ", compression_type="RICE_1", tile_shape=tile
        )
        hdus.writeto(output, checksum=True)
    return output


def open_with_others(case: Case, folder: Path) -> Iterator[tuple[object, ...]]:
    """Return how each program takes the products of a case."""
    for kind, readers in READERS.items():
        steps = align(case, folder, align_to="each" if kind == "4D" else "first")
        small = with_compressed_flags(steps.product, folder / f"{kind}_compressed.fits")
        for program, release in readers:
            found = [
                run_peer(release, "open_product", program, path, steps.science, folder=folder)
                for path in (steps.product, small)
            ]
            name = "astropy" if program == "astropy" else release
            name = f"jwst {release}" if program == "jwst" else name
            yield case.name, kind, name, *_compare(*found)


def _compare(plain: dict[str, Any], small: dict[str, Any]) -> tuple[str, str, str]:
    """Return whether the flags are the same, and how long opening took."""
    before = f"{1e3 * plain['cpu']:.0f}"
    if "problem" in small:
        return f"refused: {small['problem']}", before, ""
    flags = "equal" if plain["flags"] == small["flags"] else "differ"
    return flags, before, f"{1e3 * small['cpu']:.0f}"


def cost_of_flags(case: Case, folder: Path) -> Iterator[tuple[object, ...]]:
    """Return what compression of DQ costs and saves, for each algorithm."""
    with fits.open(align(case, folder).psfs) as hdus:
        dq = hdus["DQ"].data[0].astype(np.uint32)
    patterns = np.array([move_flags(dq, shift) for shift in MOTIONS])
    plain, written = _plain_planes(dq)
    for algorithm in ALGORITHMS:
        # Less the headers, by the difference of two numbers of planes.
        size = len(compress(np.tile(patterns, (4, 1, 1)), algorithm))
        size = (size - len(compress(patterns, algorithm))) / 3
        stored = io.BytesIO(compress(patterns, algorithm))
        with fits.open(stored) as hdus:
            read = milliseconds(lambda: hdus["DQ"].section[2])
        taken = milliseconds(partial(compress, patterns, algorithm))
        after = size / dq.size / INTEGRATIONS[1]
        saved = (f"{n * written:.2g}" for n in INTEGRATIONS)
        yield (
            case.name, f"DQ, {algorithm}", 4, f"{after:.2g}", f"{taken:.1f}", *saved,
            f"{read:.2g}", f"{plain:.2g}",
        )  # fmt: skip


def cost_of_images(case: Case, folder: Path) -> Iterator[tuple[object, ...]]:
    """Return what compression of SCI and ERR would cost and save, for 20 integrations."""
    with fits.open(align(case, folder).product) as hdus:
        images = [
            hdus[name].data.reshape(-1, *hdus[name].shape[-2:])[:1] for name in ("SCI", "ERR")
        ]
    plain, written = _plain_planes(images[0][0])
    both = [image.astype(np.float32) for image in images]
    for algorithm in ALGORITHMS[1:]:
        size = sum(len(compress(np.tile(i, (4, 1, 1)), algorithm)) for i in both)
        size = (size - sum(len(compress(image, algorithm)) for image in both)) / 3
        taken = sum(milliseconds(partial(compress, image, algorithm)) for image in both)
        stored = io.BytesIO(compress(both[0], algorithm))
        with fits.open(stored) as hdus:
            read = milliseconds(lambda: hdus["DQ"].section[0])
        times = (f"{2 * n * written:.2g}" for n in INTEGRATIONS)
        costs = f"{INTEGRATIONS[1] * taken:.0f}", *times
        yield (
            case.name, f"SCI and ERR, {algorithm}", 8, f"{size / both[0].size:.3g}", *costs,
            f"{read:.2g}", f"{plain:.2g}",
        )  # fmt: skip


def _plain_planes(plane: NDArray[Any]) -> tuple[float, float]:
    """Return the milliseconds of reading and of writing a plane as it is."""
    content, count = np.ascontiguousarray(plane).view(np.uint8).tobytes(), 64
    with tempfile.TemporaryFile() as stream:
        number = stream.fileno()

        def write() -> None:
            for n in range(count):
                os.pwrite(number, content, n * len(content))

        def read() -> None:
            for n in range(count):
                words = np.frombuffer(os.pread(number, len(content), n * len(content)), ">u4")
                words.sum(dtype=np.uint64)

        written = milliseconds(write) / count
        return milliseconds(read) / count, written


def main() -> None:
    """Let programs open the first case, and measure the first of each mask."""
    report = Report("compression", "Products compressed without loss", RELEASES)
    with chosen_cases(__doc__) as (cases, folder):
        chosen = [case for case in first_of_each_mask(cases) if not case.name.startswith("demo")]
        places = [(case, folder / case.name) for case in chosen]
        report.say("## DQ compressed, in other programs", "")
        report.table(OPENED, [*open_with_others(*places[0])])
        report.say("## What it costs and what it saves", "", *COSTS_LEGEND, "")
        measured = (cost_of_flags, cost_of_images)
        report.table(COSTS, [row for p in places for measure in measured for row in measure(*p)])
    report.write()


if __name__ == "__main__":
    main()
