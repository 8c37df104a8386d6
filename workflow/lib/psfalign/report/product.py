"""Draw the content of a product, for the command ``psfalign show``."""

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
from ..images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from ..images.frames import choose_frames
from ..images.subtraction import scatter_of_psfs, shift_psf, subtract_psfs
from ..system.atomic_file import publish_bytes
from .figures import checks, images, shifts
from .figures.images import Panel
from .figures.notice import NOTICE_HEIGHT, draw_notice
from .figures.shifts import Gains
from .figures.style import Draw, draw_stacked
from .figures.view import PIXELS, View
from .summary import Columns, usable_pairs


def show_product(path: Path, output: Path, *, science: Path | None = None) -> Columns:
    """
    Draw the content of a product: images, shifts, flags, weight.

    Circles that the fit excluded are drawn. Residuals and colour scales do not include them.

    Parameters
    ----------
    path
        The product.
    output
        The figure to write, PNG.
    science
        The cleaned science exposure. If it is given, residuals are drawn, too. The psf images
        before alignment are obtained by shifting the aligned ones back.

    Returns
    -------
    dict
        The columns of the table of shifts, by name.

    Raises
    ------
    InputError
        If ``science`` is not the exposure that the product was aligned to.
    """
    with Product(path) as product:
        publish_bytes(output, draw_stacked(_parts(product, science)))
    return product.columns


def _parts(product: Product, science: Path | None) -> list[tuple[Draw, float]]:
    """Return the functions that draw a product, each with its height in inches."""
    title = stem(product.path.name).removesuffix("_psfalign")
    usable = product.columns["status"] == Status.OK
    if not usable.any():
        text = f"all {len(product)} fits failed"
        return [(partial(draw_notice, title=title, text=text), NOTICE_HEIGHT)]
    integration = int(product.columns["integration"][usable][0])
    weight, unit = product.read_weight(), product.unit
    view = PIXELS if science is None else View.of(Exposure(science))
    circles = product.circles
    panels, gains = _panels(product, integration, science)
    of_images = partial(
        images.draw_images,
        panels=panels,
        weight=weight,
        title=title,
        unit=unit,
        view=view,
        circles=circles,
    )
    pairs = shifts.Pairs(product.columns, product.origins, product.columns["suspicious"], gains)
    profiles = [panels[0], *panels[1:][-2:]]
    looked_at = checks.Checks(_flagged(product), weight, profiles, circles, view)
    return [
        (of_images, images.height_of(panels)),
        (partial(shifts.draw_shifts, pairs=pairs, title=""), shifts.height_of(pairs)),
        (partial(checks.draw_checks, checks=looked_at, title="", unit=unit), looked_at.height),
    ]


def _panels(
    product: Product, integration: int, science: Path | None
) -> tuple[list[Panel], Gains | None]:
    rows = np.flatnonzero(usable_pairs(product.columns, integration))
    aligned, weight = map(product.read_image, rows.tolist()), product.read_weight()
    if science is None:
        mean, scatter = scatter_of_psfs(np.array(list(aligned)), weight)
        title = f"Mean of the aligned psf images, integration {integration}"
        return [Panel(title, mean), Panel("How much they differ (RMS)", scatter)], None
    image = _science(product, science, integration)
    shift = (product.columns[name][rows].tolist() for name in ("dx", "dy"))
    pairs = (
        (shift_psf(psf, dx, dy, product.padding), psf)
        for psf, dx, dy in zip(aligned, *shift, strict=True)
    )
    subtraction = subtract_psfs(image, pairs, weight, product.background)
    gains = Gains(integration, product.columns["psf"][rows], subtraction.rms, product.unit)
    return images.subtraction_panels(subtraction, integration=integration), gains


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
