"""
Whether a shift can be believed: what it hangs on, and how much of the psf image it explains.

A companion, a cosmic ray or stray light pulls the shift of a pair, and that of all pairs of its
integration alike, so that closure cannot see it. Two things give it away.

*Influence.* Where a small window T of the image is left out, the minimum of E moves by

    (H - H_T)⁻¹ Σ_T w² r g,   H = Σ w² g gᵀ,   H_T = Σ_T w² g gᵀ,

one Gauss-Newton step (Cook & Weisberg 1982, Residuals and Influence in Regression, section 3),
with the residual r = p - beta S(s, d) and its derivatives g. The influence of a pair is the
largest move of the shift among all windows that moves it by more than noise does: noise in r of
variance E / n makes a move with the covariance E / n · ((H - H_T)⁻¹ - H⁻¹).

*Stripes.* Rows or columns that have a level of their own in both images hold a fit where they
agree. They show as means of the residual along rows or columns.

*Misfit.* A fit that has found something else than the star leaves most of the psf unexplained.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray

from ..images.arrays import SingleImage
from ..images.fourier import Shift, shift_spectrum
from .gradients import (
    FIRST,
    SECOND,
    Gradients,
    Sums,
    Whole,
    as_matrices,
    derivatives_of,
    sum_blocks,
    sum_products,
    without_background,
)
from .pair import Pair
from .result import N_PARAMETERS, PairFit, Status, least_curvature
from .spectral import Weighted

CANDIDATES = 64  # windows that are looked at closely, of those with the largest moves at a glance
LEAST_REST = 0.01  # of the information, what a window must leave to the others
NOISY = 3.0  # standard deviations, up to which a window's move may be noise
# The limits lie above what flight exposures have whose shifts are right (benchmarks/flight.py).
MOST_INFLUENCE = 0.036  # pixels
MOST_STRIPED = 0.12  # of the energy of the residual
MOST_UNEXPLAINED = 0.5  # of the energy of the psf


@dataclass(frozen=True)
class Leverages:
    """
    What the windows of a science image can do to a shift; the same near the same whole pixels.

    Attributes
    ----------
    gradients
        The derivatives of the science image.
    """

    gradients: Gradients
    _known: dict[Whole, Sums | None] = field(default_factory=dict, init=False, repr=False)

    def at(self, fit: PairFit) -> Sums | None:
        """Return the leverage of each window at a fit, see `_leverage`."""
        whole = round(fit.dy), round(fit.dx)
        if whole not in self._known:
            shares = self.gradients.weighted.shares
            self._known[whole] = _leverage(sum_products(self.gradients.at(whole), shares))
        return self._known[whole]


def add_doubts(
    fits: Sequence[PairFit], pairs: Sequence[Pair | None], gradients: Gradients
) -> list[PairFit]:
    """Return the fits of some pairs with `influence` and `doubtful`, where they have a minimum."""
    judged, leverages = [], Leverages(gradients)
    for fit, pair in zip(fits, pairs, strict=True):
        if pair is None or fit.curvature is None:
            judged.append(fit)
        elif _bound_error(fit, fit.curvature) < MOST_INFLUENCE:
            judged.append(_judge(fit, np.nan, 0.0))
        else:
            judged.append(_judge(fit, *find_influence(fit, pair, leverages)))
    return judged


def _judge(fit: PairFit, influence: float, striped: float) -> PairFit:
    explained_by_noise = 1 / fit.chi2 if fit.chi2 > 0 else 0.0
    unexplained = fit.misfit * max(0.0, 1 - explained_by_noise)
    wrong = influence > MOST_INFLUENCE or striped > MOST_STRIPED or unexplained > MOST_UNEXPLAINED
    return replace(fit, influence=influence, doubtful=wrong and fit.status is Status.OK)


def _bound_error(fit: PairFit, curvature: NDArray[np.float64]) -> float:
    """
    Return how wrong the residual can make a shift at most, √(E / H) by Cauchy and Schwarz.

    It costs nothing, and spares the rest where it is small. Where errors are known, only what
    they do not explain of E counts; the noise of E itself is 2 E² / n.
    """
    excess = 1.0
    if fit.chi2 > 0:
        excess = max(abs(1 - 1 / fit.chi2), NOISY * math.sqrt(2 / fit.n_pixels))
    least = least_curvature(curvature)
    return math.sqrt(fit.cost * excess / least) if least > 0 else math.inf


def find_influence(fit: PairFit, pair: Pair, leverages: Leverages) -> tuple[float, float]:
    """
    Return how far the shift moves without the window that it hangs on most, and the stripes.

    The former is in pixels, NaN where no window can move it far enough to matter; the latter is
    the share of the residual's energy in means of rows or columns.
    """
    gradients, shares = leverages.gradients, pair.weighted.shares
    unit = fit.beta * gradients.peak * pair.weighted.peak / math.sqrt(pair.psf.energy)
    moved = shift_spectrum(gradients.spectrum, shares.shape, Shift(fit.dx, fit.dy))
    moved *= np.float32(unit)
    model = irfft2(moved, s=shares.shape).astype(np.float32, copy=False)
    residual = pair.weighted.single_span.subtract(pair.psf.image - model)
    weighted = shares * residual
    energies = sum_blocks(weighted * residual)
    striped = _stripes(weighted, pair.weighted, float(energies.sum()))
    if _bound_moves(leverages.at(fit), energies) < MOST_INFLUENCE * abs(unit):
        return np.nan, striped
    derivatives = without_background(derivatives_of(moved, pair.science.shape), pair.weighted)
    products = sum_products(derivatives, shares)
    scores = np.stack([sum_blocks(weighted * image) for image in derivatives])
    total = as_matrices(products.sum(axis=(1, 2)))
    parts = as_matrices(_add_neighbours(products).reshape(len(FIRST), -1))
    score = _add_neighbours(scores).reshape(N_PARAMETERS, -1)
    scale = float(energies.sum()) / pair.weighted.n_pixels
    return _largest_move(parts, total, score, scale), striped


def _bound_moves(leverage: Sums | None, energies: Sums) -> float:
    """Return what no window can move a shift beyond, in units where the derivatives have none."""
    if leverage is None:
        return math.inf
    return math.sqrt(max(0.0, (leverage * _add_neighbours(energies[None])[0]).max()))


def _leverage(information: Sums) -> Sums | None:
    """
    Return the factor from Σ_T w² r² to the square of what window T can move a shift at most.

    The shift is in units where the derivatives have none. With x = H^½ (dx, dy, log beta) and H_T
    the share P_T of H, whose trace is t, a move of x is (1 - P_T)⁻¹ v, where the square of v is at
    most t Σ_T w² r² by Cauchy and Schwarz. The information is that of derivatives at the nearest
    whole pixels: a margin of one block takes account of that. None where a window may hold all.
    """
    inverse = np.linalg.inv(as_matrices(information.sum(axis=(1, 2))))
    doubled = np.where(FIRST == SECOND, 1.0, 2.0) * inverse[FIRST, SECOND]
    padded = np.pad(np.tensordot(doubled, information, axes=1)[None], ((0, 0), (1, 1), (1, 1)))
    by_two = _add_neighbours(padded)
    in_y = by_two[:, :-2] + by_two[:, 2:]
    share = (in_y[:, :, :-2] + in_y[:, :, 2:])[0]
    if share.size == 0 or share.max() >= 1.0:
        return None
    farthest = float(np.linalg.eigvalsh(inverse[:2, :2])[-1])
    return np.asarray(farthest * share / (1 - share) ** 2)


def _stripes(weighted_residual: SingleImage, weighted: Weighted, energy: float) -> float:
    """Return the share of the energy of r in its means along rows or columns, from w² r."""
    # Products with ones: BLAS sums faster than NumPy.
    rows, columns = (np.ones(size, dtype=np.float32) for size in weighted.shape)
    sums = rows @ weighted_residual, weighted_residual @ columns
    striped = [float(line**2 @ rest) for line, rest in zip(sums, weighted.per_line, strict=True)]
    return max(striped) / energy if energy > 0 else 0.0


def _largest_move(parts: Sums, total: Sums, score: Sums, scale: float) -> float:
    """Return the largest move of dx and dy without one of the parts, (n, 3, 3) and (3, n)."""
    inverse = np.linalg.inv(total)
    share = np.einsum("ij,nji->n", inverse, parts)  # of the information that a window holds
    rough = np.hypot(*(inverse @ score)[:2]) / np.maximum(1 - share, LEAST_REST)
    chosen = np.argsort(-rough)[:CANDIDATES]
    rest, score = total - parts[chosen], score[:, chosen].T
    # A window that holds all there is about one of the numbers leaves nothing to fit.
    fitted = np.linalg.det(rest) > LEAST_REST**3 * np.linalg.det(total)
    without = np.linalg.inv(rest[fitted])
    moves = np.einsum("nij,nj->ni", without, score[fitted])[:, :2]
    noise = scale * (without - inverse)[:, (0, 1), (0, 1)].clip(0)
    lengths = np.hypot(*moves.T)
    return float(lengths[lengths > NOISY * np.sqrt(noise.max(axis=1))].max(initial=0.0))


def _add_neighbours(sums: Sums) -> Sums:
    """Sum blocks two by two, at every block."""
    in_y = sums[:, 1:] + sums[:, :-1]
    return np.asarray(in_y[:, :, 1:] + in_y[:, :, :-1])
