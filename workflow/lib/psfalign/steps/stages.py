"""The stages of a subtraction: nothing, the mean psf, then growing numbers of components."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.circles import Place, find_circles
from ..files.exposure import Exposure
from ..files.frames import read_plane
from ..files.sky import Matrix, Sky, Star, read_fwhm
from ..images.arrays import Cube, Flags, Image, References, Region
from ..images.circles import Circle, cover
from ..images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from ..images.klip import Fate, Fit, Images, PsfLibrary, clip_modes
from ..images.pixel_errors import fill_error
from ..images.zones import Zone, choose_region, divide
from .throughput import Throughput, measure_throughput

CHUNK = 16  # psf images whose errors or flags are in memory at a time
HALF = 0.5  # share of flagged psf images in what is subtracted, above which a pixel is flagged


@dataclass(frozen=True)
class SubtractionOptions:
    """
    How to subtract.

    Attributes
    ----------
    references
        ``stars``, the psf images of the product, or ``stars+rolls``, those and the integrations
        of other rolls.
    modes
        Numbers of principal components; none counts beyond the number of psf images.
    region
        Fit where the ``mask`` has a weight above one half, or in the whole ``image``, as jwst does.
    annuli
        Separations in arcsec between rings that are fitted each by itself.
    star
        ``auto``, or the column and row of the star, counted from 0.
    exclude
        Circles on the science image that are left out of the fit, see `psfalign.files.circles`;
        those on the sky are left out where other rolls have them, too.
    """

    references: References = "stars"
    modes: Sequence[int] = (1, 2, 5, 10, 20, 50)
    region: Region = "mask"
    annuli: Sequence[float] = ()
    star: Star = "auto"
    exclude: Sequence[Place] = ()


class PsfSource(Protocol):
    """Psf images that were aligned to the integrations of an exposure, or to one for all."""

    @property
    def shared(self) -> bool:
        """Whether all integrations have the same psf images."""

    def __len__(self) -> int: ...

    def read_images(self, integration: int, /) -> Images:
        """Return the psf images of an integration, (psfs, rows, columns)."""

    def read_errors(self, integration: int, psfs: NDArray[np.intp], /) -> Images:
        """Return errors of some of them, (psfs, rows, columns)."""

    def read_flags(self, integration: int, psfs: NDArray[np.intp], /) -> NDArray[np.int32]:
        """Return flags of some of them, (psfs, rows, columns); of the highest nobody asks."""

    @property
    def turned(self) -> Sequence[tuple[Matrix, slice]]:
        """Which of them show the same sky, and how their pixels lie on it."""

    def find_circles(self, integration: int, /) -> list[Circle]:
        """Return circles that the fit to an integration must leave out for what is in them."""

    def read_weight(self) -> Image | None:
        """Return the weight of the mask, (rows, columns); None where there was none."""


class Stages(NamedTuple):
    """What is left of an integration: images and errors (stages, rows, columns), DQ of the last."""

    images: Cube
    errors: Cube
    dq: Flags


class Subtraction:
    """
    The subtraction of psf images from all integrations of an exposure.

    Parameters
    ----------
    exposure
        The cleaned science exposure; integrations are read within its with block.
    psfs
        What was aligned to it.
    options
        How to subtract.

    Attributes
    ----------
    options
        As they were given.
    n_psfs
        How many psf images an integration has.
    circles
        Those of the options in pixels of the exposure.
    modes
        The numbers of components, those of the options as far as there are psf images.
    n_stages
        Two more than these: first nothing, then the mean of the psf images, is subtracted.
    fates
        How often a psf image was used or left out, over all integrations.
    n_failed
        Integrations that are not finite, or had no psf image.
    throughput
        That of the first integration that worked; None before, or where the star is unknown.

    Raises
    ------
    InputError
        If rings or circles on the sky are asked for and the headers do not say where the star is.
    """

    def __init__(self, exposure: Exposure, psfs: PsfSource, options: SubtractionOptions) -> None:
        self._exposure = exposure
        self._psfs = psfs
        self.options = options
        self.n_psfs = len(psfs)
        self.modes = clip_modes(options.modes, len(psfs))
        self.n_stages = 2 + len(self.modes)
        self.fates = dict.fromkeys(Fate, 0)
        self.n_failed = 0
        self.throughput: Throughput | None = None
        self._shared: PsfLibrary | None = None
        self._zones: tuple[list[Circle], list[Zone]] | None = None
        self._sky = self._find_star()
        self.circles = find_circles(exposure, options.exclude, options.star)

    def run(self) -> Iterator[Stages]:
        """Return what is left of each integration, in their order."""
        return map(self._subtract, range(len(self._exposure)))

    def _subtract(self, integration: int) -> Stages:
        plane, _ = read_plane(self._exposure, integration)
        library = self._library(integration)
        for fate in library.fates:
            self.fates[fate] += 1
        if len(library) == 0 or not np.isfinite(plane.image).all():
            self.n_failed += 1
            return self._failed(plane.dq)
        fit = library.fit(plane.image)
        left = library.subtract(plane.image, fit)
        if self.throughput is None:
            self.throughput = self._measure(library, plane.image, left[-1])
        variance = fill_error(plane.error) ** 2
        return Stages(
            left,
            np.sqrt(variance + self._variance(integration, library, fit)),
            plane.dq | self._flags(integration, library, fit),
        )

    def _library(self, integration: int) -> PsfLibrary:
        if self._shared is not None:
            return self._shared
        images = self._psfs.read_images(integration)
        library = PsfLibrary(images, self._divide(integration), self.modes)
        if self._psfs.shared:
            self._shared = library
        return library

    def _divide(self, integration: int) -> list[Zone]:
        circles = [*self.circles, *self._psfs.find_circles(integration)]
        if self._zones is None or self._zones[0] != circles:
            self._zones = circles, self._divide_without(circles)
        return self._zones[1]

    def _divide_without(self, circles: Sequence[Circle]) -> list[Zone]:
        shape = self._exposure.shape[1:]
        weight = self._psfs.read_weight()
        if self.options.region == "image" or weight is None:
            weight = np.ones(shape)
        region = choose_region(weight, cover(circles, shape))
        if circles and not region.any():
            problem, remedy = "the circles leave no pixel to fit", "make them smaller"
            raise InputError(problem, file=self._exposure.path, keyword="exclude", remedy=remedy)
        separations = np.zeros(shape) if self._sky is None else self._sky.separations(shape)
        return divide(region, separations, self.options.annuli, len(self._psfs))

    def _variance(self, integration: int, library: PsfLibrary, fit: Fit) -> Cube:
        total = np.zeros((self.n_stages, *self._exposure.shape[1:]))
        for members, psfs in _chunks(library):
            errors = self._psfs.read_errors(integration, psfs)
            total += library.variance(np.square(errors, out=errors), fit, members)
        return total

    def _flags(self, integration: int, library: PsfLibrary, fit: Fit) -> Flags:
        """Flag pixels where psf images that are flagged make up most of what is subtracted."""
        shape = self._exposure.shape[1:]
        shares = {bit: np.zeros(shape[0] * shape[1]) for bit in (DO_NOT_USE, FLUX_ESTIMATED)}
        for members, psfs in _chunks(library):
            flags = self._psfs.read_flags(integration, psfs).reshape(len(psfs), -1)
            any_of_them = np.bitwise_or.reduce(flags, axis=0)
            for bit, share in shares.items():
                pixels = np.flatnonzero(any_of_them & bit)
                flagged = flags[:, pixels] & bit != 0
                share[pixels] += library.share(flagged, pixels, fit, members)
        found = [np.where(share > HALF, np.uint32(bit), 0) for bit, share in shares.items()]
        return np.bitwise_or.reduce(found).astype(np.uint32).reshape(shape)

    def _failed(self, dq: Flags) -> Stages:
        empty = np.full((self.n_stages, *dq.shape), np.nan)
        return Stages(empty, empty, dq | np.uint32(DO_NOT_USE))

    def _find_star(self) -> Sky | None:
        try:
            return Sky.of(self._exposure, self.options.star)
        except InputError:
            if self.options.annuli or self.options.star != "auto":
                raise
            return None  # nothing else needs it but the throughput

    def _measure(self, library: PsfLibrary, science: Image, left: Image) -> Throughput | None:
        """Measure the throughput; nothing else needs the star's place or a source's width."""
        try:
            fwhm = read_fwhm(self._exposure)
        except InputError:
            return None
        if self._sky is None:
            return None
        turned = self._psfs.turned
        return measure_throughput(library, science, left, sky=self._sky, fwhm=fwhm, turned=turned)


def _chunks(library: PsfLibrary) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    """Return parts of the psf images that are used: as members, and by their numbers."""
    used = np.flatnonzero(library.used)
    for start in range(0, len(used), CHUNK):
        members = slice(start, start + CHUNK)
        yield members, used[members]
