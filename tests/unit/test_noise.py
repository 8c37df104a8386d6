"""Uncertainties agree with the scatter of fits, for all kinds of noise and weights."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.fft import rfft2
from simulate import Image, noise, read_only, scene, shifted, transmission

from psfalign.fit.energy import NoiseTerm
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.noise import _true_scale
from psfalign.fit.pair import Pair, fit_pair
from psfalign.fit.polynomials import Jet
from psfalign.fit.result import PairFit, Status
from psfalign.fit.spectral import Psf, Science, Weighted
from psfalign.fit.weighting import pair_weight
from psfalign.images.arrays import Weighting
from psfalign.images.fourier import Shift, shift_variance
from psfalign.images.frames import Frame
from psfalign.images.padding import pad_image, pad_weight

SHAPE = (26, 31)
OFFSET, BETA = (0.4, -0.3), 1.4
DRAWS = 400
# Of 400 draws, a standard deviation scatters by 0.035 of itself and a mean by 0.05 sigma; what the
# documentation promises is 1 ± 0.1.
STD_TOLERANCE, MEAN_TOLERANCE = 0.1, 0.15


def draw(mean: Image, variance: Image, seed: int, *, variance_known: bool = True) -> Frame:
    image = mean + np.sqrt(variance) * noise(mean.shape, seed=seed)
    known = read_only(variance.copy()) if variance_known else None
    return Frame(read_only(image), np.zeros(mean.shape, dtype=bool), known)


def fit_one(science: Frame, psf: Frame, weight: Image, **options) -> PairFit:
    return next(
        fit_shifts(
            [science], [psf], weight, options=FitOptions(**{"background": "none", **options})
        )
    )[0]


def pulls(found: list[PairFit]) -> np.ndarray:
    assert {fit.status for fit in found} == {Status.OK}
    errors = [
        (f.dx - f.dx_bias - OFFSET[0], f.dy - f.dy_bias - OFFSET[1], f.beta - f.beta_bias - BETA)
        for f in found
    ]
    return np.array(errors) / [(f.sigma_dx, f.sigma_dy, f.sigma_beta) for f in found]


def photon_noise() -> tuple[Image, Image, Image, Image]:
    """Scene, psf, and their variances: the brightest pixels are ten times as noisy as the sky."""
    star = 3 * scene(SHAPE, seed=3).clip(0)
    psf = BETA * shifted(star, OFFSET)
    return star, psf, 1 + star / 3, 1 + psf.clip(0) / 3


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
def test_pulls_of_photon_noise_in_both_images(weighting: Weighting) -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    found = [
        fit_one(
            draw(star, star_variance, 2 * seed),
            draw(psf, psf_variance, 2 * seed + 1),
            transmission(SHAPE),
            weighting=weighting,
        )
        for seed in range(DRAWS)
    ]
    scatter = pulls(found)
    np.testing.assert_allclose(scatter.std(axis=0), 1, rtol=0, atol=STD_TOLERANCE)
    np.testing.assert_allclose(scatter.mean(axis=0), 0, rtol=0, atol=MEAN_TOLERANCE)


def test_weights_that_hardly_count_do_not_make_errors_smaller() -> None:
    """Real masks hold 1e-5 behind the occulter: such pixels have weight, but say nothing."""
    star, psf, _, _ = photon_noise()
    flat, weight = np.ones(SHAPE), np.full(SHAPE, 1e-5)
    weight[:, :16] = 1.0
    found = [
        fit_one(
            draw(star, 1e-12 * flat, seed, variance_known=False),
            draw(psf, flat, seed + DRAWS, variance_known=False),
            weight,
        )
        for seed in range(DRAWS)
    ]
    sigma = np.array([(f.sigma_dx, f.sigma_dy) for f in found]).mean(axis=0)
    scatter = np.std([(f.dx, f.dy) for f in found], axis=0)
    np.testing.assert_allclose(scatter, sigma, rtol=STD_TOLERANCE)


def test_inverse_variance_is_nearer_the_bound_than_the_mask() -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    pair = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    mask, best = (
        fit_one(*pair, np.ones(SHAPE), weighting=weighting)
        for weighting in ("mask", "inverse_variance")
    )
    assert best.sigma_dx < 0.9 * mask.sigma_dx
    assert best.sigma_dy < 0.9 * mask.sigma_dy


def test_errors_that_are_all_too_small_do_not_make_uncertainties_too_small() -> None:
    """The scale of the noise is that of the residual; the errors give its distribution."""
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    honest = fit_one(science, image, transmission(SHAPE))
    boasting = fit_one(
        Frame(science.image, None, star_variance / 100),
        Frame(image.image, None, psf_variance / 100),
        transmission(SHAPE),
    )
    assert boasting.sigma_dx == pytest.approx(honest.sigma_dx, rel=1e-5)


def test_pixel_without_flux_is_no_scale() -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    science = draw(star, star_variance, 1)
    dark = science.image.copy()
    dark[0, 0] = 0.0
    found, usual = (
        fit_one(Frame(image, None, star_variance), draw(psf, psf_variance, 2), transmission(SHAPE))
        for image in (dark, science.image)
    )
    assert found.sigma_dx == pytest.approx(usual.sigma_dx, rel=0.01)  # of a thousand pixels


@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_unit_of_flux_changes_no_uncertainty_of_the_shift(unit: float) -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    one, other = (
        fit_one(
            Frame(science.image * u, None, star_variance * u**2),
            Frame(image.image * u, None, psf_variance * u**2),
            transmission(SHAPE),
        )
        for u in (1.0, unit)
    )
    assert other.sigma_dx == pytest.approx(one.sigma_dx, rel=1e-5)  # of single precision
    assert other.beta_bias == pytest.approx(one.beta_bias, rel=1e-9)


@pytest.mark.parametrize("offset", [OFFSET, (2.4, -0.3)])
def test_psf_without_errors_takes_them_from_no_other(offset: tuple[float, float]) -> None:
    """Be it at the same whole-pixel shift or at another."""
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    unknown = Frame(shifted(psf, (offset[0] - OFFSET[0], offset[1] - OFFSET[1])))
    alone, other = (
        next(
            fit_shifts([science], psfs, transmission(SHAPE), options=FitOptions(background="none"))
        )[0]
        for psfs in ([image], [image, unknown])
    )
    assert other == alone


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_unit_of_the_science_image_alone_changes_no_uncertainty_of_the_shift(unit: float) -> None:
    """Its noise counts with beta², which is in the other unit then."""
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    one, other = (
        fit_one(Frame(science.image * u, None, star_variance * u**2), image, transmission(SHAPE))
        for u in (1.0, unit)
    )
    # Noise spreads in single precision.
    assert (other.sigma_dx, other.sigma_dy) == pytest.approx((one.sigma_dx, one.sigma_dy), rel=1e-5)
    assert unit * other.sigma_beta == pytest.approx(one.sigma_beta, rel=1e-5)
    assert (other.dx_bias, other.dy_bias) == pytest.approx((one.dx_bias, one.dy_bias), rel=1e-5)


def test_bias_is_known_only_where_the_errors_of_both_images_are() -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    assert fit_one(science, image, transmission(SHAPE)).beta_bias < 0
    unknown = Frame(science.image), Frame(image.image)
    for pair in ((science, unknown[1]), (unknown[0], image), unknown):
        found = fit_one(*pair, transmission(SHAPE))
        assert found.status is Status.OK
        assert np.isnan([found.dx_bias, found.dy_bias, found.beta_bias]).all()


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
@pytest.mark.parametrize("factor", [1 / 3, 1.5, 2.0, 3.0])
def test_errors_that_are_all_wrong_by_a_factor_change_nothing(
    factor: float, weighting: Weighting
) -> None:
    """Be they larger or smaller: N is scaled as uncertainties are."""
    star, psf, star_variance, psf_variance = photon_noise()
    frames = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    wrong = [Frame(f.image, f.replaced, factor**2 * f.variance) for f in frames]
    one, other = (
        fit_one(*pair, transmission(SHAPE), weighting=weighting) for pair in (frames, wrong)
    )
    if factor < 0.5:  # then the residual holds more than noise, as far as anybody can tell
        assert np.isnan([other.dx_bias, other.dy_bias, other.beta_bias]).all()
        return
    names = ("dx", "dy", "beta", "sigma_dx", "sigma_dy", "sigma_beta")
    names += ("dx_bias", "dy_bias", "beta_bias")
    expected = [getattr(one, name) for name in names]
    # Noise spreads in single precision.
    assert [getattr(other, name) for name in names] == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert other.noise_scale == pytest.approx(one.noise_scale / factor**2, rel=1e-6)


@pytest.mark.parametrize("shape", [(26, 31), (27, 30), (26, 30), (27, 31)])
def test_noise_adds_the_variance_of_the_shifted_image_to_the_energy(
    shape: tuple[int, int],
) -> None:
    variance, weight, shift = scene(shape, seed=4) ** 2, transmission(shape), Shift(1.7, -0.4)
    term = NoiseTerm.of(rfft2(variance), rfft2(weight**2), variance.shape)
    moved = shift_variance(rfft2(variance), shape, shift)
    assert term.at(shift).value == pytest.approx(np.sum(weight**2 * moved), rel=1e-12)


@pytest.mark.parametrize("shape", [(26, 31), (26, 30), (1, 6), (2, 2), (3, 1)])
def test_noise_on_nodes_is_exact_for_white_variance(shape: tuple[int, int]) -> None:
    variance, weight = noise(shape, seed=4) ** 2, np.abs(noise(shape, seed=5))
    dx, dy = np.array([0.3, -1.5, 2.0]), np.array([0.7, 1.0])
    term = NoiseTerm.of(rfft2(variance), rfft2(weight**2), variance.shape)
    by_pixel = [
        [np.sum(weight**2 * shift_variance(rfft2(variance), shape, Shift(x, y))) for x in dx]
        for y in dy
    ]
    np.testing.assert_allclose(term.on_nodes(dx, dy), by_pixel, rtol=1e-13)


@pytest.mark.parametrize("small", [1e-4, 1e-5])
def test_bias_is_the_way_to_the_fit_without_the_energy_of_noise(small: float) -> None:
    """It is a step of Newton's, whose error is of second order: a hundredth for a tenth."""
    star, psf, star_variance, psf_variance = photon_noise()
    frames = draw(star, small * star_variance, 1), draw(psf, small * psf_variance, 2)
    weighted = Weighted(transmission(SHAPE))
    found = fit_one(*frames, weighted.weight)
    noise = NoiseTerm.of(rfft2(small * star_variance), weighted.spectrum, SHAPE)
    pair = Pair(Science.of(frames[0].image, weighted), Psf.of(frames[1].image, weighted), weighted)
    less = replace(pair, noise=noise, noise_scale=found.noise_scale)
    plain, corrected = (fit_pair(p, max_shift=2) for p in (pair, less))
    bias = np.array([found.dx_bias, found.dy_bias, found.beta_bias])
    moved = [getattr(plain, name) - getattr(corrected, name) for name in ("dx", "dy", "beta")]
    assert (np.abs(bias) > 1e-9).all()
    np.testing.assert_allclose(moved, bias, rtol=10 * small, atol=1e-11)


# Standard deviations of the noise of both images: where there is much, no step is to be trusted.
@pytest.mark.parametrize("unit", [1.0, 2.0**-20])
@pytest.mark.parametrize(("level", "is_known"), [(2.0, True), (7.0, True), (30.0, False)])
def test_bias_of_much_noise_is_newtons_step(level: float, is_known: bool, unit: float) -> None:
    """To the minimum of E - beta² N, whose derivatives are taken from sums over pixels here."""
    star, psf, star_variance, psf_variance = photon_noise()
    variances = (unit * level) ** 2 * star_variance, (unit * level) ** 2 * psf_variance
    frames = [draw(unit * i, v, k) for i, v, k in zip((star, psf), variances, (1, 2), strict=True)]
    mask, step = transmission(SHAPE), 1e-3
    found = fit_one(*frames, mask, max_shift=2)

    def energies(numbers: np.ndarray) -> np.ndarray:
        """E, and E - beta² N."""
        dx, dy, beta = numbers
        residual = frames[1].image - beta * shifted(frames[0].image, (dx, dy))
        moved = found.noise_scale * shift_variance(rfft2(variances[0]), SHAPE, Shift(dx, dy))
        whole = np.sum((mask * residual) ** 2)
        return np.array([whole, whole - beta**2 * np.sum(mask**2 * moved)])

    at, steps = np.array([found.dx, found.dy, found.beta]), step * np.eye(3)
    slope = np.array([energies(at + a) - energies(at - a) for a in steps])[:, 1] / (2 * step)
    corners = [[(at + a + b, at + a - b, at - a + b, at - a - b) for b in steps] for a in steps]
    signs = np.array([1, -1, -1, 1])
    bends = np.array([[signs @ [*map(energies, c)] for c in row] for row in corners])
    whole, less = np.moveaxis(bends / (4 * step**2), -1, 0)
    # The step is trusted where it leaves 0.7 of the curvature in all directions.
    assert (np.linalg.eigvalsh(less - 0.7 * whole) > 0).all() == is_known
    # Differences err by step² times a fourth derivative, some (π/4)² of the second each.
    expected = np.linalg.solve(less, slope) if is_known else [np.nan] * 3
    biases = [found.dx_bias, found.dy_bias, found.beta_bias]
    np.testing.assert_allclose(biases, expected, rtol=1e-4)


def test_scale_of_noise_is_that_of_the_right_flux_ratio() -> None:
    """Noise, 1.7 times what errors say, is added to the energies of a fit that is perfect."""
    of_psf, of_science, true, energy = 30.0, 20.0, 1.7, 100.0
    a, b, c = BETA**2 * energy + true * of_psf, BETA * energy, energy + true * of_science
    beta, cost = b / c, a - b**2 / c
    fit = PairFit(beta=beta, cost=cost, curvature=np.diag([1.0, 1.0, c]))
    expected = np.array([of_psf + beta**2 * of_science])
    noises = [Jet(of_science, 0.0, 0.0, 0.0, 0.0, 0.0)]
    of_fit = cost / expected
    assert of_fit > 1.1 * true  # as its beta is too small
    found = _true_scale([fit], expected, noises, of_fit)
    np.testing.assert_allclose(found, [true], rtol=1e-12)


def test_flux_ratio_is_right_where_its_bias_is_many_sigma() -> None:
    """The mean of 150 draws scatters by a twelfth of their scatter, 1.1 sigma."""
    star, psf, *variances = photon_noise()
    frames = [
        [
            draw(i, 36 * v, 2 * seed + k)
            for k, (i, v) in enumerate(zip((star, psf), variances, strict=True))
        ]
        for seed in range(150)
    ]
    found = [fit_one(*pair, transmission(SHAPE)) for pair in frames]
    assert np.mean([fit.beta_bias / fit.sigma_beta for fit in found]) < -4
    assert abs(pulls(found)[:, 2].mean()) < 3 * 1.1 / np.sqrt(150)


@pytest.mark.parametrize("weighting", ["mask", "inverse_variance"])
def test_bias_of_a_residual_beyond_noise_is_not_known(weighting: Weighting) -> None:
    """Speckles that differ leave more than four times what noise does."""
    star, psf, star_variance, psf_variance = photon_noise()
    other = psf + 15 * noise(SHAPE, seed=7)
    found = fit_one(
        draw(star, star_variance, 1),
        draw(other, psf_variance, 2),
        transmission(SHAPE),
        weighting=weighting,
    )
    assert found.status is Status.OK
    assert found.noise_scale > 4
    assert np.isnan([found.dx_bias, found.dy_bias, found.beta_bias]).all()


@pytest.mark.parametrize("weighting", ["mask", "mask+dq"])
def test_inverse_variance_alone_takes_noise_away(weighting: Weighting) -> None:
    """Its beta is B / (C - N), with the sums over pixels and the weight of the first fit."""
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    mask = transmission(SHAPE)
    plain = fit_one(science, image, mask, weighting=weighting)
    assert plain.dx_bias != 0
    assert plain.dy_bias != 0
    assert plain.beta_bias < -1e-3
    first = fit_one(science, image, mask)
    found = fit_one(science, image, mask, weighting="inverse_variance")
    assert (found.dx_bias, found.dy_bias, found.beta_bias) == (0, 0, 0)
    start, end = Shift(first.dx, first.dy), Shift(found.dx, found.dy)
    weight = pair_weight(mask, science, image, start, first.beta, weighting="inverse_variance")
    moved = shifted(science.image, end)
    b = np.sum(weight**2 * image.image * moved)
    c = np.sum((weight * moved) ** 2)
    scale = fit_one(science, image, weight).noise_scale
    n = scale * np.sum(weight**2 * shift_variance(rfft2(star_variance), SHAPE, end))
    # Sums of a thousand numbers round to 1e-14; Chebyshev terms leave 1e-11, see test_polynomials.
    assert found.beta == pytest.approx(b / (c - n), rel=1e-9)
    cost = np.sum((weight * (image.image - found.beta * moved)) ** 2)
    assert found.cost == pytest.approx(cost, rel=1e-9)


def test_leastsq_keeps_the_noise_and_says_what_it_did() -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    science, image = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    corrected, plain = (
        fit_one(science, image, transmission(SHAPE), weighting="inverse_variance", method=method)
        for method in ("spectral", "leastsq")
    )
    assert plain.beta_bias < -1e-3
    # Newton's step is the way between both minima but for the square of its length.
    numbers = [plain.dx - plain.dx_bias, plain.dy - plain.dy_bias, plain.beta - plain.beta_bias]
    away = np.abs([corrected.dx, corrected.dy, corrected.beta] - np.array(numbers))
    assert (away < 0.05 * np.abs([plain.dx_bias, plain.dy_bias, plain.beta_bias])).all()


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e22])
def test_any_unit_gives_the_same_uncertainties(unit: float, weighting: Weighting) -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    frames = draw(star, star_variance, 1), draw(psf, psf_variance, 2)
    scaled = [
        Frame(frame.image * unit, frame.replaced, frame.variance * unit**2) for frame in frames
    ]
    here, there = (
        fit_one(*pair, transmission(SHAPE), weighting=weighting) for pair in (frames, scaled)
    )
    assert there.status is here.status is Status.OK
    names = ("sigma_dx", "sigma_dy", "sigma_beta")
    expected = [getattr(here, name) for name in names]
    # Noise spreads in single precision.
    assert [getattr(there, name) for name in names] == pytest.approx(expected, rel=1e-5)


def test_noise_alone_is_insignificant() -> None:
    for seed in range(30):
        found = fit_one(
            Frame(noise(SHAPE, seed=seed)), Frame(noise(SHAPE, seed=seed + 100)), np.ones(SHAPE)
        )
        assert found.status is not Status.OK
        assert not found.beta >= 5 * found.sigma_beta


@pytest.mark.parametrize(("background", "n_numbers"), [("none", 3), ("fit", 4)])
def test_each_number_that_is_fitted_leaves_a_pixel_less(background: str, n_numbers: int) -> None:
    """Of white noise and a weight of 1, the covariance is E / (pixels - numbers) H⁻¹."""
    star = scene(SHAPE, seed=3)
    psf = BETA * shifted(star, OFFSET) + noise(SHAPE, seed=5, sigma=1e-3)
    found = fit_one(Frame(star), Frame(psf), np.ones(SHAPE), background=background)
    covariance = found.cost / (star.size - n_numbers) * np.linalg.inv(found.curvature)
    sigmas = found.sigma_dx, found.sigma_dy, found.sigma_beta
    # H holds second derivatives times the residual, too, 1e-5 of it; a pixel is 1.2e-3 of all.
    assert np.sqrt(np.diag(covariance)) == pytest.approx(sigmas, rel=1e-4)


def test_five_sigma_are_significant() -> None:
    star = scene(SHAPE, seed=3)
    psf, grain = BETA * shifted(star, OFFSET), noise(SHAPE, seed=5)
    found = [
        fit_one(Frame(star), Frame(psf + level * grain), np.ones(SHAPE), max_shift=0)
        for level in np.geomspace(50, 200, 12)
    ]
    ratios = np.array([fit.beta / fit.sigma_beta for fit in found])
    assert [fit.status is Status.OK for fit in found] == (ratios >= 5).tolist()
    assert {fit.status for fit in found} == {Status.OK, Status.INSIGNIFICANT}
    # There are some near the limit, on either side of it.
    assert np.any((ratios > 5) & (ratios < 6))
    assert np.any((ratios > 4) & (ratios < 5))


@pytest.mark.parametrize("method", ["spectral", "leastsq"])
@pytest.mark.parametrize("shape", [(26, 31), (27, 30), (26, 30), (27, 31)])
def test_background_is_fitted(method: str, shape: tuple[int, int]) -> None:
    star = scene(shape, seed=3)
    science, psf = Frame(star + 30), Frame(BETA * shifted(star, OFFSET) - 55)
    found = fit_one(science, psf, transmission(shape), background="fit", method=method)
    assert (found.dx, found.dy, found.beta) == pytest.approx((*OFFSET, BETA), abs=1e-7)
    biased = fit_one(science, psf, transmission(shape), method=method)
    assert not abs(biased.beta - BETA) < 0.1


def test_pulls_with_a_background() -> None:
    star, psf, star_variance, psf_variance = photon_noise()
    found = [
        fit_one(
            draw(star + 40, star_variance, 2 * seed),
            draw(psf, psf_variance, 2 * seed + 1),
            transmission(SHAPE),
            background="fit",
        )
        for seed in range(DRAWS)
    ]
    scatter = pulls(found)
    np.testing.assert_allclose(scatter.std(axis=0), 1, rtol=0, atol=STD_TOLERANCE)
    np.testing.assert_allclose(scatter.mean(axis=0), 0, rtol=0, atol=MEAN_TOLERANCE)


def test_padding_joins_opposite_edges_in_a_straight_line() -> None:
    image = read_only(np.add.outer(np.arange(4.0), 10 * np.arange(3.0)))
    padded = pad_image(image, 2)
    np.testing.assert_array_equal(padded[:4, :3], image)
    np.testing.assert_allclose(padded[4:, 0], [2.0, 1.0])
    np.testing.assert_allclose(padded[0, 3:], [40 / 3, 20 / 3])
    assert pad_image(image, 0) is image
    assert padded.flags.c_contiguous
    np.testing.assert_array_equal(pad_weight(np.ones((4, 3)), 2).sum(), 12)


@pytest.mark.parametrize("shape", [(224, 288), (180, 180)])
def test_padding_of_images_as_large_as_real_ones(shape: tuple[int, int]) -> None:
    """Large temporary arrays take ways through NumPy that small ones do not."""
    star, flat = scene(shape, seed=3), np.ones(shape)
    psf = Frame(shifted(star, (0.3, 0.2)), None, flat)
    fit = fit_one(Frame(star, None, flat), psf, flat, weighting="mask", padding=8)
    # What comes in at the edges differs with padding and without: less than a thousandth here.
    np.testing.assert_allclose([fit.dx, fit.dy], [0.3, 0.2], atol=1e-3)


@pytest.mark.parametrize("weighting", ["mask", "inverse_variance"])
def test_padding_keeps_content_from_coming_in_on_the_other_side(weighting: Weighting) -> None:
    """A bright star beyond one edge, seen after the shift only, in images cut from a larger one."""
    large = scene((60, 70), seed=3)
    large[20:40, 48:52] += 300 * np.exp(-((np.arange(20) - 10) ** 2) / 20)[:, None]
    star, psf = (read_only(f[15:45, 20:50].copy()) for f in (large, shifted(large, (2.0, 0.5))))
    flat = np.ones(star.shape)
    weight = flat.copy()
    weight[:, -6:] = 0  # what comes in at the near edge is not in the science image at all
    unpadded, padded = (
        fit_one(
            Frame(star, None, flat), Frame(psf, None, flat), weight, weighting=weighting, padding=p
        )
        for p in (0, 16)
    )
    error, ringing = (np.hypot(f.dx - 2.0, f.dy - 0.5) for f in (padded, unpadded))
    assert padded.status is Status.OK
    assert error < ringing
