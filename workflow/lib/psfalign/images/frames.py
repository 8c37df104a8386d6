"""Images with their replaced pixels and variances, as the fit needs them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.fft import rfft2

from .arrays import AlignTo, Bools, Image, Spectrum


@dataclass(frozen=True)
class Frame:
    """
    An image with its replaced pixels and its variance, if they are known.

    Attributes
    ----------
    image : (rows, columns) float64
    replaced : (rows, columns) bool, optional
        Pixels that cleaning replaced.
    variance : (rows, columns) float64, optional
        Square of the standard error of each pixel, finite and positive.
    """

    image: Image
    replaced: Bools | None = None
    variance: Image | None = None

    @cached_property
    def variance_spectrum(self) -> Spectrum | None:
        """``rfft2`` of the variance; None if it is not known."""
        return None if self.variance is None else rfft2(self.variance)


class Frames(Protocol):
    """A sequence of frames: a list, or an object that reads each frame on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...


def choose_frames(frames: Frames, align_to: AlignTo) -> Frames:
    """Return the frames to align psf images to: each one, the first, or the mean of all."""
    if align_to == "each":
        return frames
    return [frames[0] if align_to == "first" else mean_frame(frames)]


def mean_frame(frames: Iterable[Frame]) -> Frame:
    """
    Average integrations, pixel by pixel, without replaced pixels.

    A pixel that was replaced in all integrations is the mean of all its values, and counts as
    replaced. The mean has a variance if all integrations have one. Integrations that are not finite
    are left out; if all are, the last one is returned.
    """
    average: _Average | None = None
    for frame in frames:
        last = frame
        if np.isfinite(frame.image).all():
            average = average or _Average(frame.image.shape)
            average.add(frame)
    return last if average is None else average.frame()


class _Average:
    """Sums over frames of the good values, and of all values for pixels that are never good."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._n_good, self._n_frames = np.zeros(shape), 0
        self._good, self._all = np.zeros(shape), np.zeros(shape)
        self._good_variance, self._variance = np.zeros(shape), np.zeros(shape)

    def add(self, frame: Frame) -> None:
        """Add a frame whose image is finite."""
        good = np.ones_like(self._all, bool) if frame.replaced is None else ~frame.replaced
        variance = np.nan if frame.variance is None else frame.variance
        self._n_good += good
        self._n_frames += 1
        self._all += frame.image
        self._good += np.where(good, frame.image, 0.0)
        self._variance += variance
        self._good_variance += np.where(good, variance, 0.0)

    def frame(self) -> Frame:
        """
        Return the mean.

        The error of a pixel that was replaced in all frames is assumed to be the same in each, and
        so the mean does not reduce its variance.
        """
        replaced, n = self._n_good == 0, np.maximum(self._n_good, 1)
        image = np.where(replaced, self._all / self._n_frames, self._good / n)
        variance = np.where(replaced, self._variance / self._n_frames, self._good_variance / n**2)
        return Frame(image, replaced, None if np.isnan(self._variance).any() else variance)
