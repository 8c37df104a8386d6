"""Subtract the constant or the plane that fits an image best under a weight."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .arrays import Background, Image, SingleImage

FLAT = 1e-10  # of Σ w²; a slope with less variance under the weight is not determined
MONOMIALS = {"none": 0, "fit": 1, "plane": 3}  # how many of the functions 1, y, x are fitted

Floats = NDArray[np.float64]
Reals = NDArray[np.floating]
Real = TypeVar("Real", np.float64, np.float32)


@dataclass(frozen=True)
class Span:
    """
    Orthonormal functions b that span a background: Σ w² b_j b_k is 1 for j = k, and 0 otherwise.

    Each function is a plane, and only its coefficients are kept. Scalar products with an image are
    computed from sums along rows and columns, which is much faster than with images of the
    functions.

    Attributes
    ----------
    squared_weight : (rows, columns) float64 or float32
        w². Its precision is that of the images from which the background is subtracted.
    planes : (functions, 2, 2)
        Coefficient of y^i x^j at [i, j] for each function, with y and x between -0.5 and 0.5. The
        coefficient of x y is 0.
    """

    squared_weight: Reals
    planes: Reals

    @classmethod
    def of(cls, squared_weight: Image, background: Background) -> "Span":
        """Return the functions that span nothing, a constant, or a plane, under w²."""
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
        """Return the functions in single precision, for the weight ``shares`` = w² / peak²."""
        return Span(shares, (self.planes * peak).astype(np.float32))

    def subtract(self, image: NDArray[Real]) -> NDArray[Real]:
        """Return an image minus the combination of the functions that fits it best."""
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


_ORDERS = ((0, 0), (1, 0), (0, 1))  # powers of y and x in the functions 1, y and x


def _powers(size: int, number: int) -> Floats:
    """Return powers 0, 1, … of a coordinate from -0.5 to 0.5, (number, size)."""
    coordinate = np.arange(size) / size - 0.5
    return coordinate ** np.arange(number)[:, None]


def _orthonormal(products: Floats) -> list[Floats]:
    """
    Return orthonormal combinations of functions, from their scalar products (Gram-Schmidt).

    A function that is nearly a combination of the others is left out.
    """
    made: list[Floats] = []
    for start in np.eye(len(products)):
        combination = start
        for other in made * 2:  # twice, to remove the rounding errors of the first time
            combination = combination - (combination @ products @ other) * other
        energy = float(combination @ products @ combination)
        if energy > FLAT * products[0, 0]:
            made.append(combination / math.sqrt(energy))
    return made
