"""Types of the arrays and of the words of options that the library uses."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
"""One plane in double precision, (rows, columns)."""

SingleImage = NDArray[np.float32]
"""One plane in single precision, in which products are stored, (rows, columns)."""

Cube = NDArray[np.float64]
"""A stack of planes, (planes, rows, columns)."""

Spectrum = NDArray[np.complex128]
"""``numpy.fft.rfft2`` of a plane, (rows, columns // 2 + 1)."""

Flags = NDArray[np.uint32]
"""JWST data quality flags of a plane or a cube."""

Bools = NDArray[np.bool_]
"""Booleans in the shape of a plane or a cube."""

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
