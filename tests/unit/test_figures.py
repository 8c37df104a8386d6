"""
Figures of seeded arrays, compared with stored ones.

PSFALIGN_NEW_BASELINES=1 stores them again. The tolerance is the root mean square of the difference
in grey levels of 255: the same matplotlib draws the same bytes, another one moves letters by a
fraction of a pixel, which makes 2 to 3; a line or a panel that changes makes 6 and more.
"""

import dataclasses
import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image

from psfalign.files.sky import Sky
from psfalign.images.circles import Circle, leave_out
from psfalign.images.subtraction import Subtraction
from psfalign.report.figures import checks, images, shifts
from psfalign.report.figures.images import Panel
from psfalign.report.figures.notice import draw_notice
from psfalign.report.figures.style import (
    LARGEST,
    WIDTH,
    draw_png,
    draw_stacked,
    drawn,
    styled,
)
from psfalign.report.figures.view import View, draw_circles

BASELINE = Path(__file__).parents[1] / "baseline"
TOLERANCE = 5.0  # grey levels
SHAPE = (32, 40)
N_INTEGRATIONS, N_PSFS = 3, 8
# Rows point to position angle 60 degrees, pixels are wider than high.
MATRIX = np.array([[-0.5, np.sqrt(0.75)], [np.sqrt(0.75), 0.5]]) * [[0.06, 0.05]]
SKY = Sky(19.0, 16.5, MATRIX)
VIEW = View(SKY.column, SKY.row, (0.06, 0.05), "arcsec", SKY)


def make_subtraction(seed: int = 1, shape: tuple[int, int] = SHAPE) -> Subtraction:
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    radius = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2)
    star = 100 * np.exp(-((radius / (shape[0] / 6)) ** 2))
    noisy = [star + rng.normal(0, 1, shape) for _ in range(2)]
    shifted = np.roll(star, 1, axis=1)
    rms = np.stack([np.linspace(9, 12, N_PSFS), np.linspace(1, 2, N_PSFS)], axis=1)
    left = [noisy[0] - psf for psf in (shifted, noisy[1])]
    return Subtraction(noisy[1], *left, np.clip(radius / 8, 0, 1), rms)


def make_pairs(*, status: str = "ok", closure: float | None = None) -> shifts.Pairs:
    rng = np.random.default_rng(2)
    n = N_INTEGRATIONS * N_PSFS
    psf = np.tile(np.arange(N_PSFS), N_INTEGRATIONS)
    columns = {
        "integration": np.repeat(np.arange(N_INTEGRATIONS), N_PSFS),
        "psf": psf,
        "dx": 0.3 * (psf % 3) + rng.normal(0, 0.01, n),
        "dy": 0.2 * (psf // 3) + rng.normal(0, 0.01, n),
        "sigma_dx": np.full(n, 0.01),
        "sigma_dy": np.full(n, 0.02),
        "closure": np.abs(rng.normal(0, 0.01, n)) if closure is None else np.full(n, closure),
        "doubtful": np.arange(n) == 5,
        "status": np.array(["ok"] * (n - 1) + [status]),
    }
    suspicious = np.zeros(n, dtype=bool)
    suspicious[3] = status != "ok"
    gains = shifts.Gains(0, np.arange(N_PSFS), make_subtraction().rms, "MJy/sr")
    return shifts.Pairs(columns, [f"star_{i // 3}" for i in range(N_PSFS)], suspicious, gains)


def draw_images(s: Subtraction) -> bytes:
    panels = images.subtraction_panels(s, integration=0)
    draw = partial(
        images.draw_images, panels=panels, weight=s.weight, title="t", unit="MJy/sr", view=VIEW
    )
    return draw_png(draw, height=images.HEIGHT)


def draw_shifts(pairs: shifts.Pairs) -> bytes:
    return draw_png(
        partial(shifts.draw_shifts, pairs=pairs, title="some exposure"), height=shifts.HEIGHT
    )


def draw_checks() -> bytes:
    s = make_subtraction()
    share = np.zeros(SHAPE)
    share[5, 7] = share[20:22, 30] = 1
    share[10, 10] = 0.5
    content = checks.Checks(
        [Panel("Replaced in science: 4 pixels", share)],
        s.weight,
        [Panel("Science", s.science), Panel("Residual with alignment", s.aligned)],
        view=VIEW,
    )
    draw = partial(checks.draw_checks, checks=content, title="some exposure", unit="MJy/sr")
    return draw_png(draw, height=checks.HEIGHT)


FIGURES = {
    "images": lambda: draw_images(make_subtraction()),
    "shifts": lambda: draw_shifts(make_pairs(status="no_convergence")),
    "checks": draw_checks,
}


def grey(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)


def difference(one: bytes, other: bytes) -> float:
    return float(np.sqrt(np.mean((grey(one) - grey(other)) ** 2)))


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_the_stored_one(name: str) -> None:
    path, content = BASELINE / f"{name}.png", FIGURES[name]()
    if os.environ.get("PSFALIGN_NEW_BASELINES"):
        path.write_bytes(content)
    assert grey(content).shape == grey(path.read_bytes()).shape
    assert difference(content, path.read_bytes()) < TOLERANCE


def test_excluded_circles_are_drawn_where_they_are() -> None:
    circle = Circle(column=30.0, row=8.0, radius=5.0)

    def draw(canvas: Figure, circles: list[Circle]) -> None:
        canvas.set_layout_engine("none")
        axis = canvas.add_axes((0.0, 0.0, 1.0, 1.0))
        axis.imshow(np.zeros(SHAPE), aspect="auto")
        images.draw_circles(axis, circles)

    pictures = [grey(draw_png(partial(draw, circles=c), height=6.4)) for c in ([], [circle])]
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=-1))
    height, width = pictures[0].shape[:2]
    column = (columns + 0.5) / width * SHAPE[1] - 0.5
    row = (height - rows - 0.5) / height * SHAPE[0] - 0.5  # of the image, which begins below
    distance = np.hypot(column - circle.column, row - circle.row)
    assert rows.size > 100
    # The line is a pixel or two of the figure wide, some 30 of which are one of the image.
    np.testing.assert_allclose(distance, circle.radius, atol=0.1)


def test_circles_are_drawn_in_images_and_checks() -> None:
    s, circle = make_subtraction(), Circle(column=30.0, row=8.0, radius=5.0)
    panels = images.subtraction_panels(s, integration=0)
    content = checks.Checks([Panel("Replaced", s.weight)], s.weight, panels[:1])
    marked = dataclasses.replace(content, circles=[circle])
    of_images = partial(images.draw_images, panels=panels, weight=s.weight, title="t", unit="u")
    of_checks = partial(checks.draw_checks, title="t", unit="u")
    for without, with_ in (
        (of_images, partial(of_images, circles=[circle])),
        (partial(of_checks, checks=content), partial(of_checks, checks=marked)),
    ):
        assert difference(draw_png(without, height=6), draw_png(with_, height=6)) > 1


def test_what_is_excluded_counts_neither_for_colours_nor_for_the_scatter() -> None:
    s, circle = make_subtraction(), Circle(column=30.0, row=8.0, radius=5.0)
    s = dataclasses.replace(s, weight=leave_out(s.weight, [circle]))
    bright = np.where(circle.covers(SHAPE), 1e4, s.aligned)  # in the science image, too
    before, after = (
        images.subtraction_panels(one, integration=0)
        for one in (s, dataclasses.replace(s, aligned=bright))
    )
    assert images.choose_scale(after, [circle]) == images.choose_scale(before, [circle])
    assert images.choose_scale(after, [])[0] > 2 * images.choose_scale(before, [])[0]
    pictures = []
    for panels in (before, after):
        content = checks.Checks([], s.weight, panels[-1:], [circle])
        pictures.append(
            draw_png(partial(checks.draw_checks, checks=content, title="", unit=""), height=6)
        )
    assert pictures[0] == pictures[1]


def test_long_legends_hide_no_closure_and_labels_stand_apart() -> None:
    pairs = make_pairs(status="no_convergence")
    names = [f"jw01184003001_03106_{n:05d}_nrcalong" for n in range(N_PSFS)]
    pairs = dataclasses.replace(pairs, exposures=names)
    height = shifts.height_of(pairs)
    assert height > shifts.HEIGHT  # eight names take four lines
    assert shifts.height_of(make_pairs()) == shifts.HEIGHT
    with styled():
        figure = Figure(figsize=(WIDTH, height), layout="none")
        canvas = FigureCanvasAgg(figure)
        shifts.draw_shifts(figure, pairs, title="some exposure")
        canvas.draw()
    _, closure, gains = figure.axes
    legend = closure.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        *("uncertainty", "suspicious (1)", "fit failed (1)")
    ]
    known = np.isfinite(pairs.columns["closure"]) & pairs.usable
    drawn = np.stack([pairs.columns["psf"], pairs.columns["closure"]], axis=1)[known]
    places = closure.transData.transform(drawn)
    assert places[:, 1].max() < legend.get_window_extent().y0
    assert gains.title.get_window_extent().y1 < closure.xaxis.label.get_window_extent().y0


def test_stored_figures_are_small() -> None:
    assert all(path.stat().st_size < 100_000 for path in BASELINE.iterdir())
    assert {path.stem for path in BASELINE.iterdir()} == set(FIGURES)


def test_tolerance_notices_another_image() -> None:
    s = make_subtraction()
    changed = dataclasses.replace(s, unaligned=s.aligned)
    assert difference(draw_images(changed), draw_images(s)) > TOLERANCE


def test_figures_are_as_wide_as_promised_and_the_same_bytes_again() -> None:
    one, other = draw_images(make_subtraction()), draw_images(make_subtraction())
    assert one == other
    with Image.open(io.BytesIO(one)) as picture:
        assert picture.width == 1200


@pytest.mark.parametrize("shape", [(320, 320), (1024, 1032)])
def test_figure_of_noise_stays_below_the_limit(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    # Noise does not compress; its image is the largest that there is.
    noise = [rng.normal(0, 100, shape) for _ in range(3)]
    content = draw_images(Subtraction(*noise, np.ones(shape), np.ones((1, 2))))
    assert 50_000 < len(content) <= LARGEST


def test_figures_do_not_depend_on_the_users_style() -> None:
    import matplotlib as mpl

    before = draw_shifts(make_pairs())
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        assert draw_shifts(make_pairs()) == before


def test_shifts_without_any_closure_are_drawn() -> None:
    assert len(draw_shifts(make_pairs(closure=np.nan))) > 5000


def axes_of(draw: Callable[[Figure], None], height: float) -> list[Axes]:
    figure = Figure(figsize=(8, height), dpi=100)
    draw(figure)
    figure.draw_without_rendering()
    return figure.axes


def titles(axes: list[Axes]) -> list[str]:
    return [title for axis in axes if (title := axis.get_title())]


@pytest.mark.parametrize(
    ("closure", "has_gains", "expected"),
    [
        (
            0.01,
            True,
            ["Shifts of 24 pairs", "Closure", "Integration 0 less one psf image: RMS ÷ 7.000"],
        ),
        (0.01, False, ["Shifts of 24 pairs", "Closure"]),
        (np.nan, True, ["Shifts of 24 pairs", "Integration 0 less one psf image: RMS ÷ 7.000"]),
        (np.nan, False, ["Shifts of 24 pairs"]),
    ],
)
def test_shifts_have_no_empty_panel(closure: float, has_gains: bool, expected: list[str]) -> None:
    pairs = make_pairs(closure=closure)
    pairs = dataclasses.replace(
        pairs,
        gains=pairs.gains._replace(rms=np.full((N_PSFS, 2), [7.0, 1.0])) if has_gains else None,
    )
    axes = axes_of(partial(shifts.draw_shifts, pairs=pairs, title=""), shifts.HEIGHT)
    assert [t.partition(":")[0] if "Closure" in t else t for t in titles(axes)] == expected


def test_checks_leave_out_maps_that_are_the_same_everywhere() -> None:
    flat = [Panel(title, np.zeros(SHAPE)) for title in ("a", "b")]
    spot = Panel("c", np.pad(np.ones((1, 1)), ((4, 27), (5, 34))))
    for replaced, weight, expected in (
        ([flat[0], spot], np.ones(SHAPE), ["c", "Scatter by radius"]),
        (flat, spot.image, ["Weight of the fit", "Scatter by radius"]),
        (flat, np.ones(SHAPE), ["Scatter by radius"]),
    ):
        content = checks.Checks(replaced, weight, [Panel("noise", make_subtraction().aligned)])
        draw = partial(checks.draw_checks, checks=content, title="", unit="u")
        assert titles(axes_of(draw, content.height)) == expected
        assert (content.height == checks.HEIGHT) == (len(expected) > 1)


def test_nine_dither_points_of_one_stack_have_nine_symbols() -> None:
    pairs = make_pairs()
    columns = {name: column[:9] for name, column in pairs.columns.items()} | {"psf": np.arange(9)}
    one = shifts.Pairs(columns, ["stack"] * 9, np.zeros(9, bool))
    axes = axes_of(partial(shifts.draw_shifts, pairs=one, title=""), shifts.HEIGHT)
    symbols = [container[0].get_marker() for container in axes[0].containers]
    assert len(set(symbols)) == len(symbols) == 9
    names = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert names == [f"psf image {n}" for n in range(9)]


def test_images_are_in_arcseconds_from_the_star_with_north_where_it_is() -> None:
    s = make_subtraction()
    panels = images.subtraction_panels(s, integration=0)
    draw = partial(
        images.draw_images, panels=panels, weight=s.weight, title="", unit="u", view=VIEW
    )
    first = axes_of(draw, images.HEIGHT)[0]
    # Half a pixel beyond the middles of the outer ones; the star is at column 19, row 16.5.
    left, right, lower, upper = first.images[0].get_extent()
    assert (left, right) == (pytest.approx(-19.5 * 0.06), pytest.approx(20.5 * 0.06))
    assert (lower, upper) == (pytest.approx(-17 * 0.05), pytest.approx(15 * 0.05))
    arrow = next(a for a in first.texts if isinstance(a, Annotation))
    north = np.subtract(arrow.xy, arrow.xyann)
    # North is 60 degrees from the rows' direction, towards columns: they point to 330 degrees.
    assert np.degrees(np.arctan2(north[0], north[1])) == pytest.approx(60)


def test_an_excluded_circle_is_round_on_the_sky() -> None:
    axis = Figure().subplots()
    draw_circles(axis, [Circle(column=29.0, row=6.5, radius=4.0)], VIEW)
    (patch,) = axis.patches
    assert patch.center == (pytest.approx(10 * 0.06), pytest.approx(-10 * 0.05))
    assert (patch.width, patch.height) == (pytest.approx(8 * 0.06), pytest.approx(8 * 0.05))


def test_stacked_figures_are_as_high_as_their_parts() -> None:
    part = (partial(draw_notice, title="some exposure", text="psfmask N/A"), 1.5)
    with Image.open(io.BytesIO(draw_stacked([part, part]))) as picture:
        assert picture.size == (1200, 450)


HOSTILE = "$\\frac{<b>}$"


@pytest.mark.bad_input(60)
@pytest.mark.parametrize(
    "text", [HOSTILE, "$a", "_hidden", "a\x1b[2J\x00b", "m" * 4000, "é\u202e$x$"]
)
def test_text_of_a_header_is_drawn_as_it_is(text: str) -> None:
    """Each text is drawn wherever one from outside is; Matplotlib would refuse some as formulas."""
    s, pairs = make_subtraction(), make_pairs()
    origins = [f"{text}{n // 4}" for n in range(N_PSFS)]
    named = dataclasses.replace(pairs, exposures=origins, gains=pairs.gains._replace(unit=text))
    panels = images.subtraction_panels(s, integration=0)
    looked_at = checks.Checks([Panel("replaced", s.weight)], s.weight, panels[:1])
    draws = [
        partial(images.draw_images, panels=panels, weight=s.weight, title=text, unit=text),
        partial(shifts.draw_shifts, pairs=named, title=text),
        partial(checks.draw_checks, checks=looked_at, title=text, unit=text),
        partial(draw_notice, title=text, text=text),
    ]
    for draw in draws:
        assert draw_png(draw, height=4.0)


def test_formula_and_command_are_drawn_as_text() -> None:
    assert drawn(HOSTILE) == r"\$\frac{<b>}\$"
    assert drawn("_a\x1b[2J") == r" _a\x1b[2J"
    assert drawn("m" * 4000) == "m" * 89 + "…"
