"""Names for the arrays that the library passes around."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
"""One plane, (rows, columns)."""

SingleImage = NDArray[np.float32]
"""One plane in the precision of the product."""

Cube = NDArray[np.float64]
"""A stack of planes, (planes, rows, columns)."""

Spectrum = NDArray[np.complex128]
"""Half of the Fourier transform of a plane, as ``numpy.fft.rfft2`` orders it."""

Flags = NDArray[np.uint32]
"""Data quality flags of a plane or a cube."""

Bools = NDArray[np.bool_]
"""True where something holds, in the shape of a plane or a cube."""

Method = Literal["spectral", "leastsq"]
Weighting = Literal["mask", "mask+dq", "inverse_variance"]
AlignTo = Literal["each", "first", "mean"]
Shifts = Literal["pairwise", "joint"]
Background = Literal["none", "fit", "plane"]
BackgroundChoice = Literal["auto", "none", "fit", "plane"]
Errors = Literal["variance", "fourier"]
Subtraction = Literal["klip", "none"]
References = Literal["stars", "stars+rolls"]
Region = Literal["mask", "image"]
OnFailedFit = Literal["flag", "stop"]
Figures = Literal["all", "reported", "none"]
Convention = Literal["weight", "exclude"]
