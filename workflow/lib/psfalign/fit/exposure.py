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

    Minimises, for each pair, Σ w² (psf - beta S(science, (dx, dy)))² over dx, dy and beta, with
    the Fourier shift S of `psfalign.images.fourier`.

    Parameters
    ----------
    science
        The science integrations; asked for one by one, as they are needed.
    psfs
        The psf images; asked for once, and again by fits that need one as it is. What either are
        read from stays open until the last fit was taken.
    weight : (rows, columns) float64
        Weight of each pixel of the residual, in the frame of the psf images; 0 leaves it out.
    options
        How to fit; by default `FitOptions()`.
    threads
        How many integrations to fit at a time. The result does not depend on it.

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
