"""A wrong shift is doubtful, a right one is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import PEAK, Image, low_pass, noise, read_only, scene, shifted, transmission

from psfalign.files.exposure import Exposure
from psfalign.files.frames import CleanFrames
from psfalign.fit import doubt
from psfalign.fit.doubt import MOST_INFLUENCE
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import PairFit, Status
from psfalign.images.frames import Frame
from psfalign.images.mask_weight import weigh
from psfalign.psfmask.file import read_mask
from psfalign.steps.clean import clean_exposure

SHAPE = (72, 80)
TRUE = (0.6, -0.4)
SIGMA = 0.3  # of a pixel; the brightest has 100
FLIGHT = {
    "nircam_f444w": ("jw01184001001", "jw01184002001"),
    "miri_f1140c": ("jw01277019001",),
}


def point(column: float, row: float) -> Image:
    """Return a star of its own, 1 at its peak, at some pixel."""
    image = np.zeros(SHAPE)
    image[0, 0] = 1.0
    image = low_pass(image, 0.2)
    return shifted(image / image.max(), (column, row))


def beside(separation: float, angle: float) -> tuple[float, float]:
    return (
        SHAPE[1] // 2 + separation * np.cos(np.deg2rad(angle)),
        SHAPE[0] // 2 + separation * np.sin(np.deg2rad(angle)),
    )


def observed(image: Image, seed: int, sigma: float = SIGMA) -> Frame:
    drawn = image + noise(SHAPE, seed=seed, sigma=sigma)
    return Frame(read_only(drawn), None, np.full(SHAPE, sigma**2))


def fit(science: Frame, psf: Frame, weight: Image, **options) -> PairFit:
    return next(
        fit_shifts(
            [science], [psf], weight, options=FitOptions(**{"background": "none", **options})
        )
    )[0]


def is_wrong(found: PairFit) -> bool:
    """Five sigma and a twentieth of a pixel off: what nobody may use without being warned."""
    error = np.hypot(found.dx - TRUE[0], found.dy - TRUE[1])
    return bool(error > max(0.05, 5 * max(found.sigma_dx, found.sigma_dy)))


@pytest.mark.parametrize("max_shift", [3, 10])
@pytest.mark.parametrize("side", ["science", "psf"])
@pytest.mark.parametrize("separation", [8.0, 18.0])
def test_companion_that_pulls_a_shift_makes_it_doubtful(
    separation: float, side: str, max_shift: int
) -> None:
    n_wrong = 0
    for seed, flux in enumerate([0.3, 1.0, 3.0, 10.0, 30.0]):
        star = scene(SHAPE, seed=seed)
        companion = flux * PEAK * point(*beside(separation, 77.0 * seed))
        science, psf = star, 1.4 * shifted(star, TRUE)
        science = science + companion * (side == "science")
        psf = psf + companion * (side == "psf")
        found = fit(
            observed(science, 1), observed(psf, 2), transmission(SHAPE), max_shift=max_shift
        )
        wrong = found.status is Status.OK and is_wrong(found)
        assert found.doubtful or not wrong, (flux, found)
        n_wrong += found.status is not Status.OK or wrong
    assert n_wrong >= 2  # or there was nothing to doubt


@pytest.mark.parametrize("weighting", ["mask", "mask+dq", "inverse_variance"])
@pytest.mark.parametrize("background", ["none", "fit", "plane"])
def test_all_ways_to_fit_have_doubts(weighting: str, background: str) -> None:
    star = scene(SHAPE, seed=3)
    psf = observed(1.4 * shifted(star, TRUE), 2)
    science = star + 2 * PEAK * point(*beside(8.0, 20.0))
    options = {"weighting": weighting, "background": background}
    found = fit(observed(science, 1), psf, transmission(SHAPE), **options)
    assert found.doubtful
    alone = fit(observed(star, 1), psf, transmission(SHAPE), **options)
    assert not is_wrong(alone)
    assert not alone.doubtful


@pytest.mark.parametrize("sigma", [0.01, 0.3, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_doubt(sigma: float, seed: int) -> None:
    """Even where it moves a shift by more than the limit, and hides most of the star."""
    star = scene(SHAPE, seed=seed)
    psf = observed(1.4 * shifted(star, TRUE), seed + 20, sigma)
    found = fit(observed(star, seed + 10, sigma), psf, transmission(SHAPE))
    # Where noise hides most of the star, another place may explain as much.
    assert found.status is Status.OK or sigma >= 10.0
    assert not found.doubtful
    if sigma <= 3.0:  # beyond, noise in the science image makes beta too small, and leaves more
        # Of 5600 pixels' squares, the mean scatters by 0.02.
        assert found.chi2 == pytest.approx(1.0, abs=0.1)


def test_chi2_is_not_known_without_errors() -> None:
    star = scene(SHAPE)
    found = fit(Frame(star), observed(shifted(star, TRUE), 1), transmission(SHAPE))
    assert np.isnan(found.chi2)
    assert not found.doubtful


def test_what_explains_little_is_doubtful_where_noise_does_not_excuse_it() -> None:
    star, weight = scene(SHAPE), transmission(SHAPE)
    psf = shifted(star, TRUE) + 20 * noise(SHAPE, seed=4)
    assert not fit(observed(star, 1, 0.1), Frame(psf, None, np.full(SHAPE, 400.0)), weight).doubtful
    found = fit(observed(star, 1, 0.1), Frame(psf, None, np.full(SHAPE, 1.0)), weight)
    assert found.misfit > doubt.MOST_UNEXPLAINED
    assert found.doubtful


def test_influence_is_the_move_of_a_fit_without_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doubt, "MOST_INFLUENCE", 0.0)  # else it is not looked at where it is small
    star, weight = scene(SHAPE, seed=1), transmission(SHAPE)
    place = beside(12.0, 100.0)
    science = observed(star + 10 * point(*place), 1, 0.01)
    psf = observed(1.4 * shifted(star, TRUE), 2, 0.01)
    found = fit(science, psf, weight)
    moves = []
    for row, column in np.ndindex(SHAPE[0] // 4 - 1, SHAPE[1] // 4 - 1):
        if np.hypot(4 * row + 3.5 - place[1], 4 * column + 3.5 - place[0]) < 12:
            without = weight.copy()
            without[4 * row : 4 * row + 8, 4 * column : 4 * column + 8] = 0.0
            again = fit(science, psf, without)
            moves.append(np.hypot(again.dx - found.dx, again.dy - found.dy))
    # One step of Gauss and Newton is short of a move by as much as the residual bends the cost.
    assert found.influence == pytest.approx(max(moves), rel=0.1)


@pytest.mark.parametrize("kind", ["rows", "columns"])
@pytest.mark.parametrize("share", [0.6, 1.0, 1.4])
def test_stripes_of_the_detector_make_a_shift_doubtful(kind: str, share: float) -> None:
    """In both images at the same place, they hold the shift where it is none."""
    star = scene(SHAPE, seed=4)
    shape = (SHAPE[0], 1) if kind == "rows" else (1, SHAPE[1])
    stripes = 0.05 * PEAK * noise(shape, seed=5) * np.ones(SHAPE)
    science = observed(star + stripes, 0)
    psf = observed(shifted(star, TRUE) + share * stripes, 1)
    found = fit(science, psf, transmission(SHAPE), background="plane")
    assert is_wrong(found)
    assert found.doubtful


@pytest.mark.parametrize("share", [0.6, 1.0, 1.4])
@pytest.mark.parametrize("background", ["none", "plane"])
def test_glow_stick_makes_a_shift_doubtful(background: str, share: float) -> None:
    """A bar across both images, beside the star, of 0.3 of its brightest pixel: no plane."""
    star, rows = scene(SHAPE, seed=4), np.arange(SHAPE[0])
    bar = np.exp(-0.5 * ((rows - SHAPE[0] / 2 - 1) / 1.5) ** 2)
    glow = 0.3 * PEAK * bar[:, None] * np.ones(SHAPE)
    science = observed(star + glow, 0)
    psf = observed(shifted(star, TRUE) + share * glow, 1)
    found = fit(science, psf, transmission(SHAPE), background=background)
    assert is_wrong(found)
    assert found.doubtful


def test_stripes_are_doubted_by_what_they_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each row has a level of its own in the fit, so little that one step leads there."""
    monkeypatch.setattr(doubt.Windows, "move", lambda *_: 0.0)
    monkeypatch.setattr(doubt, "MOST_INFLUENCE", 0.0)
    star, true = scene(SHAPE, seed=4), (0.6, -0.4)
    stripes = 0.005 * PEAK * noise((SHAPE[0], 1), seed=5) * np.ones(SHAPE)
    frames = [observed(i + stripes, k, 1e-3) for k, i in enumerate((star, shifted(star, true)))]
    found = fit(*frames, np.ones(SHAPE))
    # The stripes do not move along with the star, as the model of the fit has it: a few per cent.
    assert found.influence == pytest.approx(np.hypot(found.dx - 0.6, found.dy + 0.4), rel=0.1)


def test_nothing_is_computed_where_it_cannot_matter() -> None:
    star = scene((150, 160))  # of which a window holds a small share
    found = fit(Frame(star), Frame(1.2 * shifted(star, TRUE)), transmission(star.shape))
    assert np.isnan(found.influence)
    assert not found.doubtful


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.5), (1.3, 2.4)])
def test_bound_of_moves_is_none_too_small(
    shift: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also half a pixel from where its information is taken, and with most of it in one window."""
    bounds, moves = [], []
    risky, move = doubt.Windows.risky, doubt.Windows.move

    def record_bounds(windows: doubt.Windows, energies: Image, limit: float) -> Image:
        chosen = risky(windows, energies, limit)
        assert chosen.all()  # so that all moves are computed
        by_two = energies[1:] + energies[:-1]
        bounds.append(np.sqrt((windows.bounds * (by_two[:, 1:] + by_two[:, :-1])).max()))
        return chosen

    def record_move(*arguments: Any) -> float:
        moves.append(move(*arguments))
        return moves[-1]

    monkeypatch.setattr(doubt, "MOST_INFLUENCE", 0.0)
    monkeypatch.setattr(doubt.Windows, "risky", record_bounds)
    monkeypatch.setattr(doubt.Windows, "move", record_move)
    star = scene((150, 160), seed=2)
    for flux in (0.01, 0.1, 1.0):
        science = star.copy()
        science[90, 70] += flux * PEAK
        psf = 1.4 * shifted(star, shift)
        fit(Frame(science), Frame(psf), transmission(star.shape))
    assert all(np.array(bounds) >= moves)
    # A single bright pixel is hardly like a slope of the star: the bound is 80 to 130 times it.
    assert all(np.array(bounds) < 300 * np.array(moves))


@pytest.mark.parametrize("place", [(10, 13), (40, 36), (68, 70)])
def test_windows_that_cannot_matter_are_left_out(
    place: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    star, (column, row) = scene(SHAPE, seed=1), place
    science = observed(star + 3 * PEAK * point(column, row), 1, 0.01)
    psf = observed(1.4 * shifted(star, TRUE), 2, 0.01)
    chosen, risky = [], doubt.Windows.risky
    monkeypatch.setattr(
        doubt.Windows, "risky", lambda *terms: chosen.append(risky(*terms)) or chosen[-1]
    )
    found = fit(science, psf, transmission(SHAPE))
    assert 0 < chosen[0].sum() < chosen[0].size
    monkeypatch.setattr(doubt, "MOST_INFLUENCE", 0.0)
    assert fit(science, psf, transmission(SHAPE)).influence == found.influence


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**100])
def test_unit_of_flux_does_not_matter(scale: float) -> None:
    star = scene(SHAPE, seed=3)
    science = observed(star + PEAK * point(*beside(8.0, 20.0)), 1)
    psf = observed(1.4 * shifted(star, TRUE), 2)
    there, here = (
        [replace(f, image=u * f.image, variance=u**2 * f.variance) for f in (science, psf)]
        for u in (scale, 1.0)
    )
    one, other = (fit(*frames, transmission(SHAPE)) for frames in (here, there))
    assert one.influence == pytest.approx(other.influence, rel=1e-6)
    assert one.doubtful
    assert other.doubtful


@pytest.mark.parametrize("campaign", FLIGHT)
def test_flight_exposures_are_not_doubtful(
    campaign: str, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "flight" / campaign
    science, psfs = [], []
    for path in sorted(folder.glob("*_calints.fits")):
        clean_exposure(path, tmp_path / path.name)
        with CleanFrames(Exposure(tmp_path / path.name)) as frames:
            (science if path.name[:13] in FLIGHT[campaign] else psfs).append(frames[0])
    weight = weigh(read_mask(next(folder.glob("psfmask*")))).image
    found = [f for row in fit_shifts(science, psfs, weight, options=FLIGHT_OPTIONS) for f in row]
    assert {f.status for f in found} == {Status.OK}
    assert not any(f.doubtful for f in found)
    # Stars differ, and their speckles with them; that is the room there is.
    assert max(f.influence for f in found) < 0.9 * MOST_INFLUENCE


FLIGHT_OPTIONS = FitOptions(background="auto")


def test_window_moves_a_shift_by_what_it_holds_of_the_information() -> None:
    """In 10×10 blocks that tell alike of dx, dy and beta, and of no two together."""
    alike = np.array([2.0, 0.0, 0.0, 2.0, 0.0, 2.0])
    windows = doubt.Windows.of(np.broadcast_to(alike[:, None, None], (6, 10, 10)))
    assert windows.shares == pytest.approx(np.full((9, 9), 4 * 3 / 100), rel=1e-12)
    found = windows.bounds
    # Two by two blocks and a margin of one are 16; of each, dx, dy and beta count in the trace.
    share = 16 * 3 / 100
    assert found[4, 4] == pytest.approx(share / (1 - share) ** 2 / (100 * 2), rel=1e-12)
    at_corner = 9 * 3 / 100  # where the margin lies beyond the image on two sides
    assert found[0, 0] == pytest.approx(at_corner / (1 - at_corner) ** 2 / (100 * 2), rel=1e-12)
