"""The shifts of all pairs, and how well they agree with one position for each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...fit.result import Status
from ...images.arrays import Bools
from .style import BAD, QUIET, Canvas, drawn, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 4.2  # inches
MARKERS = "os^DvPX"  # besides the colours, so that print without them is legible, too
SPREAD = 0.6  # of the space between two psf images, what the integrations of one take
RING: dict[str, Any] = {"markersize": 9, "markerfacecolor": "none", "color": "black"}
LINE = 100  # characters of the names in a line of the legend
MOST_NAMES = 8  # in the legend


@dataclass(frozen=True)
class Pairs:
    """
    The table of shifts, and where its psf images come from.

    Attributes
    ----------
    columns
        Columns of the table of shifts, each (pairs,).
    exposures
        Name of the psf exposure of each psf image.
    suspicious : (pairs,) bool
        Pairs whose closure is larger than their uncertainty explains.
    """

    columns: dict[str, NDArray[Any]]
    exposures: Sequence[str]
    suspicious: Bools

    @property
    def usable(self) -> Bools:
        """The pairs whose fit may be used."""
        return np.asarray(self.columns["status"] == Status.OK)


def draw_shifts(canvas: Canvas, pairs: Pairs, *, title: str) -> None:
    """Draw shifts with their uncertainties on the left, their closure on the right."""
    left, right = canvas.subplots(1, 2)
    groups = list(dict.fromkeys(pairs.exposures))
    exposure = np.array([groups.index(name) for name in pairs.exposures])
    group = exposure[pairs.columns["psf"]]
    for index in range(len(groups)):
        chosen = pairs.usable & (group == index)
        style = {"color": f"C{index % 7}", "marker": MARKERS[index % len(MARKERS)]}
        _draw_positions(left, pairs, chosen, style)
        _draw_closure(right, pairs, chosen, style)
    _mark_what_deserves_a_look(left, right, pairs)
    _frame(left, right, pairs)
    _name_groups(canvas, left, groups)
    canvas.suptitle(drawn(title))


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


def _mark_what_deserves_a_look(left: "Axes", right: "Axes", pairs: Pairs) -> None:
    place, columns = _place(pairs), pairs.columns
    closure = columns["closure"]
    known = np.isfinite(closure)
    expected = np.hypot(columns["sigma_dx"], columns["sigma_dy"])[known]
    right.plot(place[known], expected, "_", color=QUIET, label="uncertainty of the shift")
    marked = pairs.suspicious & pairs.usable
    if marked.any():
        label = f"suspicious ({marked.sum()})"
        right.plot(place[marked], closure[marked], "o", label=label, **RING)
        left.plot(columns["dx"][marked], columns["dy"][marked], "o", **RING)
    doubtful = columns["doubtful"]
    if doubtful.any():
        label = f"doubtful ({doubtful.sum()})"
        left.plot(columns["dx"][doubtful], columns["dy"][doubtful], "s", label=label, **RING)
        left.legend(loc="upper right")
    failed = ~pairs.usable
    if failed.any():
        right.plot(
            place[failed],
            np.full(failed.sum(), 0.03),
            "x",
            color=BAD,
            label=f"fit failed ({failed.sum()}), without closure",
            transform=right.get_xaxis_transform(),
        )


def _place(pairs: Pairs) -> NDArray[np.float64]:
    """Return the place of each pair on an axis of psf images, the integrations side by side."""
    integration = pairs.columns["integration"]
    last = max(1, int(integration.max(initial=0)))
    return np.asarray(pairs.columns["psf"] + SPREAD * (integration / last - 0.5))


def _frame(left: "Axes", right: "Axes", pairs: Pairs) -> None:
    from matplotlib.ticker import MaxNLocator

    left.set_aspect("equal", adjustable="datalim")
    left.margins(0.12)
    # No shift at all is drawn where it lies among the shifts, or they would be crowded.
    if left.dataLim.y0 < 0 < left.dataLim.y1:
        left.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
    if left.dataLim.x0 < 0 < left.dataLim.x1:
        left.axvline(0, color=QUIET, linewidth=0.5, zorder=0)
    left.set(
        title=f"Shifts of {pairs.usable.sum()} pairs",
        xlabel="dx, psf minus science (pixels)",
        ylabel="dy, psf minus science (pixels)",
    )
    right.set(
        title="Closure: distance from what all pairs imply",
        xlabel="psf image, counted from 0",
        ylabel="closure (pixels)",
    )
    left.xaxis.set_major_locator(MaxNLocator(6))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    if np.isfinite(pairs.columns["closure"]).any():
        right.set_yscale("log", nonpositive="clip")
        right.margins(y=0.25)
        right.legend(loc="upper right")
    else:
        right.set_yticks([])
        text = "none: no pair can contradict another"
        right.text(0.5, 0.5, text, ha="center", transform=right.transAxes, color=QUIET)


def _name_groups(canvas: Canvas, axis: "Axes", groups: Sequence[str]) -> None:
    handles = [container[0] for container in axis.containers][:MOST_NAMES]
    n_columns = min(2, len(groups))
    names = [drawn(shorten(name, LINE // n_columns)) for name in groups[:MOST_NAMES]]
    if len(groups) > MOST_NAMES:
        names[-1] += f" and {len(groups) - MOST_NAMES} more"
    canvas.legend(handles, names, loc="outside lower center", ncols=n_columns)
