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

*Misfit.* A fit that has found something else than the star leaves most of the psf unexplained.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.fft import irfft2
from numpy.typing import NDArray

from ..images.arrays import SingleImage
from ..images.fourier import Shift, shift_spectrum
from .pair import Pair
from .polynomials import gradient_rates
from .result import N_PARAMETERS, PairFit, Status

BLOCK = 4  # pixels; a window is two blocks wide and high, as large as a companion is at 2 to 4 λ/D
NOISY = 3.0  # standard deviations, up to which a window's move may be noise
MOST_INFLUENCE = 0.04  # pixels; flight exposures whose shifts are right have at most 0.035
MOST_UNEXPLAINED = 0.5  # of the energy of the psf; flight exposures with a background have 0.43
FIRST, SECOND = np.triu_indices(N_PARAMETERS)

Sums = NDArray[np.float64]
Singles = NDArray[np.float32]


def add_doubts(
    fits: Sequence[PairFit], pairs: Sequence[Pair | None], derivatives: NDArray[np.float64]
) -> list[PairFit]:
    """
    Return the fits of one integration with `influence` and `doubtful`, where they have a minimum.

    Parameters
    ----------
    fits, pairs
        The fits, and what was fitted.
    derivatives : (3, rows, columns) float64
        Of the science image, see `psfalign.fit.noise.science_derivatives`.
    """
    steepest: dict[int, float] = {}  # pairs of one weight share it
    judged = []
    for fit, pair in zip(fits, pairs, strict=True):
        if pair is None or fit.curvature is None:
            judged.append(fit)
            continue
        key = id(pair.weighted)
        if key not in steepest:
            steepest[key] = _steepest_window(derivatives, pair)
        bound = _bound_influence(fit, fit.curvature, steepest[key])
        influence = np.nan if bound < MOST_INFLUENCE else find_influence(fit, pair)
        judged.append(_judge(fit, influence))
    return judged


def _judge(fit: PairFit, influence: float) -> PairFit:
    explained_by_noise = 1 / fit.chi2 if fit.chi2 > 0 else 0.0
    unexplained = fit.misfit * max(0.0, 1 - explained_by_noise)
    wrong = influence > MOST_INFLUENCE or unexplained > MOST_UNEXPLAINED
    return replace(fit, influence=influence, doubtful=wrong and fit.status is Status.OK)


def _steepest_window(derivatives: NDArray[np.float64], pair: Pair) -> float:
    """Return the largest sum of w² (g_x² + g_y²) over a window, for beta = 1 and no shift."""
    along_x, along_y = derivatives[:2]
    squares = pair.weighted.squared * (along_x**2 + along_y**2)
    return float(_windows(squares[None]).max())


def _bound_influence(fit: PairFit, curvature: NDArray[np.float64], steepest: float) -> float:
    """
    Return what the influence cannot exceed, by Cauchy and Schwarz: √(E Σ_T w² g²) / H.

    It costs nothing, and spares the rest where the residual is too small to hold a large move.
    The window is taken twice as steep as it is without a shift of the weight.
    """
    least = float(np.linalg.eigvalsh(curvature[:2, :2])[0])
    share = 2 * fit.beta**2 * steepest / least
    return float(np.sqrt(fit.cost * share / least) / (1 - share)) if 0 < share < 1 else np.inf


def find_influence(fit: PairFit, pair: Pair) -> float:
    """
    Return how far the shift moves where the window that it hangs on most is left out, pixels.

    A move is a few hundredths of a pixel where it matters: single precision is plenty.
    """
    residual, derivatives = _linearise(fit, pair)
    weighted = pair.weighted.shares * derivatives
    score = _windows(weighted * residual)
    products = _blocks(weighted[FIRST] * derivatives[SECOND])
    total = _matrix(products.sum(axis=(1, 2)))
    rest = total - _matrix(_add_neighbours(products).reshape(len(FIRST), -1))
    scale = float(np.vdot(pair.weighted.shares, residual**2)) / pair.weighted.n_pixels
    return _largest_move(rest, total, score.reshape(N_PARAMETERS, -1), scale)


def _linearise(fit: PairFit, pair: Pair) -> tuple[SingleImage, Singles]:
    """
    Return r and g, (3, rows, columns), by shift and logarithm of beta.

    The psf is scaled to Σ w² p² = 1, and the weight to a largest value of 1.
    """
    science, shape = pair.science, pair.science.shape
    unit = fit.beta * pair.weighted.peak / np.sqrt(pair.psf.energy)
    moved = shift_spectrum(unit * science.spectrum, shape, Shift(fit.dx, fit.dy))
    single, (in_x, in_y) = moved.astype(np.complex64), gradient_rates(shape)
    spectra = np.stack([single * in_x, single * in_y[:, None], single], dtype=np.complex64)
    derivatives: Singles = irfft2(spectra, s=shape).astype(np.float32, copy=False)
    if pair.weighted.centred:
        shares = pair.weighted.shares
        means = np.einsum("ijk,jk->i", derivatives, shares) / shares.sum()
        derivatives -= means[:, None, None]
    return pair.psf.image - derivatives[2], derivatives


def _largest_move(rest: Sums, total: Sums, score: Sums, scale: float) -> float:
    inverse = np.linalg.inv(total)
    steepness = np.diag(total)
    # A window that holds all there is about one of the numbers leaves nothing to fit.
    fitted = np.linalg.det(rest) > 1e-6 * np.prod(steepness)
    if not fitted.any():
        return np.inf
    rest, score = rest[fitted], score[:, fitted].T
    without = np.linalg.inv(rest)
    moves = np.einsum("nij,nj->ni", without, score)[:, :2]
    noise = scale * (without - inverse)[:, (0, 1), (0, 1)].clip(0)
    lengths = np.hypot(*moves.T)
    return float(lengths[lengths > NOISY * np.sqrt(noise.max(axis=1))].max(initial=0.0))


def _windows(maps: Singles | Sums) -> Sums:
    return _add_neighbours(_blocks(maps))


def _blocks(maps: Singles | Sums) -> Sums:
    """Sum maps (n, rows, columns) over blocks; the last ones are smaller where they end."""
    rows, columns = (np.arange(0, size, BLOCK) for size in maps.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=1), columns, axis=2)
    return sums.astype(np.float64)


def _add_neighbours(sums: Sums) -> Sums:
    """Sum blocks two by two, at every block."""
    in_y = sums[:, 1:] + sums[:, :-1]
    return np.asarray(in_y[:, :, 1:] + in_y[:, :, :-1])


def _matrix(entries: Sums) -> Sums:
    """Arrange (6, …) as symmetric matrices (…, 3, 3)."""
    made = np.empty((*entries.shape[1:], N_PARAMETERS, N_PARAMETERS))
    made[..., FIRST, SECOND] = made[..., SECOND, FIRST] = np.moveaxis(entries, 0, -1)
    return made
