"""A constant or a plane is subtracted."""

import numpy as np
import pytest
from simulate import noise, read_only, transmission

from psfalign.images.arrays import Background
from psfalign.images.background import Span

SHAPE = (32, 41)


@pytest.mark.parametrize(("background", "number"), [("none", 0), ("fit", 1), ("plane", 3)])
def test_functions_are_orthonormal_under_the_weight(background: Background, number: int) -> None:
    squared = read_only(transmission(SHAPE) ** 2)
    basis = Span.of(squared, background).images.reshape(number, squared.size)
    # Sums of a thousand numbers of order one round by a few 1e-15.
    products = (basis * squared.ravel()) @ basis.T
    np.testing.assert_allclose(products, np.eye(number), rtol=0, atol=1e-12)


def test_plane_is_taken_off_and_nothing_else() -> None:
    weight, (y, x) = read_only(transmission(SHAPE)), np.indices(SHAPE)
    image = read_only(noise(SHAPE, seed=1))
    alone = Span.of(weight**2, "plane").subtract(image)
    tilted = Span.of(weight**2, "plane").subtract(image + 5 + 0.3 * x - 0.2 * y)
    np.testing.assert_allclose(tilted, alone, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(Span.of(weight**2, "none").subtract(image), image)
    constant = Span.of(weight**2, "fit").subtract(image + 5)
    assert np.average(constant, weights=weight**2) == pytest.approx(0.0, abs=1e-14)


def test_weight_on_one_line_knows_no_slope_across_it() -> None:
    squared = np.zeros(SHAPE)
    squared[7] = 1.0
    assert len(Span.of(squared, "plane")) == 2
