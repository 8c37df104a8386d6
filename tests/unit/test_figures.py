"""
Figures of seeded arrays, compared with stored ones.

PSFALIGN_NEW_BASELINES=1 stores them anew. The tolerance is the root mean square of the difference
in grey levels of 255: the same matplotlib draws the same bytes, another one moves letters by a
fraction of a pixel, which makes 2 to 3; a line or a panel that changes makes 6 and more.
"""

import dataclasses
import io
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from psfalign.images.circles import Circle
from psfalign.images.subtraction import Subtraction
from psfalign.report.figures import checks, images, shifts
from psfalign.report.figures.images import Panel
from psfalign.report.figures.notice import draw_notice
from psfalign.report.figures.style import LARGEST, draw_png, draw_stacked, drawn

BASELINE = Path(__file__).parents[1] / "baseline"
TOLERANCE = 5.0  # grey levels
SHAPE = (32, 40)
N_INTEGRATIONS, N_PSFS = 3, 8


def make_subtraction(seed: int = 1, shape: tuple[int, int] = SHAPE) -> Subtraction:
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    radius = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2)
    star = 100 * np.exp(-((radius / (shape[0] / 6)) ** 2))
    noisy = [star + rng.normal(0, 1, shape) for _ in range(2)]
    return Subtraction(noisy[0], noisy[1], np.roll(star, 1, axis=1), np.clip(radius / 8, 0, 1))


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
    return shifts.Pairs(columns, [f"star_{i // 3}" for i in range(N_PSFS)], suspicious)


def draw_images(s: Subtraction) -> bytes:
    panels = images.subtraction_panels(s, integration=0)
    draw = partial(images.draw_images, panels=panels, weight=s.weight, title="t", unit="MJy/sr")
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
        [Panel("Science", s.science), Panel("Residual with alignment", s.science - s.psf)],
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


def test_stored_figures_are_small() -> None:
    assert all(path.stat().st_size < 100_000 for path in BASELINE.iterdir())
    assert {path.stem for path in BASELINE.iterdir()} == set(FIGURES)


def test_tolerance_notices_another_image() -> None:
    s = make_subtraction()
    changed = Subtraction(s.science, s.psf, s.psf, s.weight)
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
    content = draw_images(Subtraction(*noise, np.ones(shape)))
    assert 50_000 < len(content) <= LARGEST


def test_figures_do_not_depend_on_the_users_style() -> None:
    import matplotlib as mpl

    before = draw_shifts(make_pairs())
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        assert draw_shifts(make_pairs()) == before


def test_shifts_without_any_closure_are_drawn() -> None:
    assert len(draw_shifts(make_pairs(closure=np.nan))) > 5000


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
    named = shifts.Pairs(pairs.columns, [text] * N_PSFS, pairs.suspicious)
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
