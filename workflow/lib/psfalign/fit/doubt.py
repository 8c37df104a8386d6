"""
Find doubtful shifts: those that depend on a small part of the image, or explain little of the psf.

A companion, a cosmic ray or stray light moves the fitted shifts of all pairs of an integration by
the same amount, so that closure (`psfalign.fit.closure`) cannot detect it. Three tests do.

*Influence.* If a small window T of the image is left out, the minimum of E moves by

    -(H - H_T)⁻¹ Σ_T w² r g,   H = Σ w² g gᵀ,   H_T = Σ_T w² g gᵀ,

which is one Gauss-Newton step (Cook & Weisberg 1982, Residuals and Influence in Regression,
section 3). Here r = p - beta S(s, d) is the residual, and g are the derivatives of beta S(s, d) by
(dx, dy, log beta). Noise in r of variance E / n causes moves with the covariance
E / n · ((H - H_T)⁻¹ - H⁻¹). The influence of a pair is the largest move of (dx, dy) among those
windows that move it by more than this noise does.

*Stripes.* Where each row (or column) of both images has an offset of its own, these offsets pull
the fit to the shift at which they agree. The move of the shift when the fit gives each line a free
offset is computed by the same step, from the components of g and r along the lines' means.

*Misfit.* A fit to something other than the star leaves most of the psf image unexplained.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Bools, SingleImage
from ..images.fourier import Shift
from .gradients import (
    BLOCK,
    FIRST,
    SECOND,
    Gradients,
    Shifted,
    Singles,
    Sums,
    Whole,
    as_matrices,
    sum_blocks,
    sum_products,
)
from .pair import Pair
from .result import PairFit, Status, least_curvature
from .spectral import Weighted

CANDIDATES = 64  # windows whose moves are computed exactly: those with the largest rough estimates
LEAST_REST = 0.01  # smallest share of the information (H) that must lie outside a window
NOISY = 3.0  # standard deviations; a smaller move may be noise
# The limits lie above the values of flight exposures with correct shifts (benchmarks/flight.py).
MOST_INFLUENCE = 0.036  # pixels
MOST_UNEXPLAINED = 0.5  # of the energy of the psf


@dataclass(frozen=True)
class Levels:
    """
    The move of a shift when each row, or each column, gets a free offset in the fit.

    Attributes
    ----------
    moves : (2, lines) float64
        The move of dx and dy for a unit Σ w² r along each line, for the scaled g of `Gradients`.
    noise
        Variance of the move along one axis for noise of variance 1.
    """

    moves: Sums
    noise: float

    @classmethod
    def of(cls, total: Sums, sums: Sums, per_line: SingleImage) -> "Levels":
        """Compute from H, (3, 3), and for each line Σ w² g, (3, lines), and 1 / Σ w², (lines,)."""
        shares = sums * per_line
        rest = total - shares @ sums.T
        if np.linalg.det(rest) <= LEAST_REST**3 * np.linalg.det(total):
            return cls(np.zeros((2, len(per_line))), 0.0)  # offsets explain nearly everything
        without = np.linalg.inv(rest)
        noise = float((without - np.linalg.inv(total)).diagonal()[:2].max())
        return cls((without @ shares)[:2], max(0.0, noise))

    def move(self, sums: SingleImage, scale: float) -> float:
        """Return the move for Σ w² r along lines; 0 if noise of variance ``scale`` explains it."""
        length = math.hypot(*(self.moves @ sums))
        return length if length > NOISY * math.sqrt(scale * self.noise) else 0.0


@dataclass(frozen=True)
class Windows:
    """
    The move of a shift if a window is left out of the fit, for the scaled g of `Gradients`.

    Attributes
    ----------
    total : (3, 3)
        H.
    parts : (6, rows, columns)
        H_T of each window, the upper triangle.
    shares : (rows, columns)
        The share of H that each window holds, the trace of H⁻¹ H_T.
    bounds : (rows, columns)
        The factor between Σ_T w² r² and an upper limit of the squared move.
    """

    total: Sums
    parts: Sums
    shares: Sums
    bounds: Sums

    @classmethod
    def of(cls, information: Sums) -> "Windows":
        """Compute from Σ w² g gᵀ over each block, (6, block rows, block columns)."""
        total = as_matrices(information.sum(axis=(1, 2)))
        parts, inverse = _add_neighbours(information), np.linalg.inv(total)
        shares = np.tensordot(_doubled(inverse), parts, axes=1)
        return cls(total, parts, shares, _bound_windows(information, inverse))

    def risky(self, energies: Sums, limit: float) -> Bools:
        """Return which windows may move a shift beyond a limit, from Σ w² r² over each block."""
        windows = _add_neighbours(energies[None])[0]
        # The bound of a window may be infinite; one without weight, as in a circle, is 0 × ∞.
        moves = np.multiply(self.bounds, windows, out=np.zeros_like(windows), where=windows > 0)
        return np.asarray(moves > limit**2)

    def move(self, chosen: Bools, score: Sums, scale: float) -> float:
        """
        Return the largest move of (dx, dy) that noise of variance ``scale`` does not explain.

        The score is Σ_T w² r g of each chosen window, (3, windows).
        """
        inverse, parts = np.linalg.inv(self.total), self.parts[:, chosen]
        outside = np.maximum(1 - self.shares[chosen], LEAST_REST)
        rough = np.hypot(*(inverse @ score)[:2]) / outside
        first = np.argpartition(rough, -min(CANDIDATES, len(rough)))[-CANDIDATES:]
        left, score = self.total - as_matrices(parts[:, first]), score[:, first].T
        # Without a window that holds nearly all information on a parameter, there is no fit.
        fitted = np.linalg.det(left) > LEAST_REST**3 * np.linalg.det(self.total)
        without = np.linalg.inv(left[fitted])
        moves = np.einsum("nij,nj->ni", without, score[fitted])[:, :2]
        noise = scale * (without - inverse)[:, (0, 1), (0, 1)].clip(0)
        lengths = np.hypot(*moves.T)
        return float(lengths[lengths > NOISY * np.sqrt(noise.max(axis=1))].max(initial=0.0))


@dataclass(frozen=True)
class Leverage:
    """How far windows, and free offsets of columns and of rows, can move a shift."""

    windows: Windows
    levels: tuple[Levels, Levels]

    @classmethod
    def of(cls, derivatives: Singles, weighted: Weighted) -> "Leverage":
        """Compute from the derivatives of a science image less its background, see `Gradients`."""
        windows = Windows.of(sum_products(derivatives, weighted.shares))
        products = weighted.shares * derivatives
        along = (products.sum(axis=axis, dtype=float) for axis in (1, 2))
        by_column, by_row = (
            Levels.of(windows.total, sums, per_line)
            for sums, per_line in zip(along, weighted.per_line, strict=True)
        )
        return cls(windows, (by_column, by_row))


@dataclass(frozen=True)
class Leverages:
    """
    How far parts of a science image can move a shift, computed once per whole-pixel shift.

    Attributes
    ----------
    gradients
        The derivatives of the science image.
    """

    gradients: Gradients
    _known: dict[Whole, Leverage] = field(default_factory=dict, init=False, repr=False)

    def at(self, fit: PairFit) -> Leverage:
        """Return the leverage at the whole-pixel shift that is nearest to a fit."""
        whole = round(fit.dy), round(fit.dx)
        if whole not in self._known:
            derivatives = self.gradients.at(whole)
            self._known[whole] = Leverage.of(derivatives, self.gradients.weighted)
        return self._known[whole]


def add_doubts(
    fits: Sequence[PairFit], pairs: Sequence[Pair | None], gradients: Gradients
) -> list[PairFit]:
    """Return the fits with `influence` and `doubtful`; those without a minimum are unchanged."""
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
    Return an upper limit of the error of a shift, √(E / H) by the Cauchy-Schwarz inequality.

    It is cheap, and where it is small, the influence need not be computed. Where errors are known,
    only the part of E that they do not explain counts; the variance of E itself is 2 E² / n.
    """
    excess = 1.0
    if fit.chi2 > 0:
        excess = max(abs(1 - 1 / fit.chi2), NOISY * math.sqrt(2 / fit.n_pixels))
    least = least_curvature(curvature)
    return math.sqrt(fit.cost * excess / least) if least > 0 else math.inf


def find_influence(fit: PairFit, pair: Pair, leverages: Leverages) -> float:
    """
    Return the largest move of a shift if a window is left out or lines get free offsets.

    The residual r and Σ_T w² r g are those of the fit; H and H_T are those of the nearest
    whole-pixel shift.

    Returns
    -------
    float
        Pixels; NaN where no window and no offsets can move the shift by `MOST_INFLUENCE`.
    """
    gradients, shares = leverages.gradients, pair.weighted.shares
    unit = fit.beta * gradients.peak * pair.weighted.peak / math.sqrt(pair.psf.energy)
    shifted = gradients.shifted(Shift(fit.dx, fit.dy))
    model = np.float32(unit) * shifted.image
    weighted = pair.weighted.single_span.subtract(pair.psf.image - model)
    energies = sum_blocks(shares * weighted**2)
    weighted *= shares
    leverage, scale = leverages.at(fit), float(energies.sum()) / pair.weighted.n_pixels
    by_levels = _move_by_levels(leverage, weighted, scale) / abs(unit)
    risky = leverage.windows.risky(energies, MOST_INFLUENCE * abs(unit))
    if not risky.any():
        return by_levels if by_levels > MOST_INFLUENCE else np.nan
    by_window = leverage.windows.move(risky, _scores(risky, weighted, shifted), scale)
    return max(by_levels, by_window / abs(unit))


def _scores(chosen: Bools, weighted: SingleImage, shifted: Shifted) -> Sums:
    """Return Σ_T w² r g of the chosen windows from w² r, (3, windows)."""
    rows = np.flatnonzero(chosen.any(axis=1))
    first, last = int(rows[0]), int(rows[-1]) + 1  # a window is a block and the next one
    lines = slice(BLOCK * first, BLOCK * (last + 1))
    sums = [sum_blocks(weighted[lines] * image) for image in shifted.derivatives(lines)]
    return np.asarray(_add_neighbours(np.stack(sums))[:, chosen[first:last]])


def _bound_windows(information: Sums, inverse: NDArray[np.floating]) -> Sums:
    """
    Return the factor between Σ_T w² r² and an upper limit of the squared move by window T.

    In the coordinates x = H^½ (dx, dy, log beta), the window's share of H is P_T = H^-½ H_T H^-½,
    with the trace t, and the move of x is (1 - P_T)⁻¹ v with v² <= t Σ_T w² r² by the
    Cauchy-Schwarz inequality. The derivatives are those at the nearest whole-pixel shift; a margin
    of one block around each window allows for the rest of the shift. The factor is infinite where
    a window may hold all information.
    """
    shares = np.tensordot(_doubled(inverse), information, axes=1)
    by_two = _add_neighbours(np.pad(shares[None], ((0, 0), (1, 1), (1, 1))))
    in_y = by_two[:, :-2] + by_two[:, 2:]
    share = (in_y[:, :, :-2] + in_y[:, :, 2:])[0]
    farthest, rest = float(np.linalg.eigvalsh(inverse[:2, :2])[-1]), 1 - share
    bounds = np.full(share.shape, np.inf)
    np.divide(farthest * share, rest**2, out=bounds, where=rest > 0)
    return bounds


def _move_by_levels(leverage: Leverage, weighted: SingleImage, scale: float) -> float:
    """Return the larger move by offsets of columns and of rows, from w² r and the noise of r."""
    # Sums are products with ones, because BLAS is faster than NumPy's sum.
    rows, columns = (np.ones(size, dtype=np.float32) for size in weighted.shape)
    sums = rows @ weighted, weighted @ columns
    return max(one.move(line, scale) for one, line in zip(leverage.levels, sums, strict=True))


def _doubled(matrix: NDArray[np.floating]) -> Sums:
    """Return the upper triangle of a symmetric matrix, (6,), with off-diagonal entries doubled."""
    return np.asarray(np.where(FIRST == SECOND, 1.0, 2.0) * matrix[FIRST, SECOND])


def _add_neighbours(sums: Sums) -> Sums:
    """Sum each block and its next neighbours to windows of two by two blocks."""
    in_y = sums[:, 1:] + sums[:, :-1]
    return np.asarray(in_y[:, :, 1:] + in_y[:, :, :-1])
