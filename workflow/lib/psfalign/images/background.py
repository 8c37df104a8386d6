"""A background below a star: a constant or a plane, as far as a weight tells it from nothing."""

import math
from collections.abc import Iterator

import numpy as np

from .arrays import Background, Cube, Image

FLAT = 1e-10  # of Σ w²: what is left of a slope where all weight lies on one line


def span_background(squared_weight: Image, background: Background) -> Cube:
    """
    Return functions b that span a background, with Σ w² b_j b_k = 1 for j = k, else 0.

    Parameters
    ----------
    squared_weight : (rows, columns) float64
        w².
    background
        What to span: nothing, a constant, or a plane.

    Returns
    -------
    (functions, rows, columns) float64
    """
    made: list[Image] = []
    least = FLAT * float(squared_weight.sum())
    for monomial in _monomials(squared_weight.shape, background):
        image = monomial
        for other in made * 2:  # the second time takes away what rounding left
            image = image - np.vdot(squared_weight, image * other) * other
        energy = float(np.vdot(squared_weight, image**2))
        if energy > least:
            made.append(image / math.sqrt(energy))
    return np.array(made).reshape(len(made), *squared_weight.shape)


def subtract_span(image: Image, basis: Cube, squared_weight: Image) -> Image:
    """Return an image less what it has in common with the functions of `span_background`."""
    if not len(basis):
        return image
    shares = np.tensordot(basis * squared_weight, image, axes=2)
    return np.asarray(image - np.tensordot(shares, basis, axes=1))


def subtract_background(image: Image, weight: Image, background: Background) -> Image:
    """Return an image less the background that fits it best under a weight."""
    squared = weight**2
    return subtract_span(image, span_background(squared, background), squared)


def _monomials(shape: tuple[int, ...], background: Background) -> Iterator[Image]:
    if background != "none":
        yield np.ones(shape)
    if background == "plane":
        for axis in (0, 1):
            yield np.indices(shape)[axis] / shape[axis] - 0.5
