"""Fit all psf images to one science integration, and start where an earlier one points."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Background, Bools, Image, Method, Weighting
from ..images.fourier import Shift
from ..images.frames import Frame, Frames
from ..images.padding import pad_frame, pad_weight
from .doubt import add_doubts
from .noise import PsfNoise, ScienceNoise, add_uncertainties, science_derivatives, unbiased
from .pair import Pair, fit_pair
from .result import PairFit, Status
from .spectral import Psf, Science, Weighted
from .weighting import pair_weight

AGREEMENT = 0.25  # pixels: images that moved together agree far better, other basins are farther
WORSE = 1.5  # times the misfit of the same psf in the guide, from which a fit is doubted
N_ANCHORS = 3


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
        ``mask``, ``mask+dq`` or ``inverse_variance``, see `psfalign.fit.weighting`.
    background
        ``fit`` a constant difference between psf and science, or ``none``.
    padding
        Pixels between opposite edges, against wrapping around; see `psfalign.images.padding`.
    """

    method: Method = "spectral"
    max_shift: int = 10
    weighting: Weighting = "mask"
    background: Background = "none"
    padding: int = 0

    @classmethod
    def take(cls, settings: dict[str, Any]) -> "FitOptions":
        """Return those options that are among some settings, and take them out of there."""
        names = [field.name for field in fields(cls) if field.name in settings]
        return cls(**{name: settings.pop(name) for name in names})

    @property
    def centred(self) -> bool:
        """Whether means are subtracted."""
        return self.background == "fit"


@dataclass(frozen=True)
class Guide:
    """
    The fits of an earlier integration, found by searching.

    All psf images keep their places from one integration to the next, so that one offset leads
    from its shifts to those of another integration. It is measured by searching for a few psfs,
    the anchors; a fit that it leads to is trusted only if it is as good as the guide's.
    """

    fits: Sequence[PairFit]

    @cached_property
    def anchors(self) -> list[int]:
        """The psfs to search for: the first, a middle and the last of those that were fitted."""
        usable = [i for i, fit in enumerate(self.fits) if fit.status is Status.OK]
        if len(usable) <= N_ANCHORS:
            return usable
        return [usable[0], usable[len(usable) // 2], usable[-1]]

    def offset(self, found: dict[int, PairFit]) -> Shift | None:
        """Return the mean offset of the anchors; None where they do not agree on one."""
        if not found or any(fit.status is not Status.OK for fit in found.values()):
            return None
        pairs = [(fit, self.fits[i]) for i, fit in found.items()]
        offsets = np.array([(new.dx - old.dx, new.dy - old.dy) for new, old in pairs])
        if np.ptp(offsets, axis=0).max() > AGREEMENT:
            return None
        return Shift(*offsets.mean(axis=0).tolist())

    def predict(self, psf: int, offset: Shift | None) -> Shift | None:
        """Return the shift to expect, None where there is nothing to go by."""
        old = self.fits[psf]
        if offset is None or old.status is not Status.OK:
            return None
        return Shift(old.dx + offset.dx, old.dy + offset.dy)

    def confirms(self, psf: int, fit: PairFit, expected: Shift) -> bool:
        """Return whether a fit is near what was expected and about as good as the guide's."""
        near = max(abs(fit.dx - expected.dx), abs(fit.dy - expected.dy)) < AGREEMENT
        return fit.status is Status.OK and near and fit.misfit <= WORSE * self.fits[psf].misfit


@dataclass(frozen=True)
class PsfSet:
    """
    The psf images, of which only what every fit needs is kept.

    Attributes
    ----------
    frames, padding
        The images, asked for again where a fit needs one as it is, and their padding. To read
        one again takes a few hundredths of such a fit.
    weighted
        The weight of the mask.
    prepared
        Each image, prepared; None for one that cannot be fitted.
    noises
        The noise of each, where one weight serves all of them.
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
        weighted, seen = Weighted(padded, options.centred), padded != 0
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
        """Return an image as it is, but for the padding."""
        return pad_frame(self.frames[psf], self.padding)


def fit_integration(
    science: Frame, psfs: PsfSet, options: FitOptions, guide: Guide | None = None
) -> list[PairFit]:
    """
    Fit all psf images to one science image.

    Parameters
    ----------
    science
        The science image.
    psfs
        The psf images and their weight.
    options
        How to fit.
    guide
        The fits of an earlier integration; without it, each psf is searched for.
    """
    if not _usable(science, np.ones(science.image.shape, dtype=bool)):
        return [PairFit(status=Status.BAD_SCIENCE) for _ in range(len(psfs))]
    integration = _Integration(science, Science(science.image, psfs.weighted), psfs, options)
    searched = {i: integration.search(i) for i in guide.anchors} if guide else {}
    offset = guide.offset(searched) if guide else None
    fits = []
    for i in range(len(psfs)):
        fit = searched.get(i)
        expected = guide.predict(i, offset) if guide else None
        if fit is None and guide and expected:
            fit = integration.fit(i, start=expected)
            fit = fit if guide.confirms(i, fit, expected) else None
        fits.append(fit or integration.search(i))
    return integration.finish(fits)


@dataclass(frozen=True)
class _Integration:
    """A science image that is ready to be fitted."""

    frame: Frame
    science: Science
    psfs: PsfSet
    options: FitOptions

    def search(self, psf: int) -> PairFit:
        """Fit a psf without knowing where it is."""
        return self.fit(psf, start=None)

    def fit(self, psf: int, start: Shift | None) -> PairFit:
        """Fit a psf with the weight of the mask."""
        pair = self._pair(psf)
        if pair is None:
            return PairFit(status=Status.BAD_PSF)
        if self.options.method == "leastsq":
            pair = replace(pair, psf_image=self.psfs.frame(psf).image)
        return self._fit(pair, start)

    def _pair(self, psf: int) -> Pair | None:
        prepared, weighted = self.psfs.prepared[psf], self.psfs.weighted
        return None if prepared is None else Pair(self.science, prepared, weighted)

    def finish(self, fits: list[PairFit]) -> list[PairFit]:
        """Fit again where weights depend on a first fit, and add uncertainties."""
        if self.options.weighting == "mask":
            known = add_uncertainties(fits, self._noise(self.psfs.weighted), self.psfs.noises)
            pairs = [self._pair(psf) for psf in range(len(self.psfs))]
            return add_doubts(known, pairs, self._derivatives)
        return [self._refine(i, fit) for i, fit in enumerate(fits)]

    @cached_property
    def _derivatives(self) -> NDArray[np.float64]:
        return science_derivatives(self.frame.image, self.science.spectrum)

    def _noise(self, weighted: Weighted) -> ScienceNoise:
        return ScienceNoise(self.frame, self._derivatives, weighted)

    def _refine(self, psf: int, fit: PairFit) -> PairFit:
        """Fit a psf again with a weight of its own."""
        if fit.status is not Status.OK:
            return fit
        shift, frame = Shift(fit.dx, fit.dy), self.psfs.frame(psf)
        mask, kind = self.psfs.weighted.weight, self.options.weighting
        weight = pair_weight(mask, self.frame, frame, shift, fit.beta, weighting=kind)
        own = Weighted(weight, self.options.centred)
        if own.n_pixels == 0:
            return PairFit(status=Status.NO_WEIGHT)
        # leastsq minimises what it is documented to minimise, noise included.
        corrected = kind == "inverse_variance" and self.options.method == "spectral"
        noise = self._noise(own)
        psf_noise = PsfNoise.of(frame.variance, own)
        pair = Pair(Science(self.frame.image, own), Psf.of(frame.image, own), own, frame.image)
        found = add_uncertainties([self._fit(pair, shift)], noise, [psf_noise])
        (first,) = found
        if corrected and np.isfinite(first.beta_bias):
            pair = replace(pair, noise=noise.term, noise_scale=first.noise_scale)
            start = Shift(first.dx - first.dx_bias, first.dy - first.dy_bias)
            again = add_uncertainties([self._fit(pair, start)], noise, [psf_noise])
            found = [unbiased(fit) for fit in again]
        return add_doubts(found, [pair], self._derivatives)[0]

    def _fit(self, pair: Pair, start: Shift | None) -> PairFit:
        options = self.options
        return fit_pair(pair, max_shift=options.max_shift, method=options.method, start=start)


def _usable(frame: Frame, seen: Bools) -> bool:
    """Return whether there is something to fit: finite values that differ."""
    values = frame.image[seen]
    return bool(values.size and np.isfinite(values).all() and values.min() < values.max())
