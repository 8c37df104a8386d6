"""Images with what is known of their pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .arrays import AlignTo, Bools, Image


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
    Average integrations; those without any good pixel are left out.

    A pixel of the mean counts as replaced where it was in any of them. The variance is known where
    that of each is.
    """
    total, n = None, 0
    for frame in frames:
        last = frame
        if np.isfinite(frame.image).all():
            total = frame if total is None else _add(total, frame)
            n += 1
    if total is None:
        return last
    variance = None if total.variance is None else total.variance / n**2
    return Frame(total.image / n, total.replaced, variance)


def _add(one: Frame, other: Frame) -> Frame:
    replaced, variance = one.replaced, None
    if replaced is not None and other.replaced is not None:
        replaced = replaced | other.replaced
    if one.variance is not None and other.variance is not None:
        variance = one.variance + other.variance
    return Frame(one.image + other.image, replaced, variance)
