"""A background below a star: a constant or a plane, as far as a weight tells it from nothing."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .arrays import Background, Image, SingleImage

FLAT = 1e-10  # of Σ w²: what is left of a slope where all weight lies on one line
MONOMIALS = {"none": 0, "fit": 1, "plane": 3}  # of 1, y, x

Floats = NDArray[np.float64]
Reals = NDArray[np.floating]
Real = TypeVar("Real", np.float64, np.float32)


@dataclass(frozen=True)
class Span:
    """
    Functions b that span a background, with Σ w² b_j b_k = 1 for j = k, else 0.

    Each is a plane, of which only the coefficients are kept: sums over an image are those along
    its rows and columns, which takes a fraction of the time of sums with images of the functions.

    Attributes
    ----------
    squared_weight : (rows, columns) float64 or float32
        w². Its precision is that of the images from which the background is subtracted.
    planes : (functions, 2, 2)
        Coefficients of y^i x^j for each function, y and x between -0.5 and 0.5; that of the
        product is 0.
    """

    squared_weight: Reals
    planes: Reals

    @classmethod
    def of(cls, squared_weight: Image, background: Background) -> "Span":
        """Span nothing, a constant, or a plane, under w²."""
        in_y, in_x = (_powers(size, 3) for size in squared_weight.shape)
        moments = in_y @ squared_weight @ in_x.T
        products = np.array([[moments[a + c, b + d] for c, d in _ORDERS] for a, b in _ORDERS])
        made = _orthonormal(products[: MONOMIALS[background], : MONOMIALS[background]])
        planes = np.zeros((len(made), 2, 2))
        for plane, coefficients in zip(planes, made, strict=True):
            for order, coefficient in zip(_ORDERS, coefficients, strict=False):
                plane[order] = coefficient
        return cls(squared_weight, planes)

    def __len__(self) -> int:
        return len(self.planes)

    @cached_property
    def images(self) -> Reals:
        """The functions, (functions, rows, columns)."""
        return np.array([self._image(plane) for plane in self.planes]).reshape(
            len(self), *self.squared_weight.shape
        )

    def scaled(self, shares: SingleImage, peak: float) -> "Span":
        """Return the functions in single precision, for w² over the square of its peak."""
        return Span(shares, (self.planes * peak).astype(np.float32))

    def subtract(self, image: NDArray[Real]) -> NDArray[Real]:
        """Return an image less what it has in common with the functions under the weight."""
        if not len(self):
            return image
        in_y, in_x = self._axes
        sums = in_y @ (self.squared_weight * image) @ in_x.T
        planes = self.planes.reshape(len(self), -1)
        plane = (planes @ sums.ravel()) @ planes
        return np.subtract(image, self._image(plane.reshape(sums.shape)))

    @cached_property
    def _axes(self) -> tuple[Reals, Reals]:
        rows, columns = self.squared_weight.shape
        in_y, in_x = (_powers(size, 2) for size in (rows, columns))
        dtype = self.squared_weight.dtype
        return in_y.astype(dtype, copy=False), in_x.astype(dtype, copy=False)

    def _image(self, plane: Reals) -> Reals:
        in_y, in_x = self._axes
        return np.add.outer(plane[:, 0] @ in_y, plane[0, 1] * in_x[1])


_ORDERS = ((0, 0), (1, 0), (0, 1))  # of y and x in 1, y and x


def _powers(size: int, number: int) -> Floats:
    """Return the first powers of a coordinate between -0.5 and 0.5, (number, size)."""
    coordinate = np.arange(size) / size - 0.5
    return coordinate ** np.arange(number)[:, None]


def _orthonormal(products: Floats) -> list[Floats]:
    """
    Return combinations of functions that are orthonormal, from the sums of their products.

    A function that the others nearly make up is left out.
    """
    made: list[Floats] = []
    for start in np.eye(len(products)):
        combination = start
        for other in made * 2:  # the second time takes away what rounding left
            combination = combination - (combination @ products @ other) * other
        energy = float(combination @ products @ combination)
        if energy > FLAT * products[0, 0]:
            made.append(combination / math.sqrt(energy))
    return made
