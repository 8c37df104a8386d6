"""Measure the share of a point source that a subtraction keeps, by injecting sources."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Image
from .klip import Fit, Modes, Part, Pixels, PsfLibrary, Vectors, constants_of, in_double

REACH = 2.0  # FWHM; at this distance a Gaussian has fallen to 1e-5 of its peak
ONE_PIXEL = 0.5  # pixels²; an aperture of this squared radius holds at least one pixel's centre


class Source(NamedTuple):
    """A point source: a Gaussian with its column, row and FWHM in pixels."""

    column: float
    row: float
    fwhm: float

    def is_inside(self, shape: tuple[int, ...]) -> bool:
        """Return whether the aperture, with a margin of one pixel, is inside an image."""
        margin = self.fwhm / 2 + 1
        return all(
            margin <= middle <= size - 1 - margin
            for middle, size in zip((self.row, self.column), shape, strict=True)
        )

    def on(self, shape: tuple[int, ...]) -> tuple[Pixels, Vectors, Bools]:
        """Return indices into the flat image, the light there, and which are in the aperture."""
        reach = int(np.ceil(REACH * self.fwhm))
        rows, columns = (
            np.arange(max(0, round(middle) - reach), min(size, round(middle) + reach + 1))
            for middle, size in zip((self.row, self.column), shape, strict=True)
        )
        square = np.add.outer((rows - self.row) ** 2, (columns - self.column) ** 2)
        pixels = np.add.outer(rows * shape[1], columns)
        light = np.exp(-4 * np.log(2) * square / self.fwhm**2)
        inside = square <= max(self.fwhm**2 / 4, ONE_PIXEL)
        return pixels.ravel(), light.ravel(), inside.ravel()


class Planted(NamedTuple):
    """The psf images of another roll, which contain the source, too, and its position in them."""

    members: Bools  # (used psfs,), which of the psf images they are
    source: Source


class _Light(NamedTuple):
    """The light that sources add to the science image and to psf images."""

    pixels: Pixels  # indices into the flat image, ascending; all other pixels are unchanged
    science: Vectors  # (pixels,)
    psfs: Vectors  # (psfs, pixels)


def measure_shares(library: PsfLibrary, sources: Sequence[Source]) -> Vectors:
    """
    Return the share of sources that each stage keeps, if no psf image contains them.

    The residual in an aperture of one FWHM, minus the residual there without the source, is divided
    by the injected light. KLIP is linear, and neither the flux nor the science image matters.

    Parameters
    ----------
    library
        The psf images.
    sources
        Each is alone in the science image.

    Returns
    -------
    (sources, stages)
    """
    touched = [source.on(library.shape) for source in sources]
    pixels, light, inside = (np.concatenate(arrays) for arrays in zip(*touched, strict=True))
    starts = np.cumsum([0, *(own.size for own, _, _ in touched[:-1])])

    def add_up(values: Vectors) -> Vectors:
        return np.asarray(np.add.reduceat(values, starts, axis=-1))

    images, owner = library.images[:, pixels].astype(np.float64), library.owner[pixels]
    subtracted = np.zeros((len(sources), library.n_stages))
    for n, (part, modes) in enumerate(zip(library.parts, library.components, strict=True)):
        fitted, seen = light * part.holds(pixels), np.where(inside & (owner == n), 1.0, 0.0)
        products = add_up((images - part.means[:, None]) * fitted)
        rows = modes.combine(products.T, library.numbers)
        constants = constants_of(rows, part.means, add_up(fitted) / part.pixels.size)
        subtracted += np.einsum("snk,ks->sn", rows, add_up(images * seen))
        subtracted += constants * add_up(seen)[:, None]
    return np.asarray(1 - subtracted / add_up(light * inside)[:, None])


class Injection:
    """
    A science image and the psf images that are subtracted from it, for sources that both contain.

    Parameters
    ----------
    library
        The psf images.
    science : (rows, columns) float64
        The science image, which must be finite.
    """

    def __init__(self, library: PsfLibrary, science: Image) -> None:
        self._library = library
        self._shape = science.shape
        self._flat = science.ravel()
        self._products = [library.project(part, science) for part in library.parts]
        self._means = [np.mean(self._flat[part.pixels]) for part in library.parts]
        self._before = library.fit(science)

    def kept(self, source: Source, flux: float, planted: Sequence[Planted]) -> Vectors:
        """
        Return the share of a source that each stage keeps, (stages,), see `measure_shares`.

        Psf images that contain the source change with it, and so do their components: they subtract
        the more of the source, the brighter it is.

        Parameters
        ----------
        source
            The source in the science image.
        flux
            Brightness of the peak of the source, in the unit of the image.
        planted
            The source in psf images.
        """
        own, shine, inside = source.on(self._shape)
        light = self._shine(own, flux * shine, flux, planted)
        left = self._added(own[inside], self._fit(light), light)
        return np.asarray(left.sum(axis=1) / (flux * shine[inside].sum()))

    def _shine(
        self, own: Pixels, added: Vectors, flux: float, planted: Sequence[Planted]
    ) -> _Light:
        others = [(one.members, *one.source.on(self._shape)[:2]) for one in planted]
        touched = [own, *(where for _, where, _ in others)]
        pixels = np.unique(np.concatenate(touched))
        science, psfs = np.zeros(pixels.size), np.zeros((len(self._library), pixels.size))
        science[np.searchsorted(pixels, own)] = added
        for members, where, brightness in others:
            psfs[np.ix_(members, np.searchsorted(pixels, where))] = flux * brightness
        return _Light(pixels, science, psfs)

    def _fit(self, light: _Light) -> Fit:
        """Fit the changed images; only products with changed pixels are computed."""
        rows, constants = [], []
        for n, part in enumerate(self._library.parts):
            counted = part.holds(light.pixels)
            inside = light.pixels[counted]
            images = in_double(self._library.images, inside) - part.means[:, None]
            added, psfs = light.science[counted], light.psfs[:, counted]
            own, shares = added.sum() / part.pixels.size, psfs.sum(axis=1) / part.pixels.size
            target = self._flat[inside] + added - self._means[n] - own
            products = self._products[n] + images @ added + psfs @ target
            modes = Modes.of(_changed(part, images @ psfs.T, psfs, shares))
            rows.append(modes.combine(products, self._library.numbers))
            constants.append(constants_of(rows[-1], part.means + shares, self._means[n] + own))
        return Fit(np.array(rows), np.array(constants))

    def _added(self, pixels: Pixels, fit: Fit, light: _Light) -> Vectors:
        """Return by how much the light and its fit change the residual, (stages, pixels)."""
        zones, places = self._library.owner[pixels], np.searchsorted(light.pixels, pixels)
        change = fit.coefficients - self._before.coefficients
        psfs = in_double(self._library.images, pixels)
        subtracted = np.einsum("psk,kp->sp", change[zones], psfs)
        subtracted += np.einsum("psk,kp->sp", fit.coefficients[zones], light.psfs[:, places])
        constants = (fit.constants - self._before.constants)[zones].T
        return np.asarray(light.science[places] - subtracted - constants)


def _changed(part: Part, crossed: Vectors, psfs: Vectors, shares: Vectors) -> Vectors:
    """Return the scalar products of psf images with added light, less their new means."""
    added = psfs @ psfs.T - part.pixels.size * np.outer(shares, shares)
    return np.asarray(part.products + crossed + crossed.T + added)
