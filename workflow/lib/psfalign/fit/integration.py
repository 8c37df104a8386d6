"""Fit all psf images to one science integration."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..images.arrays import Background, BackgroundChoice, Bools, Image, Method, Weighting
from ..images.fourier import Shift
from ..images.frames import Frame, Frames
from ..images.padding import pad_frame, pad_weight
from .doubt import add_doubts
from .energy import NARROW
from .gradients import Gradients
from .noise import PsfNoise, ScienceNoise, add_uncertainties, unbiased
from .pair import HALF_PIXEL, Pair, fit_pair
from .result import PairFit, Status
from .spectral import Psf, Science, Weighted
from .weighting import pair_weight

UNLIMITED = 3  # pixels; the assumed largest shift where max_shift is 0, which sets no limit


@dataclass(frozen=True)
class FitOptions:
    """
    The options of the fit.

    Attributes
    ----------
    method
        ``spectral`` (exact derivatives) or ``leastsq`` (for comparison; slow).
    max_shift
        Largest shift along each axis, in pixels. 0 starts at no shift without a search, and sets
        no limit.
    weighting
        ``mask``, ``mask+dq`` or ``inverse_variance``, see `psfalign.fit.weighting`.
    background
        The difference between psf and science that is fitted: ``fit`` (a constant), ``plane`` or
        ``none``; ``auto`` means ``plane``, see `fitted_background`.
    padding
        Pixels that are added between opposite edges, so that the shift does not wrap content
        around them; see `psfalign.images.padding`.
    """

    method: Method = "spectral"
    max_shift: int = 3
    weighting: Weighting = "mask"
    background: BackgroundChoice = "auto"
    padding: int = 0

    @classmethod
    def take(cls, settings: dict[str, Any]) -> "FitOptions":
        """Remove the options of the fit from a mapping of settings, and return them."""
        names = [field.name for field in fields(cls) if field.name in settings]
        return cls(**{name: settings.pop(name) for name in names})

    @property
    def reach(self) -> float:
        """Largest shift of a successful fit along each axis, in pixels."""
        return (self.max_shift or UNLIMITED) + HALF_PIXEL

    @property
    def fitted_background(self) -> Background:
        """
        The background that is fitted.

        ``auto`` means a plane for both instruments: in benchmarks/flight.py and
        benchmarks/studies/backgrounds.py no choice by instrument or exposure is better.
        """
        return "plane" if self.background == "auto" else self.background


@dataclass(frozen=True)
class PsfSet:
    """
    The psf images, prepared for the fit.

    Only what every fit needs is kept in memory. A fit that needs the pixels themselves reads the
    image again, which takes a few hundredths of the time of such a fit.

    Attributes
    ----------
    frames, padding
        The images, and how many rows and columns are appended to them.
    weighted
        The weight of the mask.
    prepared
        The prepared images; None for an image that cannot be fitted.
    noises
        The noise of each image under the weight of the mask; empty where each pair gets its own
        weight.
    """

    frames: Frames
    padding: int
    weighted: Weighted
    prepared: Sequence[Psf | None]
    noises: Sequence[PsfNoise | None]

    @classmethod
    def of(cls, frames: Frames, weight: Image, options: FitOptions) -> "PsfSet":
        """Prepare psf images with the weight of the mask."""
        padding, padded = options.padding, pad_weight(weight, options.padding)
        weighted, seen = Weighted(padded, options.fitted_background), padded != 0
        prepared: list[Psf | None] = []
        noises: list[PsfNoise | None] = []
        for frame in (pad_frame(frame, padding) for frame in frames):
            prepared.append(Psf.of(frame.image, weighted) if _usable(frame, seen) else None)
            if options.weighting == "mask":
                noises.append(PsfNoise.of(frame.variance, weighted))
        return cls(frames, padding, weighted, prepared, noises)

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, psf: int) -> Frame:
        """Read an image again, and pad it."""
        return pad_frame(self.frames[psf], self.padding)


def fit_integration(science: Frame, psfs: PsfSet, options: FitOptions) -> list[PairFit]:
    """
    Fit all psf images to one science image.

    Parameters
    ----------
    science
        The science image, padded.
    psfs
        The psf images and the weight of the mask.
    options
        The options of the fit.

    Returns
    -------
    list of PairFit
        In the order of the psf images, with uncertainties and doubts.
    """
    if not _usable(science, np.ones(science.image.shape, dtype=bool)):
        return [PairFit(status=Status.BAD_SCIENCE) for _ in range(len(psfs))]
    ready = Science.of(science.image, psfs.weighted)
    integration = _Integration(science, ready, psfs, options)
    return integration.finish([integration.search(i) for i in range(len(psfs))])


@dataclass(frozen=True)
class _Integration:
    """A science image that is ready to be fitted."""

    frame: Frame
    science: Science
    psfs: PsfSet
    options: FitOptions

    def search(self, psf: int) -> PairFit:
        """Search the shift of a psf with the weight of the mask, and fit it."""
        pair = self._pair(psf)
        if pair is None:
            return PairFit(status=Status.BAD_PSF)
        if self.options.method == "leastsq":
            pair = replace(pair, psf_image=self.psfs.frame(psf).image)
        return self._fit(pair, None)

    def _pair(self, psf: int) -> Pair | None:
        prepared, weighted = self.psfs.prepared[psf], self.psfs.weighted
        return None if prepared is None else Pair(self.science, prepared, weighted)

    def finish(self, fits: list[PairFit]) -> list[PairFit]:
        """Fit again where weights depend on a first fit, and add uncertainties and doubts."""
        if self.options.weighting == "mask":
            gradients = Gradients(self.science.source, self.psfs.weighted)
            noise = ScienceNoise(self.frame, gradients)
            known = add_uncertainties(fits, noise, self.psfs.noises)
            pairs = [self._pair(psf) for psf in range(len(self.psfs))]
            return add_doubts(known, pairs, gradients)
        return [self._refine(i, fit) for i, fit in enumerate(fits)]

    def _refine(self, psf: int, fit: PairFit) -> PairFit:
        """Fit a psf again with the weight of its pair."""
        if fit.status is not Status.OK:
            return fit
        shift, frame = Shift(fit.dx, fit.dy), self.psfs.frame(psf)
        mask, kind = self.psfs.weighted.weight, self.options.weighting
        weight = pair_weight(mask, self.frame, frame, shift, fit.beta, weighting=kind)
        own = Weighted(weight, self.options.fitted_background, NARROW)
        if own.n_pixels == 0:
            return PairFit(status=Status.NO_WEIGHT)
        # leastsq minimises the documented sum, without a correction for noise.
        corrected = kind == "inverse_variance" and self.options.method == "spectral"
        gradients = Gradients(self.science.source, own)
        noise, psf_noise = ScienceNoise(self.frame, gradients), PsfNoise.of(frame.variance, own)
        pair = Pair(Science(self.science.source, own), Psf.of(frame.image, own), own, frame.image)
        # Only the search compares the fit with its rivals, under a weight that serves all shifts.
        first = replace(self._fit(pair, shift), rival=fit.rival)
        found = add_uncertainties([first], noise, [psf_noise])
        (first,) = found
        if corrected and np.isfinite(first.beta_bias):
            pair = replace(pair, noise=noise.term, noise_scale=first.noise_scale)
            start = Shift(first.dx - first.dx_bias, first.dy - first.dy_bias)
            second = replace(self._fit(pair, start), rival=fit.rival)
            again = add_uncertainties([second], noise, [psf_noise])
            found = [unbiased(fit) for fit in again]
        return add_doubts(found, [pair], gradients)[0]

    def _fit(self, pair: Pair, start: Shift | None) -> PairFit:
        options = self.options
        return fit_pair(pair, max_shift=options.max_shift, method=options.method, start=start)


def _usable(frame: Frame, seen: Bools) -> bool:
    """Return whether the image can be fitted: its values are finite and not all equal."""
    values = frame.image[seen]
    return bool(values.size and np.isfinite(values).all() and values.min() < values.max())
