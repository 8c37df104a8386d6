"""Pad images, because a Fourier shift wraps content around the edges."""

import numpy as np

from .arrays import Image
from .frames import Frame


def pad_image(image: Image, padding: int) -> Image:
    """
    Append rows and columns that interpolate linearly between the last and the first ones.

    The periodic continuation of the padded image has no step.

    Parameters
    ----------
    image : (rows, columns) float64
        The image, which must be finite; not modified.
    padding
        Number of rows and of columns to append, 0 or more.

    Returns
    -------
    (rows + padding, columns + padding) float64
        The padded image, in C order.
    """
    if padding == 0:
        return image
    return np.ascontiguousarray(_pad_rows(_pad_rows(image, padding).T, padding).T)


def pad_weight(weight: Image, padding: int) -> Image:
    """Append rows and columns of weight 0."""
    return np.pad(weight, (0, padding))


def pad_frame(frame: Frame, padding: int) -> Frame:
    """Pad a frame; the appended pixels count as replaced."""
    if padding == 0:
        return frame
    rows, columns = frame.image.shape
    replaced = np.ones((rows + padding, columns + padding), dtype=bool)
    replaced[:rows, :columns] = False if frame.replaced is None else frame.replaced
    variance = None if frame.variance is None else pad_image(frame.variance, padding)
    return Frame(pad_image(frame.image, padding), replaced, variance)


def _pad_rows(image: Image, padding: int) -> Image:
    share = np.arange(1, padding + 1)[:, None] / (padding + 1)
    return np.concatenate([image, (1 - share) * image[-1] + share * image[0]])
