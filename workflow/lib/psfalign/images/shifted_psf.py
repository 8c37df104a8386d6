"""Shift psf images and their errors onto a science image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.fft import rfft2

from .arrays import Bools, Errors, Image, SingleImage, Spectrum
from .fourier import Shift, shift_spectrum, shift_variance, to_image
from .padding import pad_image
from .plane import Plane, fill_error


@dataclass(frozen=True)
class Movable:
    """
    A psf image and its error, ready to be shifted many times.

    Attributes
    ----------
    shape
        Rows and columns.
    padding
        Rows and columns after them, against wrapping around; see `psfalign.images.padding`.
    image, error : (rows, columns // 2 + 1) complex128
        ``rfft2`` of the image, and of its variance or, for ``fourier`` errors, of its error.
    unit
        What the error is counted in, a power of two, so that no variance is small or large.
    errors
        How errors are shifted.
    """

    shape: tuple[int, ...]
    padding: int
    image: Spectrum
    error: Spectrum
    unit: np.float32
    errors: Errors

    @classmethod
    def of(
        cls, plane: Plane, replaced: Bools, *, errors: Errors = "variance", padding: int = 0
    ) -> "Movable":
        """
        Prepare a cleaned plane.

        ``variance`` propagates the variance of independent pixels, with that of replaced pixels
        taken from their neighbours. ``fourier`` shifts the error as if it were an image, as the
        step of the jwst pipeline does; it can become negative.
        """
        variance = errors == "variance"
        error = fill_error(plane.error, replaced if variance else np.zeros_like(replaced))
        unit = np.float32(2.0 ** math.frexp(error.max())[1])
        error /= unit
        spread = np.square(error, out=error) if variance else error
        image, spread = (rfft2(pad_image(part, padding)) for part in (plane.image, spread))
        return cls(plane.image.shape, padding, image, spread, unit, errors)

    def moved(self, shift: Shift) -> tuple[Image, SingleImage]:
        """
        Return the image and its error, shifted.

        The root of the variance is taken in single precision, in which the product holds it: the
        rounding before it makes half a rounding of the root.
        """
        (rows, columns), padded = self.shape, tuple(size + self.padding for size in self.shape)
        image = to_image(shift_spectrum(self.image, padded, shift), padded)
        if self.errors == "variance":
            error = shift_variance(self.error, padded, shift).astype(np.float32)
            np.sqrt(error, out=error)
        else:
            shifted = shift_spectrum(self.error, padded, shift)
            error = to_image(shifted, padded).astype(np.float32)
        np.multiply(error, self.unit, out=error)
        return image[:rows, :columns], error[:rows, :columns]
