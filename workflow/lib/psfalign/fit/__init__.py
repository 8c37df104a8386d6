"""Fit the shifts between every science integration and every psf image."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..arrays import Bools, Image, Method, Weighting
from ..fourier import Shift
from ..frames import Frame
from ..parallel import ordered_map
from ..weighting import pair_weight
from .pair import Pair, fit_pair
from .result import PairFit, Status
from .spectral import Psf, Science, Weighted

__all__ = ["FitOptions", "PairFit", "Status", "fit_shifts"]


@dataclass(frozen=True)
class FitOptions:
    """
    How to fit.

    Attributes
    ----------
    method
        ``spectral`` (exact derivatives) or ``leastsq`` (for comparison; slow).
    max_shift
        Largest shift in pixels along each axis that is searched for; 0 starts from no shift.
    weighting
        ``mask``, ``mask+dq`` or ``inverse_variance``, see `psfalign.weighting`.
    """

    method: Method = "spectral"
    max_shift: int = 10
    weighting: Weighting = "mask"


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
    weighted = Weighted(weight)
    prepared = [Psf.of(psf.image, weighted) if _usable(psf, weight != 0) else None for psf in psfs]
    fit = partial(
        _fit_integration, psfs=psfs, prepared=prepared, weighted=weighted, options=options
    )
    yield from ordered_map(fit, science, threads=threads)


def _fit_integration(
    science: Frame,
    *,
    psfs: Sequence[Frame],
    prepared: Sequence[Psf | None],
    weighted: Weighted,
    options: FitOptions,
) -> list[PairFit]:
    if not _usable(science, np.ones(science.image.shape, dtype=bool)):
        return [PairFit(status=Status.BAD_SCIENCE) for _ in psfs]
    ready = Science.of(science.image, weighted)
    fits = []
    for frame, psf in zip(psfs, prepared, strict=True):
        if psf is None:
            fits.append(PairFit(status=Status.BAD_PSF))
            continue
        pair = Pair(ready, psf, frame.image, weighted)
        fit = fit_pair(pair, max_shift=options.max_shift, method=options.method)
        if options.weighting != "mask" and fit.status is Status.OK:
            fit = _refit(science, frame, fit, weighted, options)
        fits.append(fit)
    return fits


def _refit(
    science: Frame, psf: Frame, first: PairFit, weighted: Weighted, options: FitOptions
) -> PairFit:
    """Fit a pair again, with the weight that the first fit tells it to have."""
    shift = Shift(first.dx, first.dy)
    weight = pair_weight(
        weighted.weight, science, psf, shift, first.beta, weighting=options.weighting
    )
    own = Weighted(weight)
    pair = Pair(Science.of(science.image, own), Psf.of(psf.image, own), psf.image, own)
    return fit_pair(pair, max_shift=options.max_shift, method=options.method, start=shift)


def _usable(frame: Frame, seen: Bools) -> bool:
    """Tell whether there is something to fit: finite values that differ."""
    values = frame.image[seen]
    return bool(np.isfinite(values).all() and values.min() < values.max())
