"""Images with what is known of their pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from .arrays import Bools, Image


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
