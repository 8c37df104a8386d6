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
agree. How far the shift moves where the fit gives each line a level of its own is the same step,
with what g and r have in common with the means of lines instead of a window's part.

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
    Singles,
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
MOST_UNEXPLAINED = 0.5  # of the energy of the psf


@dataclass(frozen=True)
class Levels:
    """
    How a shift moves where each row, or each column, has a level of its own in the fit.

    Attributes
    ----------
    moves : (2, lines)
        The move of dx and dy for each Σ w² r along a line, in units where g has none.
    noise
        The variance of a move along an axis for noise of variance 1.
    """

    moves: Sums
    noise: float

    @classmethod
    def of(cls, total: Sums, sums: Sums, per_line: SingleImage) -> "Levels":
        """Take H, (3, 3), Σ w² g along lines, (3, lines), and one over Σ w² along them."""
        shares = sums * per_line
        rest = total - shares @ sums.T
        if np.linalg.det(rest) <= LEAST_REST**3 * np.linalg.det(total):
            return cls(np.zeros((2, len(per_line))), 0.0)  # lines are all that there is
        without = np.linalg.inv(rest)
        noise = float((without - np.linalg.inv(total)).diagonal()[:2].max())
        return cls((without @ shares)[:2], max(0.0, noise))

    def move(self, sums: SingleImage, scale: float) -> float:
        """Return the move for sums of w² r along lines, 0 where noise of a variance explains it."""
        length = math.hypot(*(self.moves @ sums))
        return length if length > NOISY * math.sqrt(scale * self.noise) else 0.0


@dataclass(frozen=True)
class Leverage:
    """What windows, and levels of columns and of rows, can do to a shift."""

    windows: Sums | None
    levels: tuple[Levels, Levels]

    @classmethod
    def of(cls, derivatives: Singles, weighted: Weighted) -> "Leverage":
        """Take the derivatives of a science image, less the background."""
        information = sum_products(derivatives, weighted.shares)
        total, products = as_matrices(information.sum(axis=(1, 2))), weighted.shares * derivatives
        along = (products.sum(axis=axis, dtype=float) for axis in (1, 2))
        by_column, by_row = (
            Levels.of(total, sums, per_line)
            for sums, per_line in zip(along, weighted.per_line, strict=True)
        )
        return cls(_window_leverage(information), (by_column, by_row))


@dataclass(frozen=True)
class Leverages:
    """
    What parts of a science image can do to a shift; the same near the same whole pixels.

    Attributes
    ----------
    gradients
        The derivatives of the science image.
    """

    gradients: Gradients
    _known: dict[Whole, Leverage] = field(default_factory=dict, init=False, repr=False)

    def at(self, fit: PairFit) -> Leverage:
        """Return what they can do at a fit."""
        whole = round(fit.dy), round(fit.dx)
        if whole not in self._known:
            derivatives = self.gradients.at(whole)
            self._known[whole] = Leverage.of(derivatives, self.gradients.weighted)
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
            judged.append(_judge(fit, np.nan))
        else:
            judged.append(_judge(fit, find_influence(fit, pair, leverages)))
    return judged


def _judge(fit: PairFit, influence: float) -> PairFit:
    explained_by_noise = 1 / fit.chi2 if fit.chi2 > 0 else 0.0
    unexplained = fit.misfit * max(0.0, 1 - explained_by_noise)
    wrong = influence > MOST_INFLUENCE or unexplained > MOST_UNEXPLAINED
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


def find_influence(fit: PairFit, pair: Pair, leverages: Leverages) -> float:
    """
    Return how far the shift moves without the window, or with the levels, that it hangs on most.

    In pixels; NaN where nothing can move it far enough to matter.
    """
    gradients, shares = leverages.gradients, pair.weighted.shares
    unit = fit.beta * gradients.peak * pair.weighted.peak / math.sqrt(pair.psf.energy)
    moved = shift_spectrum(gradients.spectrum, shares.shape, Shift(fit.dx, fit.dy))
    moved *= np.float32(unit)
    model = irfft2(moved, s=shares.shape).astype(np.float32, copy=False)
    residual = pair.weighted.single_span.subtract(pair.psf.image - model)
    weighted = shares * residual
    energies = sum_blocks(weighted * residual)
    leverage, scale = leverages.at(fit), float(energies.sum()) / pair.weighted.n_pixels
    by_levels = _move_by_levels(leverage, weighted, scale) / abs(unit)
    if _bound_moves(leverage.windows, energies) < MOST_INFLUENCE * abs(unit):
        return by_levels if by_levels > MOST_INFLUENCE else np.nan
    # What the psf image is more than the residual is the model less its background.
    derivatives = derivatives_of(moved, pair.psf.image - residual)
    without_background(derivatives[:-1], pair.weighted)
    products = sum_products(derivatives, shares)
    scores = np.stack([sum_blocks(weighted * image) for image in derivatives])
    total = as_matrices(products.sum(axis=(1, 2)))
    parts = _add_neighbours(products).reshape(len(FIRST), -1)
    score = _add_neighbours(scores).reshape(N_PARAMETERS, -1)
    return max(by_levels, _largest_move(parts, total, score, scale))


def _bound_moves(leverage: Sums | None, energies: Sums) -> float:
    """Return what no window can move a shift beyond, in units where the derivatives have none."""
    if leverage is None:
        return math.inf
    return math.sqrt(max(0.0, (leverage * _add_neighbours(energies[None])[0]).max()))


def _window_leverage(information: Sums) -> Sums | None:
    """
    Return the factor from Σ_T w² r² to the square of what window T can move a shift at most.

    The shift is in units where the derivatives have none. With x = H^½ (dx, dy, log beta) and H_T
    the share P_T of H, whose trace is t, a move of x is (1 - P_T)⁻¹ v, where the square of v is at
    most t Σ_T w² r² by Cauchy and Schwarz. The information is that of derivatives at the nearest
    whole pixels: a margin of one block takes account of that. None where a window may hold all.
    """
    inverse = np.linalg.inv(as_matrices(information.sum(axis=(1, 2))))
    shares = np.tensordot(_doubled(inverse), information, axes=1)
    padded = np.pad(shares[None], ((0, 0), (1, 1), (1, 1)))
    by_two = _add_neighbours(padded)
    in_y = by_two[:, :-2] + by_two[:, 2:]
    share = (in_y[:, :, :-2] + in_y[:, :, 2:])[0]
    if share.size == 0 or share.max() >= 1.0:
        return None
    farthest = float(np.linalg.eigvalsh(inverse[:2, :2])[-1])
    return np.asarray(farthest * share / (1 - share) ** 2)


def _move_by_levels(leverage: Leverage, weighted: SingleImage, scale: float) -> float:
    """Return the larger move of the levels of columns and of rows, from w² r and its variance."""
    # Products with ones: BLAS sums faster than NumPy.
    rows, columns = (np.ones(size, dtype=np.float32) for size in weighted.shape)
    sums = rows @ weighted, weighted @ columns
    return max(one.move(line, scale) for one, line in zip(leverage.levels, sums, strict=True))


def _largest_move(parts: Sums, total: Sums, score: Sums, scale: float) -> float:
    """Return the largest move of dx and dy without one of the parts, (6, n) and (3, n)."""
    inverse = np.linalg.inv(total)
    share = _doubled(inverse) @ parts  # of the information that a window holds
    rough = np.hypot(*(inverse @ score)[:2]) / np.maximum(1 - share, LEAST_REST)
    chosen = np.argpartition(rough, -min(CANDIDATES, len(rough)))[-CANDIDATES:]
    rest, score = total - as_matrices(parts[:, chosen]), score[:, chosen].T
    # A window that holds all there is about one of the numbers leaves nothing to fit.
    fitted = np.linalg.det(rest) > LEAST_REST**3 * np.linalg.det(total)
    without = np.linalg.inv(rest[fitted])
    moves = np.einsum("nij,nj->ni", without, score[fitted])[:, :2]
    noise = scale * (without - inverse)[:, (0, 1), (0, 1)].clip(0)
    lengths = np.hypot(*moves.T)
    return float(lengths[lengths > NOISY * np.sqrt(noise.max(axis=1))].max(initial=0.0))


def _doubled(matrix: NDArray[np.floating]) -> Sums:
    """Return the upper triangle of a symmetric matrix, (6,), those twice that stand twice in it."""
    return np.asarray(np.where(FIRST == SECOND, 1.0, 2.0) * matrix[FIRST, SECOND])


def _add_neighbours(sums: Sums) -> Sums:
    """Sum blocks two by two, at every block."""
    in_y = sums[:, 1:] + sums[:, :-1]
    return np.asarray(in_y[:, :, 1:] + in_y[:, :, :-1])
