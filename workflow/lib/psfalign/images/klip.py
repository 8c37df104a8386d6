"""
Subtract a star by the principal components of psf images (KLIP).

The method is that of R. Soummer, L. Pueyo and J. Larkin, 2012, ApJL 755, L28. The mean of each psf
image in a region is subtracted. The science image is projected on the first K eigenvectors of the
covariance of the psf images, and the projection is subtracted. Each eigenvector is a linear
combination of the psf images, and so the subtracted image is Σ c_k psf_k plus a constant. The
coefficients c are computed from the scalar products of the images alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Bools, Cube, Image
from .zones import Zone

Vectors = NDArray[np.float64]
Images = NDArray[np.floating]  # many images, in the precision of their file

ROUNDING = 1e-12  # relative; smaller variations of a plane, or between planes, are rounding errors
NULL = 1e-13  # of the largest eigenvalue; smaller ones come from the rounding of float32 pixels
BLOCK = 4096  # pixels that are converted to double precision at a time


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

    @classmethod
    def of(cls, products: Vectors) -> "Modes":
        """Compute them from the scalar products (psfs, psfs) of psf images less their means."""
        values, vectors = np.linalg.eigh(products)
        kept = np.flatnonzero(values > NULL * values[-1])[::-1]
        return cls(values[kept], vectors[:, kept])

    def combine(self, products: Vectors, numbers: Sequence[int]) -> Vectors:
        """
        Return the coefficients of the psf images at each stage, (stages, psfs).

        Parameters
        ----------
        products : (psfs,) float64
            Scalar product of each psf image with the science image.
        numbers
            Numbers of principal components, in ascending order.

        Returns
        -------
        (2 + numbers, psfs) float64
            The first row subtracts nothing, the second the mean of all psf images at the flux that
            fits best, the others the numbers of components.
        """
        rows = np.zeros((2 + len(numbers), len(products)))
        power = np.sum((self.vectors.sum(axis=0) ** 2) * self.values)
        rows[1] = products.sum() / power if power > 0 else 0.0
        projected = self.vectors.T @ products / self.values
        for row, number in zip(rows[2:], numbers, strict=True):
            row[:] = self.vectors[:, :number] @ projected[:number]
        return rows


class Part(NamedTuple):
    """The pixels of psf images in which a zone is fitted, less their mean there."""

    pixels: NDArray[np.intp]  # of the flat image
    images: Vectors  # (psfs, pixels)
    means: Vectors
    products: Vectors  # (psfs, psfs)

    @classmethod
    def of(cls, psfs: Images, fitted: Bools) -> "Part":
        """Select pixels of flat images (psfs, pixels), and convert them to double precision."""
        pixels = np.flatnonzero(fitted)
        taken = psfs if pixels.size == psfs.shape[1] else psfs.take(pixels, axis=1)
        images = taken.astype(np.float64)
        with np.errstate(invalid="ignore"):  # images that are not finite are left out later
            means = images.mean(axis=1)
            images -= means[:, None]
            return cls(pixels, images, means, images @ images.T)

    def only(self, used: Bools) -> "Part":
        """Return the part with some of the psf images only."""
        if used.all():
            return self
        products = self.products[used][:, used]
        return Part(self.pixels, self.images[used], self.means[used], products)


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

    Attributes
    ----------
    fates
        Whether each psf image is used, or why not.
    used : (psfs,) bool
        Which psf images are used. The argument ``members`` of methods counts among these.
    numbers
        The numbers of principal components.
    images : (used psfs, pixels)
        The flat images that are used.
    owner : (pixels,) intp
        The zone in which each pixel is subtracted.
    parts, components
        The pixels and the principal components of each zone; empty if no image is used.
    """

    def __init__(self, psfs: Images, zones: Sequence[Zone], modes: Sequence[int]) -> None:
        self._shape = psfs.shape[1:]
        self.numbers = modes
        flat = psfs.reshape(len(psfs), -1)
        fitted = [zone.fitted.ravel() for zone in zones]
        region = np.logical_or.reduce(fitted)
        whole = Part.of(flat, region)
        self.fates = _judge(whole, np.logical_and.reduce(np.isfinite(flat), axis=1))
        self.used: Bools = np.array([fate == Fate.USED for fate in self.fates], dtype=bool)
        self.images = flat if self.used.all() else flat[self.used]
        self.owner = np.zeros(flat.shape[1], dtype=np.intp)
        for n, zone in enumerate(zones):
            self.owner[zone.subtracted.ravel()] = n
        alike = (whole if np.array_equal(own, region) else Part.of(flat, own) for own in fitted)
        self.parts = [part.only(self.used) for part in alike] if self.used.any() else []
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
            target = flat[part.pixels]
            rows.append(modes.combine(part.images @ target, self.numbers))
            constants.append(constants_of(rows[-1], part.means, target.mean()))
        return Fit(np.array(rows), np.array(constants))

    def subtract(self, science: Image, fit: Fit) -> Cube:
        """Return the residuals of a science image, (stages, rows, columns) float64."""
        flat, left = science.ravel(), np.empty((self.n_stages, science.size))
        for start in range(0, flat.size, BLOCK):
            here = slice(start, start + BLOCK)
            # Large coefficients of opposite signs cancel, which single precision cannot afford.
            images, owner = self.images[:, here].astype(np.float64), self.owner[here]
            subtracted = _add(images, fit.coefficients, owner) + fit.constants.T[:, owner]
            left[:, here] = flat[here] - subtracted
        return left.reshape(-1, *self._shape)

    def variance(self, variances: Images, fit: Fit, members: slice) -> Images:
        """
        Return the variance that psf images add, Σ c_k² V_k, (stages, rows, columns).

        Parameters
        ----------
        variances : (psfs, rows, columns) float32 or float64
            The variances V_k of the members.
        fit
            The fit of the science image.
        members
            Which of the used psf images ``variances`` belong to.
        """
        factors = fit.coefficients[..., members] ** 2
        flat = variances.reshape(len(variances), -1)
        total = _add(flat, factors.astype(flat.dtype), self.owner)
        return total.reshape(-1, *self._shape)

    def share(self, flagged: Bools, pixels: NDArray[np.intp], fit: Fit, members: slice) -> Vectors:
        """
        Return the share of flagged psf images in the image that the last stage subtracts.

        It is the sum of the absolute coefficients of the flagged members, divided by that of all
        psf images, (pixels,) float64.

        Parameters
        ----------
        flagged : (psfs, pixels) bool
            Which of the members are flagged in each of the pixels.
        pixels
            Indices into the flat image.
        fit, members
            See `variance`.
        """
        size = np.abs(fit.coefficients[:, -1])
        size /= np.maximum(size.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        return np.asarray(np.sum(size[self.owner[pixels], members].T, axis=0, where=flagged))


def constants_of(rows: Vectors, means: Vectors, mean: float) -> Vectors:
    """Return the constant of each stage: the mean of science minus that of Σ c_k psf_k."""
    constants = mean - rows @ means
    constants[0] = 0.0
    return np.asarray(constants)


def _add(images: Images, factors: Images, owner: NDArray[np.intp]) -> Images:
    """Return the sums of flat images (psfs, pixels) times the factors of each pixel's zone."""
    if len(factors) == 1:
        return np.asarray(factors[0] @ images)
    total = np.zeros((factors.shape[1], images.shape[1]), images.dtype)
    for n, factor in enumerate(factors):
        here = owner == n
        total[:, here] = factor @ images[:, here]
    return total


def _judge(psfs: Part, finite: Bools) -> list[Fate]:
    """Return whether each psf image can be used, or why not."""
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
