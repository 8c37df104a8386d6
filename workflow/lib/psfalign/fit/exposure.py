"""Fit all pairs of an exposure: every science integration with every psf image."""

from collections.abc import Iterator

from ..images.arrays import Image
from ..images.frames import Frames
from ..images.padding import pad_frame
from ..system.parallel import ordered_map
from .integration import FitOptions, PsfSet, fit_integration
from .result import PairFit


def fit_shifts(
    science: Frames,
    psfs: Frames,
    weight: Image,
    *,
    options: FitOptions | None = None,
    threads: int = 1,
) -> Iterator[list[PairFit]]:
    """
    Fit every psf image to every science image.

    Minimise Σ w² (psf - beta S(science, (dx, dy)))² over dx, dy and beta for each pair. S is the
    Fourier shift of `psfalign.images.fourier`.

    Parameters
    ----------
    science
        The science integrations. They are read one by one, when they are needed.
    psfs
        The psf images. They are read once at the beginning; some options read single ones again.
        Keep the files behind ``science`` and ``psfs`` open until the last fit is yielded.
    weight : (rows, columns) float64
        Weight w of each pixel of the residual, in the frame of the psf images; 0 excludes a pixel.
    options
        The options of the fit; by default `FitOptions()`.
    threads
        How many integrations are fitted at the same time. The result does not depend on it.

    Yields
    ------
    list of PairFit
        The fits of one integration, in the order of the psf images.

    Raises
    ------
    InputError
        If a frame cannot be read, when it is asked for.
    """
    options = options or FitOptions()
    prepared = PsfSet.of(psfs, weight, options)

    def fit(integration: int) -> list[PairFit]:
        frame = pad_frame(science[integration], options.padding)
        return fit_integration(frame, prepared, options)

    yield from ordered_map(fit, iter(range(len(science))), threads=threads)
