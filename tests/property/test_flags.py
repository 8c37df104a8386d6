"""Flags of any shift are those of the pixels within one pixel of the origin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from psfalign.images.fourier import Shift
from psfalign.images.shifted_flags import move_flags

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))
# Quarters are exact in binary, so that no distance is a rounding away from 1.
distances = st.integers(-40, 40).map(lambda n: n / 4)


@given(shapes, distances, distances, st.integers(0, 2**32 - 1))
def test_flags_follow_the_rule(shape: tuple[int, int], dx: float, dy: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dq = (rng.integers(0, 2**32, shape) * (rng.random(shape) < 0.3)).astype(np.uint32)
    expected = np.zeros(shape, dtype=np.uint32)
    for row, column in np.ndindex(shape):
        y, x = row - dy, column - dx
        for (i, j), flags in np.ndenumerate(dq):
            if abs(i - y) <= 1 and abs(j - x) <= 1:
                expected[row, column] |= flags
        if not (0 <= y <= shape[0] - 1 and 0 <= x <= shape[1] - 1):
            expected[row, column] |= 1
    np.testing.assert_array_equal(move_flags(dq, Shift(dx, dy)), expected)
