"""Small coronagraphic scenes whose truth is known by construction, from arrays alone."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float64]
Offset = tuple[float, float]  # (dx, dy) in pixels, to higher column and row

BAND = 0.4  # cycles per pixel; below Nyquist's 0.5, so that shifts add up exactly
SPECKLE_BAND = 0.12  # cycles per pixel, of the amplitude: speckles of about 4 pixels
PEAK = 100.0

SHAPES = [(32, 40), (33, 41), (32, 41), (33, 40), (24, 52)]
"""Even, odd, mixed both ways, and far from square."""


def scene(shape: tuple[int, int], *, seed: int = 0) -> Image:
    """Return speckles that fade outwards around a dark centre; the brightest has `PEAK`."""
    real, imaginary = np.random.default_rng(seed).normal(size=(2, *shape))
    amplitude = low_pass(real, SPECKLE_BAND) + 1j * low_pass(imaginary, SPECKLE_BAND)
    radius = _radius(shape)
    envelope = np.exp(-radius / (min(shape) / 6)) * (1 - np.exp(-((radius / 4) ** 2)))
    image = low_pass(np.abs(amplitude) ** 2 * envelope, BAND)
    return PEAK * image / image.max()


def shifted(image: Image, offset: Offset) -> Image:
    """Shift an image as the documentation describes it, with SciPy and NumPy only."""
    dx, dy = offset
    return np.asarray(np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(image), (dy, dx))).real)


def transmission(shape: tuple[int, int]) -> Image:
    """Return the weight of a realistic mask: an occulter, a dark square, a blind edge."""
    weight = 1 - np.exp(-((_radius(shape) / 3) ** 2))
    weight[4:8, 3:7] = 1e-3
    weight[:, -2:] = 0.0
    return weight


def noise(shape: tuple[int, ...], *, seed: int, sigma: float = 1.0) -> Image:
    """Return white noise."""
    return np.random.default_rng(seed).normal(0.0, sigma, shape)


def read_only(array: NDArray) -> NDArray:
    """Make an array read-only, so that code that modifies it fails."""
    array.setflags(write=False)
    return array


def low_pass(image: Image, band: float) -> Image:
    """Leave out frequencies beyond a band, in cycles per pixel."""
    rows, columns = image.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    return np.asarray(np.fft.ifft2(np.where(frequency <= band, np.fft.fft2(image), 0)).real)


def _radius(shape: tuple[int, int]) -> Image:
    """Distance from the middle in pixels."""
    y, x = (np.arange(size) - size // 2 for size in shape)
    return np.asarray(np.hypot(y[:, None], x))
