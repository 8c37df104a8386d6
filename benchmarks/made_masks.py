"""
Compare masks made from the geometry of a coronagraph with delivered ones.

Each campaign is aligned with the delivered mask, the made one, weight one everywhere, and the made
one whose occulter is two pixels off. Residuals are judged by one measure for all: the pixels where
the delivered mask is above 0.5.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from cases import DATA, Case, chosen_cases
from report import Report

from psfalign.files.exposure import Exposure
from psfalign.files.frames import CleanFrames
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import PairFit
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.frames import Frame
from psfalign.psfmask.file import read_weight
from psfalign.psfmask.maker import CORONAGRAPHS, make_weight
from psfalign.psfmask.reference import locate_occulter, make_psfmask, read_pixel
from psfalign.psfmask.uniform import science_area
from psfalign.steps.clean import clean_exposure

Image = NDArray[np.float64]

NEAR = 3.0  # arcsec from the occulter
OFF = 2.0  # pixels, of an occulter in the wrong place
N_TRUE = 10  # known shifts for each exposure
# Delivered masks without an exposure: the place of their occulter, measured, and arcsec per pixel.
BARE = {
    "jwst_nircam_psfmask_0019.fits": ("MASKA335R", (159.5, 159.5), 0.063),
    "jwst_nircam_psfmask_0003.fits": ("MASKALWB", (159.5, 159.5), 0.063),
    "jwst_miri_psfmask_0009.fits": ("LYOT_2300", (144.0, 164.0), 0.110),
}
PIXELS = (
    "delivered mask",
    "equal near the occulter",
    "equal in the image",
    "rms difference near it",
)
SHIFTS = ("case", "mask", "largest shift from delivered", "residual", "error of known shifts")
LEGEND = (
    f"Equal: share of the pixels that are on the same side of 0.5, within {NEAR:g} arcsec of the",
    "occulter and in the whole image. Largest shift: difference from the shifts with the delivered",
    "mask, in pixels; background: fit. Residual: standard deviation of science − psf / beta over",
    "that of science, median of the pairs, where the delivered mask is above 0.5. Error: rms error",
    "per axis in pixels when the exposure is fitted to itself, moved by a known amount and with",
    "noise as large as its errors added to both.",
)


def compare_pixels(
    delivered: Image, made: Image, occulter: tuple[float, float], pixel: float
) -> tuple[str, str, str]:
    """Return how much two masks agree."""
    rows, columns = np.indices(delivered.shape)
    near = np.hypot(columns - occulter[0], rows - occulter[1]) * pixel <= NEAR
    equal = (delivered > 0.5) == (made > 0.5)
    rms = np.sqrt(np.mean((delivered - made)[near] ** 2))
    return f"{equal[near].mean():.2%}", f"{equal.mean():.2%}", f"{rms:.3f}"


def bare_masks(data: Path) -> Iterator[tuple[str, ...]]:
    """Compare delivered masks for which there is no exposure."""
    for name, (mask, occulter, pixel) in BARE.items():
        for path in sorted(data.rglob(name)):
            delivered = read_weight(path, convention="weight").image
            made = make_weight(delivered.shape, CORONAGRAPHS[mask], occulter, pixel=pixel)
            yield f"{name} ({mask})", *compare_pixels(delivered, made, occulter, pixel)


def weights_of(case: Case, folder: Path) -> dict[str, Image]:
    """Make the masks that are compared, by name."""
    exposure, output = Exposure(case.science), folder / "made.fits"
    made = make_psfmask(case.science, output)
    column, row = locate_occulter(exposure, None, read_pixel(exposure))
    return {
        "delivered": read_weight(case.psfmask).image,
        "made": made,
        "made, 2 pixels off": make_psfmask(case.science, output, star=(column + OFF, row)),
        "uniform": science_area(exposure, bad_bits=1).astype(float),
    }


def read_frames(paths: Sequence[Path], folder: Path) -> list[Frame]:
    """Clean exposures and read all their integrations."""
    frames: list[Frame] = []
    for path in paths:
        clean_exposure(path, folder / "clean.fits")
        with CleanFrames(Exposure(folder / "clean.fits")) as exposure:
            frames += list(exposure)
    return frames


def fit_all(science: Sequence[Frame], psfs: Sequence[Frame], weight: Image) -> list[list[PairFit]]:
    return list(fit_shifts(science, psfs, weight, options=FitOptions(background="fit")))


def residual(science: Frame, psf: Frame, fit: PairFit, judged: NDArray[np.bool_]) -> float:
    """Return what is left of a science image but for a constant, over what was there."""
    aligned = shift_image(psf.image, Shift(-fit.dx, -fit.dy)) / fit.beta
    return float(np.std((science.image - aligned)[judged]) / np.std(science.image[judged]))


def error_of_known_shifts(frame: Frame, weight: Image) -> float:
    """Fit an exposure to itself moved by known amounts, and return the rms error per axis."""
    assert frame.variance is not None
    random, sigma = np.random.default_rng(17), np.sqrt(frame.variance)
    true = random.uniform(-1, 1, (N_TRUE, 2))
    noisy = [Frame(frame.image + random.normal(0, sigma))]
    moved = [
        Frame(shift_image(frame.image, Shift(dx, dy)) + random.normal(0, sigma))
        for dx, dy in true.tolist()
    ]
    [fits_] = fit_all(noisy, moved, weight)
    found = np.array([(fit.dx, fit.dy) for fit in fits_])
    return float(np.sqrt(np.mean((found - true) ** 2)))


def compare_case(case: Case, folder: Path) -> Iterator[tuple[str, ...]]:
    """Align a case with each mask."""
    science, psfs = read_frames([case.science], folder), read_frames(case.psfs, folder)
    weights = weights_of(case, folder)
    judged = weights["delivered"] > 0.5
    reference = None
    for name, weight in weights.items():
        found = fit_all(science, psfs, weight)
        shifts = np.array([[(fit.dx, fit.dy) for fit in row] for row in found])
        reference = shifts if reference is None else reference
        left = [
            residual(frame, psf, fit, judged)
            for frame, row in zip(science, found, strict=True)
            for psf, fit in zip(psfs, row, strict=True)
        ]
        error = error_of_known_shifts(science[0], weight)
        moved = f"{np.abs(shifts - reference).max():.4f}"
        yield case.name, name, moved, f"{np.median(left):.4f}", f"{error:.5f}"


def main() -> None:
    """Compare all delivered masks."""
    with chosen_cases(__doc__) as (cases, folder):
        flight = [case for case in cases if "PPS_APER" in fits.getheader(case.science)]
        report = Report("made_masks", "Masks from the geometry of the coronagraph", ())
        rows = list(bare_masks(DATA)) if DATA.is_dir() else []
        seen = set()
        for case in flight:
            if case.psfmask not in seen:
                exposure = Exposure(case.science)
                pixel = read_pixel(exposure)
                place = locate_occulter(exposure, None, pixel)
                weights = weights_of(case, folder)
                mask = fits.getheader(case.psfmask)["CORONMSK"]
                cells = compare_pixels(weights["delivered"], weights["made"], place, pixel)
                rows.append((f"{case.psfmask.name} ({mask})", *cells))
            seen.add(case.psfmask)
        report.table(PIXELS, rows)
        report.table(SHIFTS, [row for case in flight for row in compare_case(case, folder)])
        report.say(*LEGEND)
        report.write()


if __name__ == "__main__":
    main()
