"""Other rolls of a target as psf images: their integrations, moved onto those of an exposure."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.aligned import AlignedPsfs
from ..files.circles import Place, find_circles, is_on_sky
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.frames import find_off_science, read_plane
from ..files.provenance.records import Records
from ..files.shifts import ShiftTable
from ..files.sky import LEAST_TURN, Matrix, Star, north_angle, read_matrix, turn_between
from ..fit.result import Status
from ..images.arrays import Flags, Image, SingleImage
from ..images.circles import Circle
from ..images.fourier import Shift
from ..images.klip import Images
from ..images.shifted_flags import move_flags
from ..images.shifted_psf import Movable

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]


class Roll(NamedTuple):
    """The files of an exposure of the same target at another roll."""

    science: Path  # cleaned
    shifts: Path


class Moved(NamedTuple):
    """An integration that was moved, (rows, columns) each, in the precision of a product."""

    image: SingleImage
    error: SingleImage
    flags: NDArray[np.int32]


class MovedRoll:
    """
    The integrations of an exposure, each moved onto any integration of another one.

    Parameters
    ----------
    exposure
        The exposure; integrations are read within its with block, once.
    dx, dy : (integrations of the other exposure, own integrations) float64
        How to move them, in pixels; NaN where nobody knows.
    circles
        What a fit must leave out in the exposure's own pixels, such as a companion.
    padding
        See `psfalign.images.padding`.
    """

    def __init__(
        self,
        exposure: Exposure,
        dx: Floats,
        dy: Floats,
        *,
        circles: Sequence[Circle],
        padding: int,
    ) -> None:
        self._exposure = exposure
        self._dx, self._dy = dx, dy
        self._circles = circles
        self._padding = padding

    def move(self, integration: int) -> list[Moved]:
        """Return all integrations, moved onto one of the other exposure."""
        frames = zip(self._frames, self._shifts(integration), strict=True)
        return [_move(*frame, shift) for frame, shift in frames]

    def move_circles(self, integration: int) -> list[Circle]:
        """Return where the circles of all integrations come to lie."""
        known = [shift for shift in self._shifts(integration) if np.isfinite(shift.dx)]
        return [circle.moved(*shift) for circle in self._circles for shift in known]

    def _shifts(self, integration: int) -> list[Shift]:
        moves = self._dx[integration].tolist(), self._dy[integration].tolist()
        return [Shift(*move) for move in zip(*moves, strict=True)]

    @cached_property
    def _frames(self) -> list[tuple[Movable | None, Flags]]:
        return [self._prepare(n) for n in range(len(self._exposure))]

    def _prepare(self, integration: int) -> tuple[Movable | None, Flags]:
        plane, _ = read_plane(self._exposure, integration)
        if not np.isfinite(plane.image).all():
            return None, plane.dq
        return Movable.of(plane, find_off_science(plane), padding=self._padding), plane.dq


def _move(movable: Movable | None, dq: Flags, shift: Shift) -> Moved:
    if movable is None or not np.isfinite(shift.dx):
        empty = np.full(dq.shape, np.nan, np.float32)
        return Moved(empty, empty, dq.astype(np.int32))  # never used: it is not finite
    image, error = movable.moved(shift)
    return Moved(image.astype(np.float32), error, move_flags(dq, shift).astype(np.int32))


class StarsAndRolls:
    """
    The psf images of a product, and the integrations of other rolls moved onto each integration.

    How far an integration j of another roll is from an integration i of the exposure follows from
    the shifts of both against the same psf images k: it is d_ik - d_jk, averaged over them with
    the inverse of its variance. So the star itself is met, while headers say where it was meant
    to be, to a few tenths of a pixel. Where the product passed psf images on as they were, nothing
    is moved.

    Parameters
    ----------
    exposure
        The cleaned science exposure.
    psfs
        What was aligned to it. Its planes, and those of the rolls, are read within a with block.
    rolls
        Exposures of other rolls.
    exclude
        Circles on the science image; those on the sky are left out in other rolls, too.
    star
        Where the star is in all exposures, see `psfalign.files.sky.Sky.of`.

    Attributes
    ----------
    exposures
        The exposures of the other rolls.
    circles
        What is left out in each of them, in its own pixels.
    records
        What led to their integrations and shifts.

    Raises
    ------
    InputError
        If one has the same roll or another shape, or its shifts are not its own or those of other
        psf images.
    """

    def __init__(
        self,
        exposure: Exposure,
        psfs: AlignedPsfs,
        rolls: Sequence[Roll],
        *,
        exclude: Sequence[Place] = (),
        star: Star = "auto",
    ) -> None:
        self.exposures = [Exposure(roll.science) for roll in rolls]
        self.circles: list[list[Circle]] = []
        self.records: Records = []
        self._psfs = psfs
        self._rolls: list[MovedRoll] = []
        self._current: tuple[int, list[Moved]] | None = None
        self._open = ExitStack()
        own, padding = psfs.read_shifts(), int(psfs.primary.get("PADDING", 0))
        for other, roll in zip(self.exposures, rolls, strict=True):
            table = ShiftTable.read(roll.shifts)
            _check_together(exposure, other)
            _check_shifts(table, roll.shifts, other, psfs)
            moves = np.full((2, len(exposure), len(other)), np.nan if psfs.applies else 0.0)
            if psfs.applies and len(table):
                moves[:] = find_moves(own, table.columns, len(psfs))
            circles = find_circles(other, _excluded(table, exclude), star)
            self.circles.append(circles)
            self._rolls.append(MovedRoll(other, *moves, circles=circles, padding=padding))
            self.records += table.records

    def __enter__(self) -> Self:
        for exposure in (self._psfs, *self.exposures):
            self._open.enter_context(exposure)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def __len__(self) -> int:
        return len(self._psfs) + sum(map(len, self.exposures))

    @property
    def shared(self) -> bool:
        """Whether all integrations have the same psf images."""
        return self._psfs.shared

    @property
    def turned(self) -> list[tuple[Matrix, slice]]:
        """How the pixels of each other roll lie on the sky, and which of the images are its."""
        ends = np.cumsum([len(self._psfs), *map(len, self.exposures)]).tolist()
        members = (slice(*pair) for pair in pairwise(ends))
        return list(zip(map(read_matrix, self.exposures), members, strict=True))

    def find_circles(self, integration: int) -> list[Circle]:
        """Return circles of the other rolls, such as of a companion, where they lie on it."""
        return [circle for roll in self._rolls for circle in roll.move_circles(integration)]

    def read_weight(self) -> Image | None:
        """Return the weight of the fit, (rows, columns) float64; None where there was none."""
        return self._psfs.read_weight()

    def read_images(self, integration: int) -> Images:
        """Return all images for an integration, (psfs, rows, columns)."""
        stars = self._psfs.read_images(integration)
        if not self._rolls:
            return stars
        return np.concatenate([stars, [moved.image for moved in self._move(integration)]])

    def read_errors(self, integration: int, psfs: Indices) -> Images:
        """Return errors of some of them, (psfs, rows, columns)."""
        if not self._rolls:
            return self._psfs.read_errors(integration, psfs)
        stars, moved = self._split(integration, psfs)
        read = [self._psfs.read_errors(integration, stars)] if stars.size else []
        return np.concatenate([*read, *(one.error[None] for one in moved)])

    def read_flags(self, integration: int, psfs: Indices) -> NDArray[np.int32]:
        """Return flags of some of them, (psfs, rows, columns); of the highest nobody asks."""
        if not self._rolls:
            return self._psfs.read_flags(integration, psfs)
        stars, moved = self._split(integration, psfs)
        read = [self._psfs.read_flags(integration, stars)] if stars.size else []
        return np.concatenate([*read, *(one.flags[None] for one in moved)])

    def _split(self, integration: int, psfs: Indices) -> tuple[Indices, list[Moved]]:
        """Return the numbers of those that are psf images, and the others."""
        n_stars, moved = len(self._psfs), self._move(integration)
        return psfs[psfs < n_stars], [moved[n - n_stars] for n in psfs[psfs >= n_stars]]

    def _move(self, integration: int) -> list[Moved]:
        if self._current is None or self._current[0] != integration:
            self._current = None  # so that those of two integrations are never in memory
            moved = [one for roll in self._rolls for one in roll.move(integration)]
            self._current = integration, moved
        return self._current[1]


def _excluded(table: ShiftTable, exclude: Sequence[Place]) -> list[Place]:
    """Return the circles that another roll was fitted with, and those on the sky besides."""
    own: list[Place] = list(table.meta.get("exclude", ()))
    return [*own, *(place for place in exclude if is_on_sky(place) and place not in own)]


def find_moves(own: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], n_psfs: int) -> Floats:
    """
    Return how to move the integrations of one exposure onto those of another.

    Parameters
    ----------
    own, other
        The columns of the tables of shifts of the exposure to move onto, and of that to move.
    n_psfs
        How many psf images both were fitted with, the same for both.

    Returns
    -------
    (2, integrations onto, integrations to move) float64
        dx and dy in pixels, positive towards higher column and row; NaN where no psf image has a
        shift against both that may be used. Of tables for all integrations together, the one
        integration that stands for all.
    """
    onto, moved = (_Shifts.of(columns, n_psfs) for columns in (own, other))
    variance = onto.variance[:, None] + moved.variance[None]
    usable = onto.usable[:, None] & moved.usable[None]
    weight = np.where(usable, 1 / variance, 0.0)
    difference = np.where(usable, moved.shift[:, None] - onto.shift[:, :, None], 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((weight * difference).sum(axis=-1) / weight.sum(axis=-1))


class _Shifts(NamedTuple):
    """A table of shifts: (2, integrations, psfs), and (integrations, psfs)."""

    shift: Floats
    variance: Floats
    usable: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: dict[str, NDArray[Any]], n_psfs: int) -> "_Shifts":
        squares = columns["sigma_dx"] ** 2 + columns["sigma_dy"] ** 2
        known = np.isfinite(squares) & (squares > 0)
        shift = np.array([columns["dx"], columns["dy"]]).reshape(2, -1, n_psfs)
        usable = (columns["status"] == Status.OK) & ~columns["suspicious"]
        # Where uncertainties are not known, all psf images count alike.
        variance = squares if known[usable].all() else np.ones_like(squares)
        variance = np.where(usable, variance, 1.0)
        return cls(shift, variance.reshape(-1, n_psfs), usable.reshape(-1, n_psfs))


def _check_together(exposure: Exposure, other: Exposure) -> None:
    """Refuse an exposure of the same roll, in which a companion is where it is in the other."""
    if other.shape[1:] != exposure.shape[1:]:
        problem, remedy = f"has not the shape of {exposure.path}", "leave it out of the rolls"
        raise InputError(problem, file=other.path, remedy=remedy)
    turn = turn_between(*(north_angle(read_matrix(one)) for one in (exposure, other)))
    if turn < LEAST_TURN:
        problem = f"has the roll of {exposure.path}, to {turn:.2g} degrees"
        raise InputError(problem, file=other.path, remedy="leave it out of the rolls")


def _check_shifts(table: ShiftTable, path: Path, exposure: Exposure, psfs: AlignedPsfs) -> None:
    """Refuse shifts of another exposure, or against other psf images than those of the product."""
    found = table.meta.get("science_sha256"), table.meta.get("psfs_sha256")
    if found != (text_of(exposure.primary, "RAWSHA"), text_of(psfs.primary, "PSFSHA")):
        problem = f"are not the shifts of {exposure.path} against the psf images of {psfs.path}"
        raise InputError(problem, file=path, remedy="run fit_shifts again")
