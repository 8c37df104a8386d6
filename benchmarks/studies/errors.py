"""Compare the errors of products with a Monte Carlo: of a shift alone, and of the whole way."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from report import Report
from scenes import KEYWORDS

from .observe import Scene
from psfalign.fit.integration import FitOptions
from psfalign.images.arrays import Cube, Image
from psfalign.images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED, NON_SCIENCE
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.plane import Plane
from psfalign.images.shifted_psf import Movable
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask

SHAPE = (48, 56)
N_DRAWS = 8000
SHIFTS = (Shift(0.5, 0.5), Shift(1.3, -0.6), Shift(-7.25, 3.1))

LEVELS = (3e-4, 3e-3, 1e-2)  # noise of the brightest seen pixel
FLOOR = 1e-2  # of its variance, everywhere
BAD = 0.01  # share of pixels that are flagged and replaced
UNKNOWN = 1e-3  # share of good pixels whose error is not known
SKY = 3.0  # over the brightest seen pixel
BLIND = 8  # columns off the science area of MIRI
N_SCIENCES, N_PSFS = 4, 25
FAR = 3.0  # standard errors


def study(report: Report, scenes: list[Scene]) -> None:
    """Print both."""
    _study_shifts(report)
    _study_products(report, scenes)


def _study_shifts(report: Report) -> None:
    """Print ratios of variances, pixel by pixel."""
    chance = np.sqrt(2 / N_DRAWS)
    report.say(
        "## Errors of shifted images",
        "",
        f"Variance of each pixel of {N_DRAWS} shifted noisy images of {SHAPE[1]}×{SHAPE[0]} pixels",
        "over that which ERR of the shifted plane says. Errors before the shift: between 1 and 10",
        f"at random, with ten pixels of 100. By chance alone ratios scatter by {chance:.3f}.",
        "",
    )
    rng = np.random.default_rng(1)
    error = rng.uniform(1.0, 10.0, SHAPE)
    error.ravel()[rng.choice(error.size, 10, replace=False)] = 100.0
    none = np.zeros(SHAPE, dtype=bool)
    plane = Plane(np.zeros(SHAPE), error, none.astype(np.uint32))
    movable, rows = Movable.of(plane, none), []
    for shift in SHIFTS:
        squares = np.zeros(SHAPE)
        for _ in range(N_DRAWS):
            squares += shift_image(rng.normal(0.0, error), shift) ** 2
        _, expected = movable.moved(shift)
        ratio = squares / N_DRAWS / expected.astype(np.float64) ** 2
        near = np.mean(np.abs(np.sqrt(ratio) - 1) < 0.05)
        spread = f"{ratio.std():.3f}"
        extremes = f"{ratio.min():.3f} to {ratio.max():.3f}"
        rows.append((tuple(shift), f"{ratio.mean():.4f}", spread, extremes, f"{near:.2%}"))
    columns = ("shift", "mean", "spread", "least and most", "errors within 5 %")
    report.table(columns, rows)


def _study_products(report: Report, scenes: list[Scene]) -> None:
    """Print how many pixels of products are farther from the truth than their errors say."""
    report.say(
        "## Errors of products",
        "",
        f"{N_SCIENCES} integrations and {N_PSFS} psf images, shifted by up to a pixel, with photon",
        f"noise on a floor of {FLOOR:g} of the variance at the peak and a sky of {SKY:g};",
        f"{BAD:.0%} of all pixels are flagged and hold garbage, of {UNKNOWN:.1%} ERR is NaN, 0 or",
        f"1e6, and {BLIND} columns of MIRI are NON_SCIENCE. They go through clean, fit and",
        "align with the defaults; each plane is compared with the psf without noise, shifted",
        f"alike. Of Gaussian noise, 0.27 % is beyond {FAR:g} standard errors. Replaced: pixels of",
        "the cleaned psf images that were replaced by a median, against the truth.",
        "",
    )
    rows = []
    for scene in scenes:
        for level in LEVELS:
            with tempfile.TemporaryDirectory(prefix="psfalign-errors-") as folder:
                kinds = Campaign(scene, level, seed=1).pulls(Path(folder))
            cells = [cell for pulls in kinds for cell in _cells(pulls)]
            rows.append((scene.name, f"{level:g}", *cells))
    parts = (f"beyond {FAR:g} ERR", "RMS", "most")
    columns = ("unflagged pixels", *parts, "replaced", *(f"{name} " for name in parts))
    report.table(("scene", "noise", *columns), rows)


def _cells(pulls: NDArray[np.float64]) -> tuple[str, ...]:
    rms = np.sqrt(np.mean(pulls**2))
    return str(len(pulls)), f"{np.mean(pulls > FAR):.2%}", f"{rms:.3f}", f"{pulls.max():.1f}"


@dataclass(frozen=True)
class Campaign:
    """A science exposure and psf images of a scene, with everything that pixels can suffer."""

    scene: Scene
    level: float
    seed: int

    @property
    def is_miri(self) -> bool:
        """Whether columns lie off the science area."""
        return self.scene.name.startswith("MIRI")

    def pulls(self, folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Align; return deviations from the truth over ERR.

        They are those of unflagged pixels of the product, and of replaced pixels of the cleaned
        psf images.
        """
        rng = np.random.default_rng(self.seed)
        sciences = self._observe(rng, N_SCIENCES)
        psfs = self._observe(rng, N_PSFS)
        cards = KEYWORDS | ({"INSTRUME": "MIRI"} if self.is_miri else {})
        for name, images in (("science", sciences), ("psfs", psfs)):
            write(folder / f"{name}.fits", self._spoil(rng, images), cards)
        write(folder / "mask.fits", {"SCI": self.scene.weight}, cards)
        product = align(folder)
        return np.concatenate([*_of_product(product, psfs)]), _of_replaced(folder, psfs)

    def _observe(self, rng: np.random.Generator, n_images: int) -> Cube:
        shifts = [Shift(*rng.uniform(-0.5, 0.5, 2)) for _ in range(n_images)]
        return np.array([shift_image(self.scene.star, shift) for shift in shifts]) + SKY

    def _spoil(self, rng: np.random.Generator, truth: Cube) -> dict[str, NDArray[np.generic]]:
        error = self.level * np.sqrt((truth - SKY).clip(0) + FLOOR)
        image = truth + error * rng.normal(size=truth.shape)
        dq = np.where(rng.random(truth.shape) < BAD, DO_NOT_USE, 0)
        if self.is_miri:
            dq[..., :BLIND] = DO_NOT_USE | NON_SCIENCE
        image[dq != 0] = 100.0
        unknown = rng.random(truth.shape) < UNKNOWN
        error[unknown] = rng.choice([np.nan, 0.0, 1e6], np.count_nonzero(unknown))
        floats = {"SCI": image.astype(np.float32), "ERR": error.astype(np.float32)}
        return {**floats, "DQ": dq.astype(np.uint32)}


def _of_product(product: Path, psfs: Cube) -> Iterator[NDArray[np.float64]]:
    with fits.open(product, memmap=False) as hdus:
        planes = [hdus[name].data.astype(float) for name in ("SCI", "ERR")]
        unflagged, shifts = hdus["DQ"].data == 0, hdus["SHIFTS"].data
    assert (shifts["status"] == "ok").all()
    for row in shifts:
        where = row["integration"], row["psf"]
        expected = shift_image(psfs[row["psf"]], Shift(-row["dx"], -row["dy"]))
        pull = np.abs(planes[0][where] - expected) / planes[1][where]
        yield pull[unflagged[where]]


def _of_replaced(folder: Path, psfs: Cube) -> NDArray[np.float64]:
    with fits.open(folder / "psfs_clean.fits", memmap=False) as hdus:
        images, errors, flags = (hdus[name].data for name in ("SCI", "ERR", "DQ"))
    replaced = (flags & FLUX_ESTIMATED != 0) & (flags & NON_SCIENCE == 0)
    return np.asarray(np.abs(images - psfs)[replaced] / errors[replaced])


def align(folder: Path) -> Path:
    """Take science.fits, psfs.fits and mask.fits all the way; return the product."""
    resolve_psfmask(
        folder / "science.fits", folder / "mask.json", psfmask=str(folder / "mask.fits")
    )
    for name in ("science", "psfs"):
        clean_exposure(folder / f"{name}.fits", folder / f"{name}_clean.fits")
    names = ("science_clean.fits", "psfs_clean.fits", "mask.json", "shifts.ecsv", "product.fits")
    science, psfs, mask, shifts, product = map(folder.joinpath, names)
    fit_exposure(science, psfs, mask, shifts, options=FitOptions())
    align_exposure(psfs, shifts, mask, product)
    return product


def write(
    path: Path, images: dict[str, Image | NDArray[np.generic]], cards: dict[str, str]
) -> None:
    """Write images as a FITS file."""
    primary = fits.PrimaryHDU(header=fits.Header(cards))
    hdus = [fits.ImageHDU(np.asarray(image), name=name) for name, image in images.items()]
    if len(images) == 1:
        primary.header.update({"REFTYPE": "PSFMASK", "USEAFTER": "2022-07-01T00:00:00"})
        hdus[0].data = hdus[0].data.astype(np.float32)
    fits.HDUList([primary, *hdus]).writeto(path)
