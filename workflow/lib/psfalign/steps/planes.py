"""Shift the planes of the psfalign product, psf by psf, and write each at its place."""

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

MOTIONS_KEPT = 9  # shifts around a whole pixel have three motions along each axis


class StoredPlane(NamedTuple):
    """SCI, ERR and DQ of one plane, encoded for the file."""

    science: Stored
    error: Stored
    dq: Stored


class PlaneWriter(NamedTuple):
    """The writers of SCI, ERR and DQ of the product."""

    science: ImageWriter
    error: ImageWriter
    dq: ImageWriter


def copy_planes(exposure: Exposure, product: PlaneWriter) -> None:
    """Copy the psf images unchanged."""
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

    A process handles one psf image at a time, which it transforms once for all integrations, and
    writes the planes itself. The checksums of planes can be added in any order.
    """
    shifting = _Shifting(exposure, table, product, errors)
    shifted = ordered_map(shifting.shift_psf, range(len(exposure)), threads=threads)
    for sums in say_progress(shifted, "psf images shifted", total=len(exposure)):
        for image, words in zip(product, sums, strict=True):
            image.count(words)


class _Shifting:
    """The work on one psf image, with the data that all processes share."""

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
        """Write the planes of one psf, and return their contributions to the three checksums."""
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
    """The encoded flags of a psf image, which are the same for all shifts of the same motion."""

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
