"""Fit the shifts between every science integration and every psf image."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ..arrays import Image
from ..frames import Frame
from ..padding import pad_frame, pad_weight
from ..parallel import ordered_map
from .integration import FitOptions, Guide, PsfSet, fit_integration
from .result import PairFit, Status

__all__ = ["FitOptions", "PairFit", "Status", "fit_shifts"]


def fit_shifts(
    science: Iterable[Frame],
    psfs: Sequence[Frame],
    weight: Image,
    *,
    options: FitOptions | None = None,
    threads: int = 1,
) -> Iterator[list[PairFit]]:
    """
    Fit every psf image to every science image.

    Minimises, for each pair, Σ w² (psf - beta S(science, (dx, dy)))² over dx, dy and beta, with
    the Fourier shift S of `psfalign.fourier`.

    Parameters
    ----------
    science
        The science integrations; read one after the other, as they are needed.
    psfs
        The psf images.
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
    """
    options = options or FitOptions()
    padding = options.padding
    padded = [pad_frame(frame, padding) for frame in psfs]
    prepared = PsfSet.of(padded, pad_weight(weight, padding), options)
    stream = (pad_frame(frame, padding) for frame in science)
    guide = None
    for frame in stream:
        fits = fit_integration(frame, prepared, options)
        yield fits
        if options.max_shift and any(fit.status is Status.OK for fit in fits):
            guide = Guide(fits)
            break
    rest = partial(fit_integration, psfs=prepared, options=options, guide=guide)
    yield from ordered_map(rest, stream, threads=threads)
