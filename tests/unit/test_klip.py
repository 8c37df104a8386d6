"""KLIP agrees with another implementation; unusable psf images; errors by Monte Carlo."""

from typing import Any

import numpy as np
import pytest
from speckles import ALL, COLUMNS, RADIUS, ROWS, SHAPE, images

from psfalign.images import klip
from psfalign.images.klip import Fate, Part, PsfLibrary, clip_modes
from psfalign.images.zones import Zone, choose_region, divide

WHOLE = [Zone(ALL, ALL)]


def oracle(science: Any, psfs: Any, n_modes: int, region: Any = ALL) -> Any:
    """KLIP by the right singular vectors of the psf images in a region, less its means."""
    target, inside = science[region], psfs[:, region]
    inside = inside - inside.mean(axis=1, keepdims=True)
    modes = np.linalg.svd(inside, full_matrices=False)[2][:n_modes]
    left = target - target.mean()
    return left - modes.T @ (modes @ left)


def subtract(science: Any, psfs: Any, zones: Any, *modes: int) -> Any:
    library = PsfLibrary(psfs, zones, modes)
    return library.subtract(science, library.fit(science))


@pytest.mark.parametrize("n_modes", [1, 2, 7])
def test_the_whole_image_gives_what_an_independent_klip_gives(n_modes: int) -> None:
    science, psfs = images(1, seed=4)[0], images(7)
    before = science.copy(), psfs.copy()
    left = subtract(science, psfs, WHOLE, n_modes)
    # Products of images, squared and inverted, lose half of the digits of double precision.
    np.testing.assert_allclose(
        left[-1].ravel(), oracle(science, psfs, n_modes), atol=1e-8 * science.max()
    )
    np.testing.assert_array_equal(science, before[0])
    np.testing.assert_array_equal(psfs, before[1])


def test_a_region_is_fitted_alone_and_subtracted_everywhere() -> None:
    science, psfs = images(1, seed=4)[0], images(7)
    region = (RADIUS > 4) & (COLUMNS < 30)
    spoilt = np.where(region, science, 1e6)
    left = subtract(spoilt, psfs, divide(region, RADIUS, [], 7), 3)
    np.testing.assert_allclose(left[-1][region], oracle(science, psfs, 3, region), atol=1e-6)
    # Outside, the same combination is subtracted: what was added there is left as it is.
    clean = subtract(science, psfs, divide(region, RADIUS, [], 7), 3)
    outside = ~region
    added = (spoilt - science)[outside]
    np.testing.assert_allclose((left - clean)[:, outside], np.tile(added, (3, 1)), rtol=1e-9)


def test_rings_are_fitted_each_by_itself() -> None:
    science, psfs = images(1, seed=4)[0], images(4)
    left = subtract(science, psfs, divide(ALL, RADIUS, [7.0, 12.0], 4), 4)
    for ring in (RADIUS < 7, (RADIUS >= 7) & (RADIUS < 12), RADIUS >= 12):
        np.testing.assert_allclose(left[-1][ring], oracle(science, psfs, 4, ring), atol=1e-6)


def test_a_ring_with_few_pixels_takes_what_fits_the_region() -> None:
    region = RADIUS > 5
    zones = divide(region, RADIUS, [5.0], 4)
    science, psfs = images(1, seed=4)[0], images(4)
    whole = subtract(science, psfs, divide(region, RADIUS, [], 4), 4)
    np.testing.assert_allclose(subtract(science, psfs, zones, 4), whole, atol=1e-9)


@pytest.mark.parametrize(("n_pixels", "is_alone"), [(9, False), (39, False), (40, True)])
def test_a_ring_needs_ten_pixels_for_each_psf_image(n_pixels: int, is_alone: bool) -> None:
    ring = RADIUS < 5
    region = ~ring
    region.ravel()[np.flatnonzero(ring)[:n_pixels]] = True
    inner, outer = divide(region, RADIUS, [5.0], 4)
    np.testing.assert_array_equal(inner.fitted, region & ring if is_alone else region)
    np.testing.assert_array_equal(inner.subtracted, ring)
    np.testing.assert_array_equal(outer, (~ring, ~ring))


def test_stages_are_nothing_the_mean_and_modes() -> None:
    science, psfs = images(1, seed=4)[0], images(6)
    left = subtract(science, psfs, WHOLE, 1, 6)
    assert left.shape == (4, *SHAPE)
    np.testing.assert_array_equal(left[0], science)
    mean = psfs.mean(axis=0)
    slope, constant = np.polyfit(mean.ravel(), science.ravel(), 1)
    np.testing.assert_allclose(left[1], science - slope * mean - constant, atol=1e-9)


def test_psf_images_that_are_no_use_are_left_out_and_named() -> None:
    psfs = images(7)
    psfs[1] = np.nan
    psfs[2] = 4.2
    psfs[3] = 0.0
    psfs[5] = (0.7 * psfs[4] + 2).astype(np.float32)  # another flux and sky, rounded as in a file
    psfs[6, 0, 0] = np.inf
    science = images(1, seed=4)[0]
    library = PsfLibrary(psfs, WHOLE, [7])
    used, failed, constant, equal = Fate.USED, Fate.FAILED, Fate.CONSTANT, Fate.EQUAL
    assert library.fates == [used, failed, constant, constant, used, equal, failed]
    left = library.subtract(science, library.fit(science))
    np.testing.assert_allclose(
        left[-1].ravel(), oracle(science, psfs[[0, 4]], 2), atol=1e-8 * science.max()
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("edges", [[], [7.0]])
def test_psf_images_that_are_not_finite_outside_the_region_are_left_out(
    value: float, edges: list[float]
) -> None:
    psfs = images(3)
    psfs[1, 0, 0] = value
    library = PsfLibrary(psfs, divide(RADIUS < 10, RADIUS, edges, 3), [3])
    assert library.fates == [Fate.USED, Fate.FAILED, Fate.USED]


def test_psf_images_that_depend_on_each_other_add_no_mode_of_rounding() -> None:
    psfs = images(3, noise=0)
    psfs[2] = (psfs[0] + psfs[1]).astype(np.float32)
    science = images(1, seed=4)[0]
    left = subtract(science, psfs, WHOLE, 3)
    np.testing.assert_allclose(left[-1].ravel(), oracle(science, psfs, 2), atol=1e-4)


def test_one_psf_image_is_enough() -> None:
    science, psfs = images(1, seed=4)[0], images(1)
    left = subtract(science, psfs, WHOLE, 1)
    np.testing.assert_allclose(left[-1].ravel(), oracle(science, psfs, 1), atol=1e-9)


def test_no_psf_image_at_all_is_said() -> None:
    library = PsfLibrary(np.full((2, *SHAPE), np.nan), WHOLE, [1])
    assert len(library) == 0
    assert library.fates == [Fate.FAILED] * 2


def test_modes_are_clipped_sorted_and_not_repeated() -> None:
    assert clip_modes([20, 1, 50, 2, 5], 6) == [1, 2, 5, 6]
    assert clip_modes([1, 2], 1) == [1]


def test_the_region_is_where_the_weight_is_above_one_half() -> None:
    weight = np.array([[0.0, 0.5, 0.51, 1.0]])
    assert choose_region(weight).tolist() == [[False, False, True, True]]
    excluded = np.array([[False, False, False, True]])
    assert choose_region(weight, excluded).tolist() == [[False, False, True, False]]


def test_the_variance_is_that_of_a_monte_carlo() -> None:
    """Noise in science and psf images, drawn 500 times; coefficients are fitted each time."""
    psfs = images(3)
    science = 0.9 * psfs[0] - 0.4 * psfs[1] + 0.7 * psfs[2] + 2
    errors = 0.02 * (1 + ROWS / 30), 0.05 * (1 + COLUMNS / 36)
    rng = np.random.default_rng(5)
    first = PsfLibrary(psfs, WHOLE, [1, 3])
    fit = first.fit(science)
    told = errors[0] ** 2 + first.variance(np.array([errors[1]] * 3), fit)
    n = 500
    total, squares = np.zeros((4, *SHAPE)), np.zeros((4, *SHAPE))
    for _ in range(n):
        noisy = psfs + rng.normal(size=psfs.shape) * errors[1]
        left = subtract(science + rng.normal(size=SHAPE) * errors[0], noisy, WHOLE, 1, 3)
        total += left
        squares += left**2
    measured = squares / n - (total / n) ** 2
    # Each variance is known to 6 % (sqrt(2/n)), so that the median of 1080 is to 0.3 %; that the
    # coefficients are fitted takes and gives 0.4 % (four of 1080 pixels) where the star is gone.
    ratio = measured / told
    np.testing.assert_allclose(np.median(ratio[[0, 3]], axis=(1, 2)), 1, atol=0.02)
    assert np.all(np.abs(ratio[[0, 3]] - 1) < 6 * np.sqrt(2 / n))


@pytest.mark.parametrize("edges", [[], [7.0]])
def test_blocks_of_pixels_make_no_difference(
    edges: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    science, psfs = images(1, seed=4)[0], images(7)
    # One block has no pixel of the region, the last is not full.
    zones = divide((RADIUS > 4) & (ROWS > 3), RADIUS, edges, 7)
    found = []
    for block in (10_000, 100):
        monkeypatch.setattr(klip, "BLOCK", block)
        library = PsfLibrary(psfs, zones, [2, 7])
        fit = library.fit(science)
        found.append([library.subtract(science, fit), library.variance(0.1 * psfs, fit)])
    # Sums in another order, in the ill-conditioned products of images.
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-8 * science.max())


@pytest.mark.parametrize("edges", [[], [7.0]])
def test_a_science_image_that_is_known_before_is_fitted_alike(edges: list[float]) -> None:
    first, second = images(2, seed=4)
    psfs = images(7)
    psfs[2] = 0  # left out
    zones = divide(RADIUS > 4, RADIUS, edges, 7)
    known, unknown = (PsfLibrary(psfs, zones, [2, 6], given) for given in (first, None))
    for science in (first, second):
        fits = known.fit(science), unknown.fit(science)
        left = known.subtract(science, fits[0]), known.subtract(science, fits[1])
        np.testing.assert_allclose(*left, atol=1e-8 * science.max())


def test_psf_images_on_a_pedestal_lose_no_digits() -> None:
    science, psfs = images(1, seed=4)[0], images(7)
    sky = 1e5 * np.arange(1, 8)[:, None, None]
    expected = subtract(science, psfs, WHOLE, 2, 7)
    # What double precision has for a sky of 7e5, 1e-10, grows by the ill-conditioned products.
    np.testing.assert_allclose(subtract(science, psfs + sky, WHOLE, 2, 7), expected, atol=1e-6)


def test_a_part_knows_its_pixels() -> None:
    science, *psfs = images(3).reshape(3, -1)
    part = Part.of(np.array(psfs), (COLUMNS < 5).ravel(), science)
    assert part.holds(np.array([4, 5, 40, 41, 1079])).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize("edges", [[], [7.0]])
def test_images_in_single_precision_are_computed_with_in_double(edges: list[float]) -> None:
    science, psfs = images(1, seed=4)[0], images(7)
    zones = divide(ALL, RADIUS, edges, 7)
    double, single = (
        PsfLibrary(psfs.astype(kind), zones, [7]) for kind in (np.float64, np.float32)
    )
    fits = double.fit(science), single.fit(science)
    np.testing.assert_array_equal(fits[0].coefficients, fits[1].coefficients)
    left = single.subtract(science, fits[1])
    np.testing.assert_array_equal(left, double.subtract(science, fits[0]))


def test_the_share_of_flagged_psf_images_is_that_of_what_is_subtracted() -> None:
    library = PsfLibrary(images(3), WHOLE, [3])
    fit = library.fit(images(1, seed=4)[0])
    pixels = np.array([3, 40])
    flagged = np.array([[False, False], [False, True], [False, True]])
    size = np.abs(fit.coefficients[0, -1])
    share = library.share(flagged, pixels, fit)
    np.testing.assert_allclose(share, [0.0, (size[1] + size[2]) / size.sum()])
