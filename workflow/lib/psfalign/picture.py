"""The picture of a result: images before and after subtraction, shifts, residual by radius."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Cube, Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The first colours of Okabe and Ito (2008), told apart by all kinds of colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
IMAGES, WEIGHT_LEVEL = "cividis", 0.5
N_RINGS = 40


@dataclass(frozen=True)
class Subtraction:
    """
    What a picture shows of one science image.

    Attributes
    ----------
    science : (rows, columns) float64
    psf : (rows, columns) float64
        Mean of the aligned psf images, each divided by its beta.
    unaligned : (rows, columns) float64
        The same of the psf images before they were aligned.
    weight : (rows, columns) float64
        The weight of the fit.
    """

    science: Image
    psf: Image
    unaligned: Image
    weight: Image

    @property
    def gain(self) -> float:
        """Weighted RMS of the residual without alignment over that with it."""
        before, after = (self._rms(self.science - psf) for psf in (self.unaligned, self.psf))
        return before / after

    def _rms(self, residual: Image) -> float:
        return float(np.sqrt(np.mean((self.weight * residual) ** 2)))


def mean_psf(psfs: Cube, beta: NDArray[np.float64]) -> Image:
    """Average psf images (psfs, rows, columns), each at the flux of the science image."""
    return np.mean(psfs / beta[:, None, None], axis=0)


def draw(
    subtraction: Subtraction,
    shifts: dict[str, NDArray[Any]],
    *,
    integration: int,
    title: str,
    unit: str,
) -> "Figure":
    """
    Draw a result.

    Parameters
    ----------
    subtraction
        The images of one integration.
    shifts
        Columns of the table of shifts, of the pairs that may be used.
    integration
        Which one, counted from 0.
    title
        Name of the exposure.
    unit
        Unit of the images.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), dpi=100, layout="constrained")
    axes = figure.subplots(2, 3)
    s = subtraction
    top = float(np.nanpercentile(np.abs(s.science), 99.9))
    noise = float(1.4826 * np.median(np.abs(s.science - s.psf)))
    panels = (
        (axes[0, 0], s.science, f"Science, integration {integration}"),
        (axes[0, 1], s.psf, "Mean aligned psf, scaled"),
        (axes[1, 0], s.science - s.unaligned, "Residual without alignment"),
        (axes[1, 1], s.science - s.psf, "Residual with alignment"),
    )
    for axis, image, name in panels:
        shown = _show_image(axis, image, name, noise=noise, top=top)
        axis.contour(s.weight, levels=[WEIGHT_LEVEL], colors="white", linewidths=0.6)
    figure.colorbar(shown, ax=axes[:, :2], shrink=0.6, label=f"{unit}, asinh scale")
    _draw_shifts(axes[0, 2], shifts)
    _draw_radial(axes[1, 2], s, unit)
    figure.suptitle(f"{title}: residual ÷ {s.gain:.2f} by alignment")
    return figure


def draw_nothing(*, title: str, reason: str) -> "Figure":
    """Draw the page of an exposure that has no aligned psf image, with the reason."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3), dpi=100)
    figure.text(0.5, 0.6, title, ha="center", fontsize=14)
    figure.text(0.5, 0.35, reason, ha="center", fontsize=12, color=ORANGE)
    return figure


def _show_image(axis: "Axes", image: Image, name: str, *, noise: float, top: float) -> Any:
    from matplotlib.colors import AsinhNorm

    norm = AsinhNorm(linear_width=max(3 * noise, top / 1e4), vmin=-top / 3, vmax=top)
    shown = axis.imshow(image, origin="lower", cmap=IMAGES, norm=norm, interpolation="nearest")
    axis.set(title=name, xlabel="column (pixels)", ylabel="row (pixels)")
    return shown


def _draw_shifts(axis: "Axes", shifts: dict[str, NDArray[Any]]) -> None:
    axis.errorbar(
        shifts["dx"],
        shifts["dy"],
        xerr=shifts["sigma_dx"],
        yerr=shifts["sigma_dy"],
        fmt="o",
        markersize=3,
        elinewidth=0.8,
        color=BLUE,
        ecolor=GREY,
    )
    axis.axhline(0, color=GREY, linewidth=0.5)
    axis.axvline(0, color=GREY, linewidth=0.5)
    axis.set(
        title=f"Shifts of {len(shifts['dx'])} pairs",
        xlabel="dx, psf minus science (pixels)",
        ylabel="dy, psf minus science (pixels)",
    )
    axis.set_aspect("equal", adjustable="datalim")


def _draw_radial(axis: "Axes", subtraction: Subtraction, unit: str) -> None:
    radius = _radius(subtraction.science.shape)
    lines = (
        ("science", subtraction.science, GREY),
        ("without alignment", subtraction.science - subtraction.unaligned, ORANGE),
        ("with alignment", subtraction.science - subtraction.psf, BLUE),
    )
    for name, image, color in lines:
        centres, scatter = radial_scatter(image, radius)
        axis.semilogy(centres, scatter, label=name, color=color)
    axis.set(title="Scatter by radius", xlabel="radius (pixels)", ylabel=f"RMS ({unit})")
    axis.legend(frameon=False)


def radial_scatter(image: Image, radius: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the radii of rings and the root mean square of an image in each of them."""
    edges = np.linspace(0, min(image.shape) / 2, N_RINGS + 1)
    squares, _ = np.histogram(radius, edges, weights=np.nan_to_num(image) ** 2)
    counts, _ = np.histogram(radius, edges)
    filled = counts > 0
    return 0.5 * (edges[1:] + edges[:-1])[filled], np.sqrt(squares[filled] / counts[filled])


def _radius(shape: tuple[int, ...]) -> Image:
    rows, columns = np.indices(shape)
    return np.hypot(rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2)
