"""
Draw the figures of docs/algorithm.md into docs/images, or into a folder that is given.

Everything is computed by the library, on a pair of the simulated demo.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "lib"))

from psfalign.campaign.words import plural  # noqa: E402
from psfalign.files.exposure import Exposure  # noqa: E402
from psfalign.files.frames import CleanFrames  # noqa: E402
from psfalign.fit.pair import Pair  # noqa: E402
from psfalign.fit.polynomials import CrossTerm, Jet  # noqa: E402
from psfalign.fit.spectral import Psf, Science, Weighted, maximise, merit_of, search_window  # noqa: E402
from psfalign.images.fourier import Shift, column_factors  # noqa: E402
from psfalign.images.mask_weight import weigh  # noqa: E402
from psfalign.psfmask.file import read_mask  # noqa: E402
from psfalign.simulate import simulate_campaign  # noqa: E402
from psfalign.steps.clean import clean_exposure  # noqa: E402

REACH = 10  # pixels, the range of the search
ZOOM = 1.0  # pixels around the maximum
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"  # told apart by colour-blind readers
SCIENCE, PSFS = "jw09999001001", "jw09999-a3001"  # how the names of the demo's files begin


def demo_pair(folder: Path) -> Pair:
    """Prepare the first integration and psf image of the demo, cleaned."""
    simulate_campaign(folder)
    images = []
    for begin in (SCIENCE, PSFS):
        source = next(folder.glob(f"{begin}*.fits"))
        clean_exposure(source, folder / f"clean_{source.name}")
        with CleanFrames(Exposure(folder / f"clean_{source.name}")) as frames:
            images.append(frames[0].image)
    mask = next(path for path in folder.glob("psfmask*nircam*.fits"))
    weighted = Weighted(weigh(read_mask(mask)).image)
    science, psf = images
    return Pair(Science.of(science, weighted), Psf.of(psf, weighted), weighted, psf)


def draw_fit(pair: Pair) -> Figure:
    """Show the search on whole pixels, and Newton's steps around the maximum."""
    figure = Figure(figsize=(9, 4), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    side = np.arange(-REACH, REACH + 1)
    grid = quality(pair, side, side)
    picture = left.imshow(grid, origin="lower", extent=_edges(side), cmap="cividis", vmin=0, vmax=1)
    window = merit_of(pair.cross.on_window(REACH), pair.science.window_inverse(REACH))
    start = search_window(window)
    left.plot(*start, "o", color=ORANGE, markerfacecolor="none", label="best of the search")
    left.set_xticks(side[::5])
    left.set_yticks(side[::5])
    left.legend(loc="upper left")
    left.set_title("Search on whole pixels")
    steps = newton_steps(pair, start)
    fine = np.linspace(-ZOOM, ZOOM, 81)
    in_x, in_y = steps[-1][0] + fine, steps[-1][1] + fine
    around = quality(pair, in_x, in_y)
    contours = right.contour(in_x, in_y, around, levels=12, colors=GREY, linewidths=0.8)
    right.clabel(contours, fmt="%.2f", fontsize=8)
    label = f"start, and {plural(len(steps) - 1, 'step')}"
    right.plot(*zip(*steps, strict=True), "o-", color=ORANGE, label=label)
    right.set_aspect("equal")
    right.legend(loc="upper left")
    right.set_title("Newton's method")
    for axes in (left, right):
        axes.set_xlabel("dx (pixels)")
        axes.set_ylabel("dy (pixels)")
    figure.colorbar(picture, ax=left, label="B² / (A C)", shrink=0.8)
    return figure


def quality(pair: Pair, in_x: NDArray, in_y: NDArray) -> NDArray[np.float64]:
    """B²/(AC) at some shifts, (dy, dx); 0 where B is negative."""
    cross, energy = pair.cross, pair.science.energy
    shifts = [[Shift(float(x), float(y)) for x in in_x] for y in in_y]
    values = [
        [max(cross.at(d).value, 0.0) ** 2 / energy.at(d).value for d in row] for row in shifts
    ]
    return np.array(values) / pair.psf.energy


@dataclass
class Watched:
    """B(d) that remembers where it was asked for."""

    term: CrossTerm
    asked: list[Shift]

    def at(self, shift: Shift) -> Jet:
        """Value and derivatives at one shift."""
        self.asked.append(shift)
        return self.term.at(shift)


def newton_steps(pair: Pair, start: Shift) -> list[Shift]:
    """Return the shifts at which Newton's method was, from start to end."""
    watched = Watched(pair.cross, [])
    maximise(watched, pair.science.energy, start)  # type: ignore[arg-type]
    return watched.asked


def draw_kernel(_pair: Pair) -> Figure:
    """Show the kernel of a shift along one axis, and its square."""
    figure = Figure(figsize=(9, 3.2), layout="constrained", dpi=120)
    size = 32
    pixel = np.arange(size) - size // 2
    for axes, power, label in zip(figure.subplots(1, 2), (1, 2), ("K", "K²"), strict=True):
        for shift, colour, marker in ((0.0, GREY, "s"), (0.3, BLUE, "o"), (0.5, ORANGE, "^")):
            kernel = np.fft.irfft(column_factors(size, shift), n=size)
            values = np.roll(kernel, size // 2) ** power
            axes.plot(pixel, values, marker=marker, color=colour, label=f"{shift} pixels", ms=4)
        axes.set_xlim(-8, 8)
        axes.set_xlabel("pixel")
        axes.set_ylabel(label)
        axes.legend(title="shift")
    return figure


def _edges(side: NDArray) -> tuple[float, float, float, float]:
    return side[0] - 0.5, side[-1] + 0.5, side[0] - 0.5, side[-1] + 0.5


FIGURES: dict[str, Callable[[Pair], Figure]] = {
    "algorithm_fit.png": draw_fit,
    "algorithm_kernel.png": draw_kernel,
}


def draw_all(folder: Path) -> None:
    """Draw all figures; the same code gives the same bytes."""
    with tempfile.TemporaryDirectory(prefix="psfalign-") as scratch:
        pair = demo_pair(Path(scratch))
    for name, draw in FIGURES.items():
        draw(pair).savefig(folder / name, metadata={"Software": None})


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
