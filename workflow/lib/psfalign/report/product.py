"""show: the shifts of a product at a glance, without anything but the product."""

from functools import partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.frames import CleanFrames
from ..files.origins import stem
from ..files.product import Product
from ..fit.result import Status
from ..images.arrays import Image
from ..images.background import subtract_background
from ..images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from ..images.frames import choose_frames
from ..images.subtraction import Subtraction, mean_psf, scatter_of_psfs, shift_all
from ..system.atomic_file import publish_bytes
from .figures import checks, images, shifts
from .figures.images import Panel
from .figures.style import Draw, draw_stacked
from .summary import Columns


def show_product(path: Path, output: Path, *, science: Path | None = None) -> Columns:
    """
    Draw what a product holds: images, shifts, flags, weight.

    Parameters
    ----------
    path
        The product.
    output
        The figure to write, PNG.
    science
        The cleaned science exposure. With it, the residuals are drawn; the psf images before
        alignment are the aligned ones shifted back.

    Returns
    -------
    The columns of the table of shifts.
    """
    with Product(path) as product:
        publish_bytes(output, draw_stacked(_parts(product, science)))
    return product.columns


def _parts(product: Product, science: Path | None) -> list[tuple[Draw, float]]:
    title = stem(product.path.name).removesuffix("_psfalign")
    usable = product.columns["status"] == Status.OK
    pairs = shifts.Pairs(product.columns, product.origins, product.columns["suspicious"])
    parts: list[tuple[Draw, float]] = []
    if usable.any():
        panels = _panels(product, int(product.columns["integration"][usable][0]), science)
        weight, unit = product.read_weight(), product.unit
        of_images = partial(
            images.draw_images, panels=panels, weight=weight, title=title, unit=unit
        )
        looked_at = checks.Checks(_flagged(product), weight, [panels[0], *panels[1:][-2:]])
        of_checks = partial(checks.draw_checks, checks=looked_at, title="", unit=unit)
        parts = [(of_images, images.height_of(panels)), (of_checks, checks.HEIGHT)]
    parts.insert(1, (partial(shifts.draw_shifts, pairs=pairs, title=""), shifts.HEIGHT))
    return parts


def _panels(product: Product, integration: int, science: Path | None) -> list[Panel]:
    rows = np.flatnonzero(
        (product.columns["integration"] == integration) & (product.columns["status"] == Status.OK)
    )
    cube = np.array([product.read_image(row) for row in rows.tolist()])
    dx, dy, beta = (product.columns[name][rows] for name in ("dx", "dy", "beta"))
    if science is None:
        return [
            Panel(
                f"Mean of the aligned psf images, integration {integration}", mean_psf(cube, beta)
            ),
            Panel("How much they differ (RMS)", scatter_of_psfs(cube, beta)),
        ]
    image = _science(product, science, integration)
    before = mean_psf(shift_all(cube, dx, dy, product.padding), beta)
    weight = product.read_weight()
    image, after, before = (
        subtract_background(plane, weight, product.background)
        for plane in (image, mean_psf(cube, beta), before)
    )
    subtraction = Subtraction(image, after, before, weight)
    return images.subtraction_panels(subtraction, integration=integration)


def _science(product: Product, science: Path, integration: int) -> Image:
    made_from, given = text_of(product.primary, "SCISHA"), Exposure(science)
    if text_of(given.primary, "RAWSHA") != made_from:
        problem = f"is not the cleaned exposure that {product.path} was aligned to"
        remedy = f"name the cleaned {text_of(product.primary, 'SCIFILE')}"
        raise InputError(problem, file=science, remedy=remedy)
    with CleanFrames(given) as frames:
        return choose_frames(frames, product.align_to)[integration].image


def _flagged(product: Product) -> list[Panel]:
    titles = {"Touched by replaced pixels": FLUX_ESTIMATED, "Not to be used": DO_NOT_USE}
    total = np.zeros((len(titles), *product.read_weight().shape))
    for dq in product.read_dq():
        total += [(dq & np.uint32(bit)) != 0 for bit in titles.values()]
    return [Panel(title, t / len(product)) for title, t in zip(titles, total, strict=True)]
