"""Scenes whose truth is known, and noisy images of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.fft import irfft2, rfft2
from numpy.typing import NDArray

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.polynomials import gradient_rates
from psfalign.fit.result import PairFit
from psfalign.images.arrays import Image
from psfalign.images.fourier import Shift, shift_image, shift_variance
from psfalign.images.frames import Frame
from psfalign.images.mask_weight import weigh
from psfalign.psfmask.file import read_mask
from psfalign.simulate.observations import MIRI, NIRCAM
from psfalign.simulate.optics import optical_images, transmission

FLOOR = 1e-3  # of the photon noise's variance at the peak: read noise and background of the demo
NIRCAM_MASK = "flight/nircam_f444w/psfmask_nircam_f444w_maska335r.fits"
MIRI_MASK = "flight/miri_f1140c/psfmask_miri_f1140c_4qpm.fits"
# The occulter is in the middle of these parts of the masks, where the star is.
CUTS = {NIRCAM_MASK: np.s_[94:254, 70:230], MIRI_MASK: np.s_[30:180, 30:180]}

HALF = 0.5  # weight from which a pixel counts as seen

Parameters = NDArray[np.float64]  # (dx, dy, beta)


@dataclass(frozen=True)
class Scene:
    """
    What stands in front of the detector.

    Attributes
    ----------
    name
        For tables.
    star, point : (rows, columns) float64
        A star behind the occulter, 1 in its brightest pixel that the mask leaves to see, and one
        beside it, 1 in its brightest.
    weight : (rows, columns) float64
        The mask.
    mask
        Which one that is.
    """

    name: str
    star: Image
    point: Image
    weight: Image
    mask: str

    def hard(self) -> "Scene":
        """Take the mask as one of zeros and ones."""
        return replace(self, weight=(self.weight > HALF).astype(float))


@dataclass(frozen=True)
class Truth:
    """
    A pair of images without noise, and the variances of their noise.

    Attributes
    ----------
    shift, beta
        Position of the psf minus that of the science; flux ratio.
    science, psf : (rows, columns) float64
    science_variance, psf_variance : (rows, columns) float64
    """

    shift: Shift
    beta: float
    science: Image
    psf: Image
    science_variance: Image
    psf_variance: Image

    @classmethod
    def white(cls, star: Image, shift: Shift, beta: float, noise: float) -> "Truth":
        """Return noise that is the same in all pixels of both images."""
        variance = np.full(star.shape, noise**2)
        return cls(shift, beta, star, beta * shift_image(star, shift), variance, variance)

    @classmethod
    def photon(cls, star: Image, shift: Shift, beta: float, noise: float) -> "Truth":
        """Return photon noise, ``noise`` in its brightest seen pixel, on a floor."""
        psf = beta * shift_image(star, shift)
        variances = (noise**2 * (image.clip(0) + FLOOR) for image in (star, psf))
        return cls(shift, beta, star, psf, *variances)

    @property
    def parameters(self) -> Parameters:
        """The numbers that a fit should find."""
        return np.array([*self.shift, self.beta])

    @property
    def derivatives(self) -> NDArray[np.float64]:
        """Those of beta S(science, shift) by dx, dy and beta, (3, rows, columns)."""
        shape = self.science.shape
        in_x, in_y = gradient_rates(shape)
        spectrum = rfft2(shift_image(self.science, self.shift))
        along_x = irfft2(spectrum * in_x, s=shape)
        along_y = irfft2(spectrum * in_y[:, None], s=shape)
        return np.stack([self.beta * along_x, self.beta * along_y, irfft2(spectrum, s=shape)])

    @property
    def residual_variance(self) -> Image:
        """Variance of psf - beta S(science, shift)."""
        moved = shift_variance(rfft2(self.science_variance), self.science.shape, self.shift)
        return self.psf_variance + self.beta**2 * moved

    def bound(self, weight: Image) -> Parameters:
        """Return the Cramér–Rao bound of (dx, dy, beta) over the pixels with weight."""
        seen = weight > 0
        g = self.derivatives[:, seen]
        return np.sqrt(np.diag(np.linalg.inv(g / self.residual_variance[seen] @ g.T)))

    def draw(self, noise: NDArray[np.float64], *, estimated: bool = False) -> tuple[Frame, Frame]:
        """
        Observe both images with given unit noise, (2, rows, columns).

        The errors are the true ones, or ``estimated`` from the noisy images as by a pipeline.
        """
        frames = []
        sides = ((self.science, self.science_variance), (self.psf, self.psf_variance))
        for (image, variance), unit in zip(sides, noise, strict=True):
            drawn, known = image + np.sqrt(variance) * unit, variance
            if estimated:
                floor, gain = variance.min(), np.ptp(variance) / np.ptp(image.clip(0))
                known = floor + gain * drawn.clip(0)
            frames.append(Frame(drawn, np.zeros(image.shape, dtype=bool), known))
        return frames[0], frames[1]


def fit_pair(science: Frame, psf: Frame, weight: Image, **options: object) -> PairFit:
    """Fit one psf to one science image."""
    return next(fit_shifts([science], [psf], weight, options=FitOptions(**options)))[0]  # type: ignore[arg-type]


def scenes(data: Path) -> Iterator[Scene]:
    """Return both scenes, with flight masks where they are there and made ones otherwise."""
    sides = ((NIRCAM, (160, 160), NIRCAM_MASK), (MIRI, (150, 150), MIRI_MASK))
    for mode, shape, mask in sides:
        wide = replace(mode, shape=shape, blind_columns=0)
        star, point = optical_images(wide, np.random.default_rng(3))
        path = data / mask
        name = f"{mode.selectors['INSTRUME']}-like"
        there = path.exists()
        weight = weigh(read_mask(path)).image[CUTS[mask]] if there else transmission(wide)
        origin = f"in flight, {path.name}" if there else "made, as the demo's"
        yield Scene(name, star / star[weight > HALF].max(), point, weight, origin)
