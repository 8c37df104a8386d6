"""Subtract psf images in stages: nothing, the mean psf, then increasing numbers of components."""

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

ASKED = DO_NOT_USE | FLUX_ESTIMATED  # flags of psf images that count
HALF = 0.5  # a pixel is flagged if flagged psf images have a larger share in what is subtracted


@dataclass(frozen=True)
class SubtractionOptions:
    """
    The options of the subtraction.

    Attributes
    ----------
    references
        ``stars``: the psf images of the product. ``stars+rolls``: also the integrations of other
        rolls.
    modes
        Numbers of principal components; each is limited to the number of psf images.
    region
        Fit where the weight of the ``mask`` is above one half, or in the whole ``image``, as jwst
        does.
    annuli
        Separations in arcsec that divide the image into rings, which are fitted independently.
    star
        ``auto``, or the column and row of the star, counted from 0.
    exclude
        Circles on the science image that are excluded from the fit, see `psfalign.files.circles`.
        Circles that are given on the sky are excluded in other rolls, too.
    """

    references: References = "stars"
    modes: Sequence[int] = (1, 2, 5, 10, 20, 50)
    region: Region = "mask"
    annuli: Sequence[float] = ()
    star: Star = "auto"
    exclude: Sequence[Place] = ()


class PsfSource(Protocol):
    """Psf images that were aligned to each integration of an exposure, or to one for all."""

    @property
    def shared(self) -> bool:
        """Whether all integrations have the same psf images."""

    def __len__(self) -> int: ...

    def read_images(self, integration: int, /) -> Images:
        """Return the psf images of an integration, (psfs, rows, columns)."""

    def read_errors(self, integration: int, psfs: NDArray[np.intp], /) -> Images:
        """Return the errors of some psf images, (psfs, rows, columns)."""

    def read_flags(self, integration: int, psfs: NDArray[np.intp], /) -> NDArray[np.int32]:
        """Return the flags of some psf images as int32, (psfs, rows, columns)."""

    @property
    def turned(self) -> Sequence[tuple[Matrix, slice]]:
        """The matrix from pixels to the sky of each other roll, and which images come from it."""

    def find_circles(self, integration: int, /) -> list[Circle]:
        """Return circles of the psf images to exclude from the fit to an integration."""

    def read_weight(self) -> Image | None:
        """Return the weight of the mask, (rows, columns); None if there is none."""


class Stages(NamedTuple):
    """Residuals of an integration and their errors, (stages, rows, columns), and DQ of the last."""

    images: Cube
    errors: Images
    dq: Flags


class Subtraction:
    """
    The subtraction of psf images from all integrations of an exposure.

    Parameters
    ----------
    exposure
        The cleaned science exposure. Its integrations are read inside its ``with`` block.
    psfs
        The psf images that were aligned to it.
    options
        The options of the subtraction.

    Attributes
    ----------
    options
        The options as they were given.
    n_psfs
        Number of psf images of an integration.
    circles
        The circles of the options, in pixels of the exposure.
    modes
        The numbers of components, each limited to the number of psf images.
    n_stages
        Number of stages: the modes, and before them nothing and the mean psf image.
    fates
        How often a psf image was used or left out, over all integrations.
    n_failed
        Number of integrations that are not finite or have no psf image.
    throughput
        Throughput in the first integration with a result; None before, or if the position of the
        star is not known.

    Raises
    ------
    InputError
        If rings or circles on the sky are asked for and the headers lack the position of the star.
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
        """Return the residuals of each integration, in their order."""
        return map(self._subtract, range(len(self._exposure)))

    def _subtract(self, integration: int) -> Stages:
        plane, _ = read_plane(self._exposure, integration)
        library = self._library(integration, plane.image)
        for fate in library.fates:
            self.fates[fate] += 1
        if len(library) == 0 or not np.isfinite(plane.image).all():
            self.n_failed += 1
            return self._failed(plane.dq)
        fit = library.fit(plane.image)
        left = library.subtract(plane.image, fit)
        if self.throughput is None:
            self.throughput = self._measure(library, plane.image, left[-1])
        return Stages(
            left,
            self._errors(integration, plane.error, library, fit),
            plane.dq | self._flags(integration, library, fit),
        )

    def _library(self, integration: int, science: Image) -> PsfLibrary:
        if self._shared is not None:
            return self._shared
        images = self._psfs.read_images(integration)
        library = PsfLibrary(images, self._divide(integration), self.modes, science)
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
        if not region.any():
            raise self._nothing_to_fit(circles)
        separations = np.zeros(shape) if self._sky is None else self._sky.separations(shape)
        return divide(region, separations, self.options.annuli, len(self._psfs))

    def _nothing_to_fit(self, circles: Sequence[Circle]) -> InputError:
        path = self._exposure.path
        if circles:
            problem, remedy = "the circles leave no pixel to fit", "make them smaller"
            return InputError(problem, file=path, keyword="exclude", remedy=remedy)
        problem = "the weight of the mask is nowhere above 0.5, which leaves no pixel to fit"
        return InputError(problem, file=path, remedy="set psf_subtraction.region to image")

    def _errors(self, integration: int, error: Image, library: PsfLibrary, fit: Fit) -> Images:
        errors = self._psfs.read_errors(integration, np.flatnonzero(library.used))
        total = library.variance(errors, fit)
        total += (fill_error(error) ** 2).astype(total.dtype)
        return np.sqrt(total, out=total)

    def _flags(self, integration: int, library: PsfLibrary, fit: Fit) -> Flags:
        """Return DO_NOT_USE and FLUX_ESTIMATED where most of what is subtracted has the flag."""
        flags = self._psfs.read_flags(integration, np.flatnonzero(library.used))
        pixels = np.flatnonzero(np.bitwise_or.reduce(flags, axis=0) & ASKED)
        flags = flags.reshape(len(flags), -1).take(pixels, axis=1)
        found = np.zeros(self._exposure.shape[1:], np.uint32)
        for bit in (DO_NOT_USE, FLUX_ESTIMATED):
            share = library.share(flags & bit != 0, pixels, fit)
            found.flat[pixels[share > HALF]] |= np.uint32(bit)
        return found

    def _failed(self, dq: Flags) -> Stages:
        empty = np.full((self.n_stages, *dq.shape), np.nan)
        return Stages(empty, empty, dq | np.uint32(DO_NOT_USE))

    def _find_star(self) -> Sky | None:
        try:
            return Sky.of(self._exposure, self.options.star)
        except InputError:
            if self.options.annuli or self.options.star != "auto":
                raise
            return None  # only the throughput needs the position, and is left out

    def _measure(self, library: PsfLibrary, science: Image, left: Image) -> Throughput | None:
        """Measure the throughput; None if the position of the star or the FWHM is not known."""
        try:
            fwhm = read_fwhm(self._exposure)
        except InputError:
            return None
        if self._sky is None:
            return None
        turned = self._psfs.turned
        return measure_throughput(library, science, left, sky=self._sky, fwhm=fwhm, turned=turned)
