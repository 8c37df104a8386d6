"""Shift psf images and their errors onto a science image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.fft import rfft2
from numpy.typing import NDArray

from .arrays import Bools, Errors, Image, SingleImage, Spectrum
from .bad_pixels import fill_pixels
from .fourier import Shift, shift_spectrum, shift_variance, to_image
from .padding import pad_image
from .pixel_errors import fill_error
from .plane import Plane


@dataclass(frozen=True)
class Movable:
    """
    A psf image and its error, transformed once so that they can be shifted many times.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    padding
        Number of rows and columns that are appended; see `psfalign.images.padding`.
    image, error : (rows + padding, (columns + padding) // 2 + 1) complex128
        ``rfft2`` of the image, and of its variance or, for ``fourier`` errors, of its error.
    unit
        Unit of the error, a power of two, which keeps variances in the range of single precision.
    errors
        How errors are shifted.
    off_science : (pixels,), (pixels,)
        Rows and columns of the pixels outside the science area, which are 0.
    """

    shape: tuple[int, ...]
    padding: int
    image: Spectrum
    error: Spectrum
    unit: np.float32
    errors: Errors
    off_science: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(
        cls, plane: Plane, off_science: Bools, *, errors: Errors = "variance", padding: int = 0
    ) -> "Movable":
        """
        Prepare a cleaned plane.

        ``variance`` propagates the variance of independent pixels. ``fourier`` shifts the error
        like an image, as the jwst pipeline does, which can make errors negative. Errors that are
        not positive and finite are replaced by those of neighbours; if all are unknown, they are
        NaN.

        Pixels ``off_science``, (rows, columns), are 0, and the step at their edge would cause
        ringing. They are filled from their neighbours before the shift, and set to 0 after it.
        """
        error = fill_error(plane.error)
        unit = np.float32(2.0 ** math.frexp(error.max())[1])
        spread = error / unit
        if errors == "variance":
            np.square(spread, out=spread)
        filled = fill_pixels(plane.image, off_science) if off_science.any() else plane.image
        return cls(
            plane.image.shape,
            padding,
            rfft2(pad_image(filled, padding)),
            rfft2(pad_image(spread, padding)),
            unit,
            errors,
            np.nonzero(off_science),
        )

    def moved(self, shift: Shift) -> tuple[Image, SingleImage]:
        """
        Return the shifted image and its shifted error, (rows, columns) each.

        The variance is rounded to single precision before its square root is taken, which halves
        the relative rounding error. The product stores errors in single precision.
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
        image, error = image[:rows, :columns], error[:rows, :columns]
        if self.off_science[0].size:
            image[self._moved_off_science(shift)] = 0.0
        return image, error

    def _moved_off_science(self, shift: Shift) -> tuple[NDArray[np.intp], ...]:
        """Return the pixels off the science area after a shift, rounded to whole pixels."""
        rows, columns = (
            pixels + round(by)
            for pixels, by in zip(self.off_science, (shift.dy, shift.dx), strict=True)
        )
        inside = (rows >= 0) & (rows < self.shape[0]) & (columns >= 0) & (columns < self.shape[1])
        return rows[inside], columns[inside]
