"""Use other rolls of a target as psf images: move their integrations onto those of an exposure."""

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
    """A moved integration, (rows, columns) each, in the precision of a product."""

    image: SingleImage
    error: SingleImage
    flags: NDArray[np.int32]


class MovedRoll:
    """
    The integrations of an exposure, each of which can be moved onto any integration of another one.

    Parameters
    ----------
    exposure
        The exposure. Its integrations are read once, inside its ``with`` block.
    dx, dy : (integrations of the other exposure, own integrations) float64
        The shifts of the own integrations, in pixels; NaN where they are not known.
    circles
        Circles to exclude from a fit, such as around a companion, in the exposure's own pixels.
    padding
        Number of rows and columns to append, see `psfalign.images.padding`.
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
        """Return all integrations, moved onto an integration of the other exposure."""
        frames = zip(self._frames, self._shifts(integration), strict=True)
        return [_move(*frame, shift) for frame, shift in frames]

    def move_circles(self, integration: int) -> list[Circle]:
        """Return the circles of all integrations at their places after the move."""
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
        return Moved(empty, empty, dq.astype(np.int32))  # never used, because it is not finite
    image, error = movable.moved(shift)
    return Moved(image.astype(np.float32), error, move_flags(dq, shift).astype(np.int32))


class StarsAndRolls:
    """
    The psf images of a product, and the integrations of other rolls moved onto each integration.

    The distance of integration j of another roll from integration i of the exposure follows from
    the shifts of both against the same psf images k: it is the average of d_ik - d_jk over k,
    weighted by the inverse of its variance. This aligns the star itself; the position of the star
    in the headers may be wrong by a few tenths of a pixel. If the product was not aligned, nothing
    is moved.

    Parameters
    ----------
    exposure
        The cleaned science exposure.
    psfs
        The psf images of its product. Planes of these and of the rolls can be read inside a
        ``with`` block.
    rolls
        Exposures of other rolls.
    exclude
        Circles on the science image. Those that are given on the sky are excluded in other rolls,
        too.
    star
        Position of the star in all exposures, see `psfalign.files.sky.Sky.of`.

    Attributes
    ----------
    exposures
        The exposures of the other rolls.
    circles
        The excluded circles of each of them, in its own pixels.
    records
        The records of their cleaned integrations and shifts.

    Raises
    ------
    InputError
        If an exposure has the same roll or another shape, or if its table of shifts belongs to
        another exposure or to other psf images.
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
        """The matrix from pixels to the sky of each other roll, and which images come from it."""
        ends = np.cumsum([len(self._psfs), *map(len, self.exposures)]).tolist()
        members = (slice(*pair) for pair in pairwise(ends))
        return list(zip(map(read_matrix, self.exposures), members, strict=True))

    def find_circles(self, integration: int) -> list[Circle]:
        """Return the circles of the other rolls at their places on an integration."""
        return [circle for roll in self._rolls for circle in roll.move_circles(integration)]

    def read_weight(self) -> Image | None:
        """Return the weight of the fit, (rows, columns) float64; None if there is none."""
        return self._psfs.read_weight()

    def read_images(self, integration: int) -> Images:
        """Return all psf images of an integration, (psfs, rows, columns)."""
        stars = self._psfs.read_images(integration)
        if not self._rolls:
            return stars
        return np.concatenate([stars, [moved.image for moved in self._move(integration)]])

    def read_errors(self, integration: int, psfs: Indices) -> Images:
        """Return the errors of some psf images, (psfs, rows, columns)."""
        if not self._rolls:
            return self._psfs.read_errors(integration, psfs)
        stars, moved = self._split(integration, psfs)
        read = [self._psfs.read_errors(integration, stars)] if stars.size else []
        return np.concatenate([*read, *(one.error[None] for one in moved)])

    def read_flags(self, integration: int, psfs: Indices) -> NDArray[np.int32]:
        """Return the flags of some psf images as int32, (psfs, rows, columns)."""
        if not self._rolls:
            return self._psfs.read_flags(integration, psfs)
        stars, moved = self._split(integration, psfs)
        read = [self._psfs.read_flags(integration, stars)] if stars.size else []
        return np.concatenate([*read, *(one.flags[None] for one in moved)])

    def _split(self, integration: int, psfs: Indices) -> tuple[Indices, list[Moved]]:
        """Return the numbers that are psf images of the product, and the moved integrations."""
        n_stars, moved = len(self._psfs), self._move(integration)
        return psfs[psfs < n_stars], [moved[n - n_stars] for n in psfs[psfs >= n_stars]]

    def _move(self, integration: int) -> list[Moved]:
        if self._current is None or self._current[0] != integration:
            self._current = None  # frees the memory before the next ones are made
            moved = [one for roll in self._rolls for one in roll.move(integration)]
            self._current = integration, moved
        return self._current[1]


def _excluded(table: ShiftTable, exclude: Sequence[Place]) -> list[Place]:
    """Return the circles that another roll was fitted with, and those that are on the sky."""
    own: list[Place] = list(table.meta.get("exclude", ()))
    return [*own, *(place for place in exclude if is_on_sky(place) and place not in own)]


def find_moves(own: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], n_psfs: int) -> Floats:
    """
    Return the shifts that move the integrations of one exposure onto those of another.

    Parameters
    ----------
    own, other
        Columns of the tables of shifts: of the exposure to move onto, and of the exposure to move.
    n_psfs
        Number of psf images, which are the same in both tables.

    Returns
    -------
    (2, own integrations, other integrations) float64
        dx and dy in pixels, positive towards higher column and row; NaN where no psf image has a
        usable shift against both. A table that was fitted with ``align_to`` first or mean has one
        integration.
    """
    onto, moved = (_Shifts.of(columns, n_psfs) for columns in (own, other))
    variance = onto.variance[:, None] + moved.variance[None]
    usable = onto.usable[:, None] & moved.usable[None]
    weight = np.where(usable, 1 / variance, 0.0)
    difference = np.where(usable, moved.shift[:, None] - onto.shift[:, :, None], 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((weight * difference).sum(axis=-1) / weight.sum(axis=-1))


class _Shifts(NamedTuple):
    """A table of shifts as arrays: shift (2, integrations, psfs), others (integrations, psfs)."""

    shift: Floats
    variance: Floats
    usable: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: dict[str, NDArray[Any]], n_psfs: int) -> "_Shifts":
        squares = columns["sigma_dx"] ** 2 + columns["sigma_dy"] ** 2
        known = np.isfinite(squares) & (squares > 0)
        shift = np.array([columns["dx"], columns["dy"]]).reshape(2, -1, n_psfs)
        usable = (columns["status"] == Status.OK) & ~columns["suspicious"]
        # If an uncertainty is not known, all psf images get the same weight.
        variance = squares if known[usable].all() else np.ones_like(squares)
        variance = np.where(usable, variance, 1.0)
        return cls(shift, variance.reshape(-1, n_psfs), usable.reshape(-1, n_psfs))


def _check_together(exposure: Exposure, other: Exposure) -> None:
    """Raise `InputError` for another shape or the same roll, which would subtract companions."""
    if other.shape[1:] != exposure.shape[1:]:
        problem, remedy = f"has another shape than {exposure.path}", "leave it out of the rolls"
        raise InputError(problem, file=other.path, remedy=remedy)
    turn = turn_between(*(north_angle(read_matrix(one)) for one in (exposure, other)))
    if turn < LEAST_TURN:
        problem = f"has the same roll as {exposure.path}, within {turn:.2g} degrees"
        raise InputError(problem, file=other.path, remedy="leave it out of the rolls")


def _check_shifts(table: ShiftTable, path: Path, exposure: Exposure, psfs: AlignedPsfs) -> None:
    """Raise `InputError` if shifts belong to another exposure or to other psf images."""
    found = table.meta.get("science_sha256"), table.meta.get("psfs_sha256")
    if found != (text_of(exposure.primary, "RAWSHA"), text_of(psfs.primary, "PSFSHA")):
        problem = f"are not the shifts of {exposure.path} against the psf images of {psfs.path}"
        raise InputError(problem, file=path, remedy="run fit_shifts again")
