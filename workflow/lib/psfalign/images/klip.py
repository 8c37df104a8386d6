"""
Subtract a star by the principal components of psf images (KLIP).

The method is that of R. Soummer, L. Pueyo and J. Larkin, 2012, ApJL 755, L28. The mean of each psf
image in a region is subtracted. The science image is projected on the first K eigenvectors of the
covariance of the psf images, and the projection is subtracted. Each eigenvector is a linear
combination of the psf images, and so the subtracted image is Σ c_k psf_k plus a constant. The
coefficients c are computed from the scalar products of the images alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Cube, Image
from .zones import Zone

Vectors = NDArray[np.float64]
Pixels = NDArray[np.intp]  # indices into a flat image
Images = NDArray[np.floating]  # many images, in the precision of their file

ROUNDING = 1e-12  # relative; smaller variations of a plane, or between planes, are rounding errors
NULL = 1e-13  # of the largest eigenvalue; smaller ones come from the rounding of float32 pixels
BLOCK = 8192  # pixels that are converted to double precision at a time, so that they fit the cache


class Fate(StrEnum):
    """Whether a psf image is used, or why it is left out."""

    USED = "used"
    FAILED = "not finite, as where a fit failed"
    CONSTANT = "constant"
    EQUAL = "equal to another but for its flux"


def clip_modes(modes: Sequence[int], n_psfs: int) -> list[int]:
    """Return the numbers of modes in ascending order, each at most the number of psf images."""
    return sorted({min(mode, n_psfs) for mode in modes})


class Modes(NamedTuple):
    """Principal components of psf images, as linear combinations of the images."""

    values: Vectors  # eigenvalues in descending order, without those that are rounding errors
    vectors: Vectors  # (psfs, values)
    power: float  # scalar product of the sum of all psf images with itself

    @classmethod
    def of(cls, products: Vectors) -> "Modes":
        """Compute them from the scalar products (psfs, psfs) of psf images less their means."""
        values, vectors = np.linalg.eigh(products)
        kept = np.flatnonzero(values > NULL * values[-1])[::-1]
        values, vectors = values[kept], vectors[:, kept]
        return cls(values, vectors, float(vectors.sum(axis=0) ** 2 @ values))

    def combine(self, products: Vectors, numbers: Sequence[int]) -> Vectors:
        """
        Return the coefficients of the psf images at each stage, (…, stages, psfs).

        Parameters
        ----------
        products : (…, psfs) float64
            Scalar product of each psf image with a science image.
        numbers
            Numbers of principal components, in ascending order.

        Returns
        -------
        (…, 2 + numbers, psfs) float64
            The first row subtracts nothing, the second the mean of all psf images at the flux that
            fits best, the others the numbers of components.
        """
        rows = np.zeros((*products.shape[:-1], 2 + len(numbers), products.shape[-1]))
        if self.power > 0:
            rows[..., 1, :] = products.sum(axis=-1, keepdims=True) / self.power
        projected = products @ self.vectors / self.values
        counted = np.arange(len(self.values)) < np.array(numbers)[:, None]
        rows[..., 2:, :] = (counted * projected[..., None, :]) @ self.vectors.T
        return rows


class Part(NamedTuple):
    """The pixels in which a zone is fitted, and the means and products of psf images there."""

    pixels: Pixels  # of the flat image
    means: Vectors  # of the psf images
    products: Vectors  # (psfs, psfs), of the images less their means
    toward: Vectors  # (psfs,), products with a science image

    @classmethod
    def of(cls, psfs: Images, fitted: Bools, science: Vectors) -> "Part":
        """Compute them from flat images, (psfs, pixels) and (pixels,), in double precision."""
        pixels, n = np.flatnonzero(fitted), len(psfs)
        sums, products, toward = np.zeros(n), np.zeros((n, n)), np.zeros(n)
        with np.errstate(invalid="ignore"):  # images that are not finite are left out later
            # The products of images on a pedestal lose no digits if most of it is subtracted first.
            near = in_double(psfs, pixels[:BLOCK]).mean(axis=1)
            target = _less_mean(science[pixels])
            for images, here in _in_blocks(psfs, pixels):
                np.subtract(images, near[:, None], out=images)
                sums += images.sum(axis=1)
                products += images @ images.T
                toward += images @ target[here]
            off = sums / pixels.size
            return cls(pixels, near + off, products - pixels.size * np.outer(off, off), toward)

    def holds(self, pixels: Pixels) -> Bools:
        """Return which pixels of the flat image are among its own."""
        places = np.searchsorted(self.pixels, pixels).clip(max=self.pixels.size - 1)
        return np.asarray(self.pixels[places] == pixels)

    def only(self, used: Bools) -> "Part":
        """Return the part with some of the psf images only."""
        products = self.products[used][:, used]
        return Part(self.pixels, self.means[used], products, self.toward[used])


@dataclass(frozen=True)
class Fit:
    """
    The linear combination to subtract from a science image, for each stage and zone.

    Attributes
    ----------
    coefficients : (zones, stages, psfs) float64
        Coefficients of the psf images that are used.
    constants : (zones, stages) float64
        Constant that is subtracted with them.
    """

    coefficients: NDArray[np.float64]
    constants: Image


class PsfLibrary:
    """
    Psf images that were aligned to a science image, prepared to be subtracted from it.

    Parameters
    ----------
    psfs : (psfs, rows, columns) float32 or float64
        Computations are in double precision.
    zones
        The zones of the image, see `psfalign.images.zones.divide`.
    modes
        Numbers of principal components, in ascending order.
    science : (rows, columns) float64
        The science image that is fitted first, if it is known: its products with psf images then
        come from the pass over these that their own need.

    Attributes
    ----------
    shape
        Rows and columns.
    fates
        Whether each psf image is used, or why not.
    used : (psfs,) bool
        Which psf images are used.
    numbers
        The numbers of principal components.
    images : (used psfs, pixels)
        The flat images that are used.
    owner : (pixels,) intp
        The zone in which each pixel is subtracted.
    parts, components
        The pixels and the principal components of each zone; empty if no image is used.
    """

    def __init__(
        self,
        psfs: Images,
        zones: Sequence[Zone],
        modes: Sequence[int],
        science: Image | None = None,
    ) -> None:
        self._science = science
        self.shape = psfs.shape[1:]
        self.numbers = modes
        flat = psfs.reshape(len(psfs), -1)
        fitted = [zone.fitted.ravel() for zone in zones]
        region = np.logical_or.reduce(fitted)
        target = np.zeros(flat.shape[1]) if science is None else science.ravel()
        whole = Part.of(flat, region, target)
        # The products are not finite if a pixel of the region is not.
        finite = np.isfinite(whole.products.diagonal()) & np.isfinite(flat[:, ~region]).all(axis=1)
        self.fates = _judge(whole, finite)
        self.used: Bools = np.array([fate == Fate.USED for fate in self.fates], dtype=bool)
        self.images = flat if self.used.all() else flat[self.used]
        self.owner = np.zeros(flat.shape[1], dtype=np.intp)
        for n, zone in enumerate(zones):
            self.owner[zone.subtracted.ravel()] = n
        parts = (
            whole if np.array_equal(own, region) else Part.of(flat, own, target) for own in fitted
        )
        self.parts = [part.only(self.used) for part in parts] if self.used.any() else []
        self.components = [Modes.of(part.products) for part in self.parts]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_stages(self) -> int:
        """Number of stages: nothing, the mean psf, and each number of components."""
        return 2 + len(self.numbers)

    def fit(self, science: Image) -> Fit:
        """Fit the psf images to a science image (rows, columns), which must be finite."""
        flat = science.ravel()
        rows, constants = [], []
        for part, modes in zip(self.parts, self.components, strict=True):
            rows.append(modes.combine(self.project(part, science), self.numbers))
            constants.append(constants_of(rows[-1], part.means, flat[part.pixels].mean()))
        return Fit(np.array(rows), np.array(constants))

    def project(self, part: Part, science: Image) -> Vectors:
        """Return the scalar product of each psf image with a science image, less their means."""
        if science is self._science:
            return part.toward
        target = _less_mean(science.ravel()[part.pixels])
        blocks = _in_blocks(self.images, part.pixels)
        return np.sum([images @ target[here] for images, here in blocks], axis=0)

    def subtract(self, science: Image, fit: Fit) -> Cube:
        """Return the residuals of a science image, (stages, rows, columns) float64."""
        flat, left = science.ravel(), np.empty((self.n_stages, science.size))
        # Large coefficients of opposite signs cancel, which single precision cannot afford.
        for images, here in _in_blocks(self.images, np.arange(flat.size)):
            owner = self.owner[here]
            subtracted = _add(images, fit.coefficients, owner)
            subtracted += fit.constants.T[:, owner if len(fit.constants) > 1 else [0]]
            np.subtract(flat[here], subtracted, out=left[:, here])
        return left.reshape(-1, *self.shape)

    def variance(self, errors: Images, fit: Fit) -> Images:
        """
        Return the variance that psf images add, Σ c_k² σ_k², (stages, rows, columns).

        It has the precision of the errors, which a sum of positive numbers keeps.

        Parameters
        ----------
        errors : (psfs, rows, columns) float32 or float64
            The errors σ_k of the psf images that are used.
        fit
            The fit of the science image.
        """
        factors = fit.coefficients.astype(errors.dtype) ** 2
        flat = errors.reshape(len(errors), -1)
        total = np.empty((self.n_stages, flat.shape[1]), flat.dtype)
        for here in _blocks(flat.shape[1]):
            total[:, here] = _add(flat[:, here] ** 2, factors, self.owner[here])
        return total.reshape(-1, *self.shape)

    def share(self, flagged: Bools, pixels: Pixels, fit: Fit) -> Vectors:
        """
        Return the share of flagged psf images in the image that the last stage subtracts.

        It is the sum of the absolute coefficients of the flagged members, divided by that of all
        psf images, (pixels,) float64.

        Parameters
        ----------
        flagged : (psfs, pixels) bool
            Which of the psf images that are used are flagged in each of the pixels.
        pixels
            Indices into the flat image.
        fit
            The fit of the science image.
        """
        size = np.abs(fit.coefficients[:, -1:])
        size /= np.maximum(size.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
        return np.asarray(_add(flagged, size, self.owner[pixels])[0])


def in_double(images: Images, pixels: Pixels) -> Vectors:
    """Return some pixels of flat images, (images, pixels), in double precision."""
    if pixels.size and pixels[-1] - pixels[0] + 1 == pixels.size:  # a copy is faster than a choice
        return images[:, pixels[0] : pixels[-1] + 1].astype(np.float64)
    return images.take(pixels, axis=1).astype(np.float64)


def constants_of(rows: Vectors, means: Vectors, mean: Vectors | np.floating) -> Vectors:
    """
    Return the constant of each stage: the mean of science minus that of Σ c_k psf_k.

    Parameters
    ----------
    rows : (…, stages, psfs) float64
        The coefficients c_k.
    means : (psfs,) float64
        The means of the psf images.
    mean : (…) float64
        The means of science images.
    """
    constants = np.asarray(mean)[..., None] - rows @ means
    constants[..., 0] = 0.0
    return np.asarray(constants, np.float64)


def _less_mean(values: Vectors) -> Vectors:
    return np.asarray(values - values.mean())


def _in_blocks(images: Images, pixels: Pixels) -> Iterator[tuple[Vectors, slice]]:
    """Yield blocks of pixels of flat images in double precision, and which pixels they are."""
    for here in _blocks(pixels.size):
        yield in_double(images, pixels[here]), here


def _blocks(n_pixels: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n_pixels, BLOCK))


def _add(images: Images | Bools, factors: Images, owner: Pixels) -> Images:
    """Return the sums of flat images (psfs, pixels) times the factors of each pixel's zone."""
    if len(factors) == 1:
        return np.asarray(factors[0] @ images)
    total = np.zeros((factors.shape[1], images.shape[1]), factors.dtype)
    for n, factor in enumerate(factors):
        here = owner == n
        total[:, here] = factor @ images[:, here]
    return total


def _judge(psfs: Part, finite: Bools) -> list[Fate]:
    """Return whether each psf image can be used, or why not."""
    norms = np.sqrt(np.diag(psfs.products).clip(min=0))  # rounding may be negative
    rounding = ROUNDING * np.abs(psfs.means) * np.sqrt(psfs.pixels.size)
    fates: list[Fate] = []
    used: list[int] = []
    for n, is_finite in enumerate(finite):
        if not is_finite:
            fates.append(Fate.FAILED)
        elif norms[n] <= rounding[n]:
            fates.append(Fate.CONSTANT)
        elif np.any(np.abs(psfs.products[n, used]) > (1 - ROUNDING) * norms[n] * norms[used]):
            fates.append(Fate.EQUAL)
        else:
            fates.append(Fate.USED)
            used.append(n)
    return fates
