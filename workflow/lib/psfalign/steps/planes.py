"""The planes of the psfalign product: shifted psf by psf, and written where each belongs."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from ..files.exposure import Exposure
from ..files.fits.writer import ImageWriter, Stored
from ..files.frames import find_off_science, read_plane
from ..files.shifts import ShiftTable
from ..fit.result import Status
from ..images.arrays import Errors, Flags
from ..images.fourier import Shift
from ..images.plane import failed_plane
from ..images.shifted_flags import Motion, flag_motion, move_along
from ..images.shifted_psf import Movable
from ..system.parallel import ordered_map
from ..system.progress import say_progress

MOTIONS_KEPT = 9  # around a whole pixel, less, equal and more along each axis


class StoredPlane(NamedTuple):
    """SCI, ERR and DQ of one plane as they are written."""

    science: Stored
    error: Stored
    dq: Stored


class PlaneWriter(NamedTuple):
    """The three images of the product."""

    science: ImageWriter
    error: ImageWriter
    dq: ImageWriter


def copy_planes(exposure: Exposure, product: PlaneWriter) -> None:
    """Pass the psf images on as they are."""
    for index in range(len(exposure)):
        plane, _ = read_plane(exposure, index)
        product.science.write(index, plane.image)
        product.error.write(index, plane.error)
        product.dq.write(index, plane.dq)


def shift_planes(
    exposure: Exposure,
    table: ShiftTable,
    product: PlaneWriter,
    *,
    errors: Errors,
    threads: int,
) -> None:
    """
    Shift each psf image onto all integrations.

    Psf by psf, so that only one is in memory, prepared once for all integrations. Each process
    writes the planes that it shifted; the checksums add up in any order.
    """
    shifting = _Shifting(exposure, table, product, errors)
    shifted = ordered_map(shifting.shift_psf, range(len(exposure)), threads=threads)
    for sums in say_progress(shifted, "psf images shifted", total=len(exposure)):
        for image, words in zip(product, sums, strict=True):
            image.count(words)


class _Shifting:
    """What the processes share."""

    def __init__(
        self, exposure: Exposure, table: ShiftTable, product: PlaneWriter, errors: Errors
    ) -> None:
        self._exposure = exposure
        self._product = product
        self._errors: Errors = errors
        self._padding: int = table.meta["padding"]
        names = ("dx", "dy", "status")
        self._rows = list(zip(*(table.columns[name].tolist() for name in names), strict=True))

    def shift_psf(self, psf: int) -> list[int]:
        """Write the planes of one psf; return the sums of the words of each image."""
        sums = [0, 0, 0]
        for index, plane in self._planes(psf):
            for n, (image, stored) in enumerate(zip(self._product, plane, strict=True)):
                image.put(index, stored)
                sums[n] += stored.words
        return sums

    def _planes(self, psf: int) -> Iterator[tuple[int, StoredPlane]]:
        plane, _ = read_plane(self._exposure, psf)
        off_science = find_off_science(plane)
        movable = Movable.of(plane, off_science, errors=self._errors, padding=self._padding)
        flags = _MovedFlags(plane.dq, self._product.dq)
        for index in range(psf, len(self._rows), len(self._exposure)):
            dx, dy, status = self._rows[index]
            if status != Status.OK:
                yield index, self._failed
                continue
            shift = Shift(-dx, -dy)
            image, error = movable.moved(shift)
            science = self._product.science.store(image)
            yield index, StoredPlane(science, self._product.error.store(error), flags.moved(shift))

    @cached_property
    def _failed(self) -> StoredPlane:
        plane = failed_plane(self._exposure.shape[1:])
        empty = self._product.science.store(plane.image)
        return StoredPlane(empty, empty, self._product.dq.store(plane.dq))


class _MovedFlags:
    """The flags of a psf image as they are written; many shifts move them alike."""

    def __init__(self, dq: Flags, image: ImageWriter) -> None:
        self._dq = dq
        self._image = image
        self._stored: dict[tuple[Motion, Motion], Stored] = {}

    def moved(self, shift: Shift) -> Stored:
        motion = flag_motion(self._dq.shape, shift)
        if motion not in self._stored:
            if len(self._stored) == MOTIONS_KEPT:
                self._stored.clear()
            self._stored[motion] = self._image.store(move_along(self._dq, motion))
        return self._stored[motion]
