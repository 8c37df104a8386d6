"""Measure the share of a point source that a subtraction keeps, by injecting sources."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Image
from .klip import Fit, Modes, Part, PsfLibrary, Vectors, constants_of

Pixels = NDArray[np.intp]

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


class Injection:
    """
    A science image and the psf images that are subtracted from it, for the injection of sources.

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
        self._products = [part.images @ self._flat[part.pixels] for part in library.parts]
        self._means = [float(self._flat[part.pixels].mean()) for part in library.parts]
        self._before = library.fit(science)

    def kept(self, source: Source, flux: float, planted: Sequence[Planted] = ()) -> Vectors:
        """
        Return the share of a source in the science image that each stage keeps, (stages,).

        The residual in an aperture of one FWHM, minus the residual there without the source, is
        divided by the injected light. If no psf image contains the source, KLIP is linear, and the
        flux does not matter. Psf images that contain it change with it, and so do their components:
        they subtract the more of the source, the brighter it is.

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
        after, seen = self._fit(light), own[inside]
        left = self._left(seen, after, light) - self._left(seen, self._before, None)
        return np.asarray(left.sum(axis=1) / (flux * shine[inside].sum()))

    def _shine(
        self, own: Pixels, added: Vectors, flux: float, planted: Sequence[Planted]
    ) -> _Light:
        others = [(one.members, *one.source.on(self._shape)[:2]) for one in planted]
        touched = [own, *(where for _, where, _ in others)]
        pixels = np.unique(np.concatenate(touched)) if others else own
        science, psfs = np.zeros(pixels.size), np.zeros((len(self._library), pixels.size))
        science[np.searchsorted(pixels, own)] = added
        for members, where, brightness in others:
            psfs[np.ix_(members, np.searchsorted(pixels, where))] = flux * brightness
        return _Light(pixels, science, psfs)

    def _fit(self, light: _Light) -> Fit:
        """Fit the changed images; only products with changed pixels are computed."""
        rows, constants = [], []
        for n, part in enumerate(self._library.parts):
            places = np.searchsorted(part.pixels, light.pixels).clip(max=part.pixels.size - 1)
            counted = part.pixels[places] == light.pixels
            images = part.images[:, places[counted]]
            added, psfs = light.science[counted], light.psfs[:, counted]
            own, shares = added.sum() / part.pixels.size, psfs.sum(axis=1) / part.pixels.size
            target = self._flat[light.pixels[counted]] + added - self._means[n] - own
            products = self._products[n] + images @ added + psfs @ target
            found = self._library.components[n]
            if psfs.any():
                found = Modes.of(_changed(part, images @ psfs.T, psfs, shares))
            rows.append(found.combine(products, self._library.numbers))
            constants.append(constants_of(rows[-1], part.means + shares, self._means[n] + own))
        return Fit(np.array(rows), np.array(constants))

    def _left(self, pixels: Pixels, fit: Fit, light: _Light | None) -> Vectors:
        """Return the residual in some pixels, (stages, pixels)."""
        science, psfs = self._flat[pixels], self._library.images[:, pixels].astype(np.float64)
        if light is not None:
            places = np.searchsorted(light.pixels, pixels)
            science = science + light.science[places]
            psfs += light.psfs[:, places]
        zones = self._library.owner[pixels]
        subtracted = np.einsum("psk,kp->sp", fit.coefficients[zones], psfs)
        return np.asarray(science - subtracted - fit.constants[zones].T)


def _changed(part: Part, crossed: Vectors, psfs: Vectors, shares: Vectors) -> Vectors:
    """Return the scalar products of psf images with added light, less their new means."""
    added = psfs @ psfs.T - part.pixels.size * np.outer(shares, shares)
    return np.asarray(part.products + crossed + crossed.T + added)
