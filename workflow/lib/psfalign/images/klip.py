"""
Subtract a star by the principal components of psf images (KLIP).

R. Soummer, L. Pueyo and J. Larkin, 2012, ApJL 755, L28: psf images less their mean in a region are
projected on the first K eigenvectors of their covariance, and so is the science image. As each
eigenvector is a combination of psf images, so is what is subtracted, Σ c_k psf_k plus a constant;
of the images themselves only the products of each two are needed to find c.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Cube, Image

Vectors = NDArray[np.float64]

HALF = 0.5  # weight above which a pixel is in the region
ROUNDING = 1e-12  # relative: planes that vary less are constant, those that differ less are equal
NULL = 1e-13  # share of the largest eigenvalue below which one is rounding of float32 pixels
REACH = 2.0  # FWHM: where a Gaussian has fallen to 1e-5
ONE_PIXEL = 0.5  # squared radius of an aperture that holds the middle of one pixel at least
LEAST_PIXELS = 10  # per psf image in a zone; fewer of them would be fitted by chance


class Fate(StrEnum):
    """What became of a psf image."""

    USED = "used"
    FAILED = "not finite, as where a fit failed"
    CONSTANT = "constant"
    EQUAL = "equal to another but for its flux"


class Zone(NamedTuple):
    """Pixels (rows, columns) that count in a fit, and those that it is subtracted from."""

    fitted: Bools
    subtracted: Bools


def choose_region(weight: Image, exclude: Bools | None = None) -> Bools:
    """Return the pixels that count: those of a weight above one half, less excluded ones."""
    region = weight > HALF
    return region if exclude is None else region & ~exclude


def divide(region: Bools, separations: Image, edges: Sequence[float], n_psfs: int) -> list[Zone]:
    """
    Divide an image into rings.

    Parameters
    ----------
    region : (rows, columns) bool
        The pixels that count.
    separations : (rows, columns) float64
        Distance of each pixel from the star.
    edges
        Distances where one ring ends and the next begins; none for the image as one.
    n_psfs
        How many psf images will be fitted. A ring with few pixels for them, such as one behind
        the occulter, is given what fits the whole region best.
    """
    rings = np.searchsorted(np.sort(np.asarray(edges, dtype=float)), separations, side="right")
    zones = []
    for n in range(len(edges) + 1):
        ring = rings == n
        enough = np.count_nonzero(region & ring) >= LEAST_PIXELS * n_psfs
        if ring.any():
            zones.append(Zone(region & ring if enough or not edges else region, ring))
    return zones


def clip_modes(modes: Sequence[int], n_psfs: int) -> list[int]:
    """Return the numbers of modes in ascending order, none more than there are psf images."""
    return sorted({min(mode, n_psfs) for mode in modes})


class Source(NamedTuple):
    """A point source: a Gaussian at a column and row, of some width in pixels."""

    column: float
    row: float
    fwhm: float

    def is_inside(self, shape: tuple[int, ...]) -> bool:
        """Return whether its aperture, and a pixel around it, are in an image (rows, columns)."""
        margin = self.fwhm / 2 + 1
        return all(
            margin <= middle <= size - 1 - margin
            for middle, size in zip((self.row, self.column), shape, strict=True)
        )

    def on(self, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], Vectors, Bools]:
        """Return flat pixels of an image, the light in them, and which are in the aperture."""
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


class _Centred(NamedTuple):
    """Psf images among some pixels, less their means there, and the products of each two."""

    pixels: NDArray[np.intp]  # of the flat image
    images: Vectors  # (psfs, pixels)
    means: Vectors
    products: Vectors  # (psfs, psfs)

    @classmethod
    def of(cls, psfs: Vectors, fitted: Bools) -> "_Centred":
        pixels = np.flatnonzero(fitted)
        images = psfs.copy() if pixels.size == psfs.shape[1] else psfs.take(pixels, axis=1)
        with np.errstate(invalid="ignore"):  # images that are not finite are left out later
            means = images.mean(axis=1)
            images -= means[:, None]
            return cls(pixels, images, means, images @ images.T)


class _Components(NamedTuple):
    """Psf images among the fitted pixels of a zone, and their principal components."""

    pixels: NDArray[np.intp]  # of the flat image
    images: Vectors  # (psfs, pixels), less their means
    means: Vectors
    values: Vectors  # eigenvalues in descending order, none that is rounding
    vectors: Vectors  # (psfs, values)

    @classmethod
    def of(cls, centred: "_Centred", used: Bools) -> "_Components":
        values, vectors = np.linalg.eigh(centred.products[used][:, used])
        kept = np.flatnonzero(values > NULL * values[-1])[::-1]
        images = centred.images if used.all() else centred.images[used]
        return cls(centred.pixels, images, centred.means[used], values[kept], vectors[:, kept])

    def combine(self, products: Vectors, modes: Sequence[int]) -> Vectors:
        """
        Return the coefficients (stages, psfs) for the products of psf and science images.

        The first row is for no psf, the second for the mean of all at its best flux.
        """
        n_psfs = len(self.means)
        rows = np.zeros((2 + len(modes), n_psfs))
        power = np.sum((self.vectors.sum(axis=0) ** 2) * self.values)
        rows[1] = products.sum() / power if power > 0 else 0.0
        projected = self.vectors.T @ products / self.values
        for row, mode in zip(rows[2:], modes, strict=True):
            row[:] = self.vectors[:, :mode] @ projected[:mode]
        return rows


@dataclass(frozen=True)
class Fit:
    """
    What to subtract from a science image, for each stage and zone.

    Attributes
    ----------
    coefficients : (zones, stages, psfs) float64
        Of the psf images that are used.
    constants : (zones, stages) float64
    """

    coefficients: NDArray[np.float64]
    constants: Image


class PsfLibrary:
    """
    Psf images that were aligned to a science image, ready to be subtracted from it.

    Parameters
    ----------
    psfs : (psfs, rows, columns) float64
    zones
        See `divide`.
    modes
        Numbers of principal components, in ascending order.

    Attributes
    ----------
    fates
        What became of each psf image.
    stages
        What can be subtracted: nothing, the mean at its best flux, and each number of components.
    """

    def __init__(self, psfs: Cube, zones: Sequence[Zone], modes: Sequence[int]) -> None:
        self._shape = psfs.shape[1:]
        self._zones = [Zone(*(part.ravel() for part in zone)) for zone in zones]
        self._modes = modes
        flat = psfs.reshape(len(psfs), -1)
        region = np.logical_or.reduce([zone.fitted for zone in self._zones])
        centred = _Centred.of(flat, region)
        self.fates = _judge(centred, np.isfinite(flat.sum(axis=1)))
        self.used: Bools = np.array([fate == Fate.USED for fate in self.fates], dtype=bool)
        self._psfs = flat if self.used.all() else flat[self.used]
        self._components: list[_Components] = []
        for zone in self._zones if self.used.any() else ():
            whole = np.array_equal(zone.fitted, region)
            part = centred if whole else _Centred.of(flat, zone.fitted)
            self._components.append(_Components.of(part, self.used))

    def __len__(self) -> int:
        return len(self._psfs)

    @property
    def n_stages(self) -> int:
        """How many stages there are."""
        return 2 + len(self._modes)

    def fit(self, science: Image) -> Fit:
        """Fit the psf images to a science image (rows, columns), finite everywhere."""
        flat = science.ravel()
        targets = [flat[part.pixels] for part in self._components]
        products = [part.images @ t for part, t in zip(self._components, targets, strict=True)]
        return self._solve(products, [target.mean() for target in targets])

    def _solve(self, products: Sequence[Vectors], means: Sequence[float]) -> Fit:
        rows, constants = [], []
        for part, product, mean in zip(self._components, products, means, strict=True):
            rows.append(part.combine(product, self._modes))
            constants.append(mean - rows[-1] @ part.means)
            constants[-1][0] = 0.0
        return Fit(np.array(rows), np.array(constants))

    def throughput(self, source: Source) -> Vectors:
        """
        Return how much of a source in the science image each stage leaves, (stages,) float64.

        For fixed psf images KLIP is linear: the source is fitted alone, as light that the psf
        images do not have, and what is left of it in an aperture of one FWHM is compared with
        what was there.
        """
        pixels, light, inside = source.on(self._shape)
        products, means = [], []
        for part in self._components:
            places = np.searchsorted(part.pixels, pixels).clip(max=part.pixels.size - 1)
            counted = part.pixels[places] == pixels
            products.append(part.images[:, places[counted]] @ light[counted])
            means.append(light[counted].sum() / part.pixels.size)
        fit = self._solve(products, means)
        seen = pixels[inside]
        left = np.tile(light[inside], (self.n_stages, 1))
        for zone, factor, constant in zip(
            self._zones, fit.coefficients, fit.constants, strict=True
        ):
            here = zone.subtracted[seen]
            left[:, here] -= factor @ self._psfs[:, seen[here]] + constant[:, None]
        return np.asarray(left.sum(axis=1) / light[inside].sum())

    def subtract(self, science: Image, fit: Fit) -> Cube:
        """Return what is left of a science image: (stages, rows, columns) float64."""
        return science - self._add(self._psfs, fit.coefficients, fit.constants)

    def variance(self, psfs: Cube, fit: Fit, members: slice) -> Cube:
        """
        Return what psf images add to the variance, Σ c_k² V_k: (stages, rows, columns) float64.

        Parameters
        ----------
        psfs : (psfs, rows, columns) float64
            V_k of the members.
        fit
            Of the science image.
        members
            Which of the psf images that are used these are.
        """
        factors = fit.coefficients[..., members] ** 2
        return self._add(psfs.reshape(len(psfs), -1), factors, np.zeros_like(fit.constants))

    def share(self, flagged: NDArray[np.bool_], fit: Fit, members: slice) -> Image:
        """
        Return the share of flagged psf images in what the last stage subtracts, (rows, columns).

        Parameters
        ----------
        flagged : (psfs, rows, columns) bool
            Flagged pixels of the members.
        fit, members
            As those of `variance`.
        """
        size = np.abs(fit.coefficients[:, -1:])
        size /= np.maximum(size.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
        images = flagged.reshape(len(flagged), -1).astype(np.float32)
        return self._add(images, size[..., members], np.zeros(size.shape[:2]))[0]

    def _add(self, images: NDArray[np.floating], factors: Cube, constants: Image) -> Cube:
        """Add up images (psfs, pixels) with the factors of each zone, and a constant."""
        if len(self._zones) == 1:
            total = factors[0].astype(images.dtype) @ images + constants[0][:, None]
            return total.reshape(-1, *self._shape)
        total = np.zeros((factors.shape[1], images.shape[1]))
        for zone, factor, constant in zip(self._zones, factors, constants, strict=True):
            total[:, zone.subtracted] = factor @ images[:, zone.subtracted] + constant[:, None]
        return total.reshape(-1, *self._shape)


def _judge(psfs: _Centred, finite: Bools) -> list[Fate]:
    """Say of each psf image whether it can be used."""
    norms = np.sqrt(np.diag(psfs.products))
    rounding = ROUNDING * np.abs(psfs.means) * np.sqrt(psfs.pixels.size)
    fates: list[Fate] = []
    for n, (norm, is_finite) in enumerate(zip(norms, finite, strict=True)):
        used = [i for i, fate in enumerate(fates) if fate == Fate.USED]
        if not is_finite:
            fates.append(Fate.FAILED)
        elif norm <= rounding[n]:
            fates.append(Fate.CONSTANT)
        elif np.any(np.abs(psfs.products[n, used]) > (1 - ROUNDING) * norm * norms[used]):
            fates.append(Fate.EQUAL)
        else:
            fates.append(Fate.USED)
    return fates
