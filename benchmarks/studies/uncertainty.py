"""
Compare the errors of fitted numbers with their uncertainties, and with the least possible ones.

Draws come in pairs with opposite noise, in whose means all errors of first order cancel: what
remains is the bias, known far better than from as many independent draws. RMS errors and pulls are
compared with those of the linear estimate from the same noise, whose RMS over all noise is known
exactly, so that chance hardly counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from report import Report

from .observe import FLOOR, Parameters, Scene, Truth, fit_pair
from .pictures import GREY, ORANGE, save
from psfalign.fit.result import Status
from psfalign.images.arrays import Image, Weighting
from psfalign.images.fourier import Shift, shift_image

SHIFT, BETA = Shift(1.3, -0.7), 1.4
# Noise of a pixel over the star's brightest pixel that is seen. In the flight exposures that is
# 0.0002 to 0.003 with NIRCam, 0.004 to 0.014 with MIRI.
WHITE = (3e-4, 1e-3, 3e-3, 1e-2)
BOTH_MASKS = 1e-3  # the level at which the mask is tried as it is, too
PHOTON = (3e-3, 1e-2, 3e-2)  # that of the brightest pixel
COLUMNS = ("scene", "noise", "weighting", "", "sigma", "bias / sigma", "pulls", "RMS / bound")
NAMES = ("dx", "dy", "beta")
WEIGHTINGS: tuple[Weighting, Weighting] = ("mask", "inverse_variance")

Errors = NDArray[np.float64]  # (2, pairs of draws, (dx, dy, beta))


@dataclass(frozen=True)
class Sample:
    """
    Errors of many fits, those of opposite noise side by side.

    Attributes
    ----------
    errors, raw : (2, pairs, 3) float64
        Fit minus truth of dx, dy and beta, with and without the biases of the table taken off.
    sigmas : (2, pairs, 3) float64
        What the fits say about their errors.
    linear : (pairs, 3) float64
        Errors of the linear estimate.
    expected : (3,) float64
        Their exact RMS.
    n_failed
        Fits that did not end with the status ok.
    """

    errors: Errors
    raw: Errors
    sigmas: Errors
    linear: NDArray[np.float64]
    expected: Parameters
    n_failed: int

    @property
    def sigma(self) -> Parameters:
        """Typical uncertainty."""
        return np.median(self.sigmas, axis=(0, 1))

    def bias(self, errors: Errors) -> tuple[Parameters, Parameters]:
        """Return the mean error over sigma, and its own uncertainty."""
        means = errors.mean(axis=0) / self.sigma
        return means.mean(axis=0), means.std(axis=0) / np.sqrt(len(means))

    @property
    def pulls(self) -> Parameters:
        """Standard deviation of errors over uncertainties, by way of the linear estimate."""
        by_chance = np.sqrt(np.mean((self.linear / self.expected) ** 2, axis=0))
        return np.std(self.errors / self.sigmas, axis=(0, 1)) / by_chance

    @property
    def rms(self) -> Parameters:
        """RMS error, by way of the linear estimate."""
        ratio = np.mean(self.errors**2, axis=(0, 1)) / np.mean(self.linear**2, axis=0)
        return np.sqrt(ratio) * self.expected


def sample(
    truth: Truth, weight: Image, n_pairs: int, *, weighting: Weighting, estimated: bool, seed: int
) -> Sample:
    """Fit many draws."""
    rng = np.random.default_rng(seed)
    estimate = _linear(truth, weight, weighting)
    expected = np.sqrt(sum((v * a**2).sum(axis=(1, 2)) for v, a in estimate))
    errors, raw, sigmas, linear, n_failed = [], [], [], [], 0
    for _ in range(n_pairs):
        noise = rng.normal(size=(2, *weight.shape))
        linear.append(
            sum(
                (np.sqrt(v) * n * a).sum(axis=(1, 2))
                for (v, a), n in zip(estimate, noise, strict=True)
            )
        )
        for sign in (1, -1):
            frames = truth.draw(sign * noise, estimated=estimated)
            fit = fit_pair(*frames, weight, weighting=weighting)
            n_failed += fit.status is not Status.OK
            found = np.array([fit.dx, fit.dy, fit.beta])
            raw.append(found - truth.parameters)
            errors.append(raw[-1] - [fit.dx_bias, fit.dy_bias, fit.beta_bias])
            sigmas.append([fit.sigma_dx, fit.sigma_dy, fit.sigma_beta])
    by_pair = (np.array(a).reshape(n_pairs, 2, 3).swapaxes(0, 1) for a in (errors, raw, sigmas))
    return Sample(*by_pair, np.array(linear), expected, n_failed)


def _linear(truth: Truth, weight: Image, weighting: Weighting) -> list[tuple[Image, Errors]]:
    """Return the variance of both images, and what a unit of noise in a pixel does to the fit."""
    square = weight**2
    if weighting == "inverse_variance":
        square = square / truth.residual_variance
    g = truth.derivatives
    curvature = np.einsum("ijk,ljk,jk->il", g, g, square)
    of_psf = np.tensordot(np.linalg.inv(curvature), square * g, axes=1)
    back = Shift(-truth.shift.dx, -truth.shift.dy)
    of_science = np.stack([-truth.beta * shift_image(a, back) for a in of_psf])
    return [(truth.science_variance, of_science), (truth.psf_variance, of_psf)]


@dataclass(frozen=True)
class Line:
    """One way to fit one scene with one noise, and what came out."""

    scene: Scene
    level: float
    label: str
    found: Sample
    bound: Parameters

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells of a table, a row for dx, dy and beta each."""
        found, rows = self.found, []
        mean, error = found.bias(found.errors)
        uncorrected, _ = found.bias(found.raw)
        label = f"{self.label}, {found.n_failed} failed" if found.n_failed else self.label
        for i, name in enumerate(NAMES):
            bias = f"{mean[i]:+.3f} ± {error[i]:.3f}"
            if uncorrected[i] != mean[i]:
                bias += f" ({uncorrected[i]:+.3f})"
            pulls, rms = f"{found.pulls[i]:.2f}", f"{found.rms[i] / self.bound[i]:.3f}"
            head = (self.scene.name, f"{self.level:g}", label) if i == 0 else ("", "", "")
            rows.append((*head, name, f"{found.sigma[i]:.2g}", bias, pulls, rms))
        return rows


def study(report: Report, scenes: list[Scene], n_pairs: int) -> None:
    """Print the tables of white and of photon noise."""
    report.say(
        "## Uncertainties",
        "",
        f"{2 * n_pairs} draws each, in {n_pairs} pairs of opposite noise; true shift",
        f"{tuple(SHIFT)} pixels, flux ratio {BETA}. Noise: of a pixel, over the star's brightest",
        "pixel that is seen. Sigma: the median of what the fits say, pixels. Bias: mean error,",
        "with its own uncertainty, with dx_bias, dy_bias and beta_bias taken off; in brackets",
        "without.",
        "Pulls: standard deviation of errors over uncertainties. Bound: that of Cramér and Rao",
        "over all pixels of weight above 0.5. Pulls and RMS are relative to those of a linear",
        "estimate from the same noise.",
        "",
        "### White noise",
        "",
    )
    white = [line for scene in scenes for line in _white(scene, n_pairs)]
    report.table(COLUMNS, [row for line in white for row in line.rows])
    report.say(
        "### Photon noise",
        "",
        f"Variance proportional to the flux, on a floor of {FLOOR:g} of that at the peak. The mask",
        "is that of 0 or 1, so that only the weighting is compared. True errors: ERR holds the",
        "standard deviation of the noise; estimated: it is computed from the noisy pixels, as a",
        "pipeline does.",
        "",
    )
    photon = [line for scene in scenes for line in _photon(scene, n_pairs)]
    report.table(COLUMNS, [row for line in photon for row in line.rows])
    _draw(white)


def _white(scene: Scene, n_pairs: int) -> Iterator[Line]:
    hard = scene.hard().weight
    for level in WHITE:
        truth = Truth.white(scene.star, SHIFT, BETA, level)
        bound = truth.bound(hard)
        for weighting in WEIGHTINGS:
            found = sample(truth, hard, n_pairs, weighting=weighting, estimated=False, seed=1)
            yield Line(scene, level, f"{weighting}, 0 or 1", found, bound)
        if level == BOTH_MASKS:
            soft = sample(truth, scene.weight, n_pairs, weighting="mask", estimated=False, seed=1)
            yield Line(scene, level, "mask as it is", soft, bound)


def _photon(scene: Scene, n_pairs: int) -> Iterator[Line]:
    hard = scene.hard().weight
    for level in PHOTON:
        truth = Truth.photon(scene.star, SHIFT, BETA, level)
        for label, weighting, estimated in (
            ("mask", WEIGHTINGS[0], False),
            ("inverse_variance, true errors", WEIGHTINGS[1], False),
            ("inverse_variance, estimated errors", WEIGHTINGS[1], True),
        ):
            found = sample(truth, hard, n_pairs, weighting=weighting, estimated=estimated, seed=1)
            yield Line(scene, level, label, found, truth.bound(hard))


def _draw(lines: list[Line]) -> None:
    """Show bias and RMS error along rows by the noise."""
    figure = Figure(figsize=(8, 3.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if line.label != "mask as it is":
            groups.setdefault((line.scene.name, line.label.split(",")[0]), []).append(line)
    for (scene, weighting), group in groups.items():
        colour = {"mask": GREY, "inverse_variance": ORANGE}[weighting]
        marker, style = ("o", "-") if scene.startswith("NIRCAM") else ("s", "--")
        looks = {"color": colour, "marker": marker, "linestyle": style, "markersize": 4}
        levels, samples = [line.level for line in group], [line.found for line in group]
        left.errorbar(levels, *_bias_of_dy([(s, s.errors) for s in samples]), **looks)
        ratios = [line.found.rms[1] / line.bound[1] for line in group]
        right.plot(levels, ratios, label=f"{scene}, {weighting}", **looks)
        if weighting == "mask":
            looks |= {"markerfacecolor": "white", "linewidth": 0.8}
            raw = _bias_of_dy([(s, s.raw) for s in samples])
            left.errorbar(levels, *raw, label=f"{scene}, mask without dy_bias", **looks)
    left.axhline(0.05, color="black", linewidth=0.5)
    left.set(title="Bias of dy over sigma", xscale="log", ylim=(-0.05, 1.8))
    right.axhline(1.05, color="black", linewidth=0.5)
    right.set(title="RMS error of dy over the bound", xscale="log", ylim=(0.95, 1.5))
    for axes in (left, right):
        axes.set_xlabel("white noise over brightest pixel")
        axes.legend(frameon=False, fontsize=8)
    save(figure, "uncertainties")


def _bias_of_dy(samples: list[tuple[Sample, Errors]]) -> tuple[Parameters, Parameters]:
    """Return its size at each level, and its uncertainty."""
    biases = np.array([[value[1] for value in found.bias(errors)] for found, errors in samples])
    return np.abs(biases[:, 0]), biases[:, 1]
