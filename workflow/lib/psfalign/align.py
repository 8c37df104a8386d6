"""Shift psf images, their errors and their flags onto a science image."""

from dataclasses import dataclass, field

import numpy as np
from numpy.fft import irfft2, rfft2

from .arrays import Bools, Errors, Flags, Image, Spectrum
from .clean import clean_image
from .dq import DO_NOT_USE
from .flags import Motion, flag_motion, move_along
from .fourier import Shift, shift_spectrum, shift_variance


@dataclass(frozen=True)
class Plane:
    """
    One plane of an aligned product.

    Attributes
    ----------
    image, error : (rows, columns) float64
    dq : (rows, columns) uint32
    """

    image: Image
    error: Image
    dq: Flags


@dataclass(frozen=True)
class Movable:
    """
    A psf image that is ready to be shifted, many times.

    Attributes
    ----------
    shape
        Rows and columns.
    image, error : (rows, columns // 2 + 1) complex128
        ``rfft2`` of the image, and of its variance or, for ``fourier`` errors, of its error.
    dq : (rows, columns) uint32
    errors
        How errors are shifted.
    """

    shape: tuple[int, ...]
    image: Spectrum
    error: Spectrum
    dq: Flags
    errors: Errors
    _moved_dq: dict[tuple[Motion, Motion], Flags] = field(default_factory=dict)

    @classmethod
    def of(cls, plane: Plane, replaced: Bools, *, errors: Errors = "variance") -> "Movable":
        """
        Prepare a cleaned plane.

        ``variance`` propagates the variance of independent pixels, with that of replaced pixels
        taken from their neighbours. ``fourier`` shifts the error as if it were an image, as the
        step of the jwst pipeline does; it can become negative.
        """
        if errors == "variance":
            spread = fill_error(plane.error, replaced) ** 2
        else:
            spread = fill_error(plane.error, np.zeros_like(replaced))
        return cls(
            plane.image.shape,
            rfft2(plane.image),
            rfft2(spread),
            plane.dq,
            errors,
        )

    def moved(self, shift: Shift) -> Plane:
        """Give the plane, shifted."""
        image = irfft2(shift_spectrum(self.image, self.shape, shift), s=self.shape)
        if self.errors == "variance":
            error = np.sqrt(shift_variance(self.error, self.shape, shift))
        else:
            error = irfft2(shift_spectrum(self.error, self.shape, shift), s=self.shape)
        return Plane(image, error, self._move_dq(shift))

    def _move_dq(self, shift: Shift) -> Flags:
        """Move the flags; shifts that differ by a fraction of a pixel often move them alike."""
        motion = flag_motion(self.shape, shift)
        moved = self._moved_dq.get(motion)
        if moved is None:
            moved = move_along(self.dq, motion)
            self._moved_dq.clear()
            self._moved_dq[motion] = moved
        return moved


def failed_plane(shape: tuple[int, ...]) -> Plane:
    """Give what stands for a pair whose fit failed: NaN, and DO_NOT_USE in every pixel."""
    empty = np.full(shape, np.nan)
    return Plane(empty, empty, np.full(shape, DO_NOT_USE, dtype=np.uint32))


def fill_error(error: Image, replaced: Bools) -> Image:
    """
    Take errors of replaced pixels, and those that are negative or not finite, from neighbours.

    Where a plane has no error at all, it is 0, which in JWST files means that it is not known.
    """
    invalid = replaced | ~(error >= 0)
    filled = clean_image(np.where(invalid, np.nan, error), invalid.astype(np.uint32), bad_bits=1)
    return np.nan_to_num(filled.image, nan=0.0)
