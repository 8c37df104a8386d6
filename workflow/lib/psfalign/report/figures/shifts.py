"""Draw the shifts of all pairs, their closure, and the gain by alignment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...campaign.words import plural
from ...fit.result import Status
from ...images.arrays import Bools
from .style import BAD, GOOD, QUIET, Canvas, drawn, inside, shorten, write_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 4.8  # inches, with a legend of at most two lines
MARKERS = "os^DvPX<>*"  # in addition to colours, for prints in black and white
SPREAD = 0.6  # share of the space between two psf images that the integrations of one take
RING: dict[str, Any] = {"markersize": 9, "markerfacecolor": "none", "color": "black", "zorder": 4}
LINE = 100  # characters of the names in a line of the legend
LEGEND, FEW_LINES = 0.18, 2  # inches of a line of the legend; number of lines in `HEIGHT`
SHORT = 15  # characters; five names that are shorter fit into a line
MOST_NAMES = 10  # names in the legend


class Gains(NamedTuple):
    """RMS of the residuals of a science image less each psf image of one integration."""

    integration: int
    psfs: NDArray[np.int64]  # their numbers
    rms: NDArray[np.float64]  # (psfs, 2), before and after they are aligned
    unit: str


@dataclass(frozen=True)
class Pairs:
    """
    The table of shifts, and the origins of its psf images.

    Attributes
    ----------
    columns
        Columns of the table of shifts, each (pairs,).
    exposures
        Name of the psf exposure of each psf image.
    suspicious : (pairs,) bool
        Pairs whose closure is larger than their uncertainty explains.
    gains
        The residuals before and after alignment, if they are known.
    """

    columns: dict[str, NDArray[Any]]
    exposures: Sequence[str]
    suspicious: Bools
    gains: Gains | None = None

    @property
    def groups(self) -> list[str]:
        """Name of the symbol of each psf image: its exposure, or its number if there are few."""
        if len(set(self.exposures)) == 1 < len(self.exposures) <= len(MARKERS):
            return [f"psf image {n}" for n in range(len(self.exposures))]
        return list(self.exposures)

    @property
    def names(self) -> list[str]:
        """Names of all symbols."""
        return list(dict.fromkeys(self.groups))

    @property
    def has_closure(self) -> bool:
        """Whether any pair has a closure."""
        return bool(np.isfinite(self.columns["closure"]).any())

    @property
    def usable(self) -> Bools:
        """Which pairs have a usable fit, (pairs,) bool."""
        return np.asarray(self.columns["status"] == Status.OK)


def height_of(pairs: Pairs) -> float:
    """Return the height of a figure of shifts in inches, which grows with the legend."""
    return HEIGHT + LEGEND * max(0, _count_lines(pairs.names) - FEW_LINES)


def draw_shifts(canvas: Canvas, pairs: Pairs, *, title: str) -> None:
    """Draw shifts with their uncertainties on the left, closure and gains on the right."""
    names = pairs.names
    below = 0.65 + LEGEND * _count_lines(names)
    left, closure, gains = _make_axes(canvas, pairs, below=below)
    group = np.array([names.index(name) for name in pairs.groups])[pairs.columns["psf"]]
    for index in range(len(names)):
        chosen = pairs.usable & (group == index)
        style = {"color": f"C{index % 7}", "marker": MARKERS[index % len(MARKERS)]}
        _draw_positions(left, pairs, chosen, style)
        if closure:
            _draw_closure(closure, pairs, chosen, style)
    _frame_positions(left, pairs)
    if closure:
        _mark_closure(closure, pairs)
    if gains and pairs.gains:
        _draw_gains(gains, pairs.gains)
    _name_groups(canvas, left, names)
    write_title(canvas, title)


def _make_axes(
    canvas: Canvas, pairs: Pairs, *, below: float
) -> "tuple[Axes, Axes | None, Axes | None]":
    """Return the axes of shifts, closure and gains; None for those without data."""
    n_right = pairs.has_closure + (pairs.gains is not None)
    place = inside(canvas, left=0.75, right=0.15, bottom=below, top=0.5)
    n_rows, n_columns = max(1, n_right), 2 if n_right else 1
    grid = canvas.add_gridspec(n_rows, n_columns, **place, wspace=0.24, hspace=0.55)
    left = canvas.add_subplot(grid[:, 0])
    right = [canvas.add_subplot(grid[n, 1]) for n in range(n_right)]
    return left, right[0] if pairs.has_closure else None, right[-1] if pairs.gains else None


def _draw_positions(axis: "Axes", pairs: Pairs, chosen: Bools, style: dict[str, Any]) -> None:
    columns = {name: column[chosen] for name, column in pairs.columns.items()}
    axis.errorbar(
        columns["dx"],
        columns["dy"],
        xerr=columns["sigma_dx"],
        yerr=columns["sigma_dy"],
        linestyle="none",
        elinewidth=0.8,
        ecolor=QUIET,
        **style,
    )


def _draw_closure(axis: "Axes", pairs: Pairs, chosen: Bools, style: dict[str, Any]) -> None:
    axis.plot(_place(pairs)[chosen], pairs.columns["closure"][chosen], linestyle="none", **style)


def _mark_closure(axis: "Axes", pairs: Pairs) -> None:
    place, closure = _place(pairs), pairs.columns["closure"]
    known = np.isfinite(closure)
    expected = np.hypot(pairs.columns["sigma_dx"], pairs.columns["sigma_dy"])[known]
    axis.plot(place[known], expected, "_", color=QUIET, label="uncertainty")
    marked = pairs.suspicious & pairs.usable
    if marked.any():
        label = f"suspicious ({marked.sum()})"
        axis.plot(place[marked], closure[marked], "o", label=label, **RING)
    failed = ~pairs.usable
    if failed.any():
        label = f"fit failed ({failed.sum()})"
        level, transform = np.full(failed.sum(), 0.03), axis.get_xaxis_transform()
        axis.plot(place[failed], level, "x", color=BAD, label=label, transform=transform)
    axis.set(title="Closure: distance from what all pairs imply", ylabel="closure (pixels)")
    _number_psfs(axis)
    axis.set_yscale("log", nonpositive="clip")
    axis.margins(y=0.45)  # the legend, in one line, is in the upper margin
    axis.legend(loc="upper right", ncols=3, handlelength=1, columnspacing=1)


def _draw_gains(axis: "Axes", gains: Gains) -> None:
    """Draw the RMS of the residual of each psf image before and after alignment."""
    before, after = gains.rms.T
    gain = np.median(before / after)
    axis.vlines(gains.psfs, after, before, color=QUIET, linewidth=0.8)
    # The rings are larger than the dots, so that both are seen where alignment changes little.
    axis.plot(gains.psfs, before, "o", label="unaligned", **{**RING, "color": QUIET})
    axis.plot(gains.psfs, after, "o", color=GOOD, label="aligned")
    axis.set(
        title=f"Integration {gains.integration} less one psf image: RMS ÷ {gain:#.4g}",
        ylabel=f"RMS ({drawn(gains.unit)})",
    )
    _number_psfs(axis)
    # The axis starts at zero, because small gains would look large otherwise.
    axis.set_ylim(0, 1.3 * float(gains.rms.max()) or 1.0)
    axis.legend(loc="upper right", ncols=2)


def _number_psfs(axis: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel("psf image, counted from 0")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    left, right = axis.get_xlim()
    axis.set_xlim(min(left, -0.5), max(right, 0.5))


def _place(pairs: Pairs) -> NDArray[np.float64]:
    """Return the coordinate of each pair on the axis of psf images, integrations side by side."""
    integration = pairs.columns["integration"]
    last = max(1, int(integration.max(initial=0)))
    return np.asarray(pairs.columns["psf"] + SPREAD * (integration / last - 0.5))


def _frame_positions(axis: "Axes", pairs: Pairs) -> None:
    from matplotlib.ticker import MaxNLocator

    columns, suspicious = pairs.columns, pairs.suspicious & pairs.usable
    axis.plot(columns["dx"][suspicious], columns["dy"][suspicious], "o", **RING)
    doubtful = columns["doubtful"]
    if doubtful.any():
        label = f"doubtful ({doubtful.sum()})"
        axis.plot(columns["dx"][doubtful], columns["dy"][doubtful], "s", label=label, **RING)
        axis.legend(loc="upper right")
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.12)
    # Draw the lines of no shift only where they do not enlarge the range of the axes.
    if axis.dataLim.y0 < 0 < axis.dataLim.y1:
        axis.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
    if axis.dataLim.x0 < 0 < axis.dataLim.x1:
        axis.axvline(0, color=QUIET, linewidth=0.5, zorder=0)
    axis.set(
        title=f"Shifts of {plural(int(pairs.usable.sum()), 'pair')}",
        xlabel="dx, psf minus science (pixels)",
        ylabel="dy, psf minus science (pixels)",
    )
    axis.xaxis.set_major_locator(MaxNLocator(6))


def _count_lines(names: Sequence[str]) -> int:
    """Return how many lines the legend of some names has."""
    return math.ceil(min(len(names), MOST_NAMES) / _columns_of(names))


def _columns_of(names: Sequence[str]) -> int:
    """Return how many columns the legend of some names has."""
    return min(5 if max(map(len, names)) < SHORT else 2, len(names))


def _name_groups(canvas: Canvas, axis: "Axes", groups: Sequence[str]) -> None:
    handles = [container[0] for container in axis.containers][:MOST_NAMES]
    n_columns = _columns_of(groups)
    names = [drawn(shorten(name, LINE // n_columns)) for name in groups[:MOST_NAMES]]
    if len(groups) > MOST_NAMES:
        names[-1] += f" and {len(groups) - MOST_NAMES} more"
    canvas.legend(handles, names, loc="lower center", ncols=n_columns)
