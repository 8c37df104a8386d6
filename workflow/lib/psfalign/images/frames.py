"""Images with their replaced pixels and variances."""

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
    An image and, where they are known, its replaced pixels and the variance of all.

    Attributes
    ----------
    image : (rows, columns) float64
    replaced : (rows, columns) bool, optional
        Pixels whose value was filled in by cleaning.
    variance : (rows, columns) float64, optional
        Square of the standard error of each pixel, finite and positive.
    """

    image: Image
    replaced: Bools | None = None
    variance: Image | None = None

    @cached_property
    def variance_spectrum(self) -> Spectrum | None:
        """``rfft2`` of the variance, where it is known."""
        return None if self.variance is None else rfft2(self.variance)


class Frames(Protocol):
    """Frames in a list, or such as are read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...


def choose_frames(frames: Frames, align_to: AlignTo) -> Frames:
    """Return what psf images are aligned to: each frame, the first, or the mean of all."""
    if align_to == "each":
        return frames
    return [frames[0] if align_to == "first" else mean_frame(frames)]


def mean_frame(frames: Iterable[Frame]) -> Frame:
    """
    Average the good values of integrations, pixel by pixel.

    A pixel of the mean counts as replaced where it was in all of them, and is the mean of all its
    values then. The variance is known where that of each is. Integrations without any good pixel
    are left out; where all are, the last stands for them.
    """
    average: _Average | None = None
    for frame in frames:
        last = frame
        if np.isfinite(frame.image).all():
            average = average or _Average(frame.image.shape)
            average.add(frame)
    return last if average is None else average.frame()


class _Average:
    """Sums over frames: of good pixels, and of all for pixels that are never good."""

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

        The errors of replaced pixels are alike in all frames, so that their variance stays that
        of one.
        """
        replaced, n = self._n_good == 0, np.maximum(self._n_good, 1)
        image = np.where(replaced, self._all / self._n_frames, self._good / n)
        variance = np.where(replaced, self._variance / self._n_frames, self._good_variance / n**2)
        return Frame(image, replaced, None if np.isnan(self._variance).any() else variance)
