"""Small psf images of one star, and the coordinates of their pixels."""

from typing import Any

import numpy as np

SHAPE = 30, 36
ALL = np.ones(SHAPE, dtype=bool)
ROWS, COLUMNS = np.indices(SHAPE)
RADIUS = np.hypot(ROWS - 14, COLUMNS - 17)


def images(n: int = 8, *, seed: int = 3, noise: float = 0.05) -> Any:
    """Combinations of a few speckle patterns, as float32 as files hold them, and a pedestal."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(5, *SHAPE)) * np.exp(-RADIUS / 6)
    mixed = np.tensordot(rng.normal(1, 0.3, (n, 5)), patterns, axes=1) * 50
    return (mixed + 3 + rng.normal(0, noise, (n, *SHAPE))).astype(np.float32).astype(float)
