"""
Compare psfalign's shifts and aligned images with those of jwst 1.15.1 on the same files.

Once with the files as they are, where the two replace bad pixels differently, and once with
psfalign's cleaned files given to both and nothing left to replace.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from scipy.ndimage import fourier_shift

from cases import Case, chosen_cases
from report import Report
from runs import Steps, align, pin_to_one_core, run_peer

Image = NDArray[np.float64]
Fits = NDArray[np.float64]  # (pairs, (dx, dy, beta))

RELEASE = "1.15.1"  # the last that aligns to each integration
COLUMNS = ("case", "pairs", "max abs Δdx", "max abs Δdy", "max abs Δbeta", "image", "error")
COST = "excess of cost in jwst"
LEGEND = (
    "Shifts in pixels. Image: the largest difference of a pixel of an aligned image, over the",
    "largest pixel of that image. Error: the same of ERR, shifted as jwst does (errors: fourier);",
    "in brackets the planes of which jwst leaves nothing but NaN, which are not compared. Excess",
    "of cost: by what share the sum of squares that both minimise is larger with the result of",
    "jwst than with psfalign's, least and most; above 0, psfalign is nearer to the minimum.",
)


@dataclass(frozen=True)
class Difference:
    """The largest differences between two results, over all pairs."""

    n_pairs: int
    dx: float
    dy: float
    beta: float
    image: float
    error: float
    n_empty: int

    @property
    def cells(self) -> tuple[str, ...]:
        """Texts for a table."""
        error = "–" if np.isnan(self.error) else f"{self.error:.1e}"
        shifts = (f"{value:.1e}" for value in (self.dx, self.dy, self.beta, self.image))
        return (str(self.n_pairs), *shifts, f"{error} ({self.n_empty})")


def compare(ours: Steps, theirs: Path) -> Difference:
    """Compare psfalign's table and product with the product of jwst and the shifts beside it."""
    own, other = fits_of(ours, theirs)
    dx, dy, beta = np.abs(own - other).max(axis=0)
    image, _ = _planes_differ(ours.product, theirs, "SCI")
    error, n_empty = _planes_differ(ours.product, theirs, "ERR")
    return Difference(len(own), dx, dy, beta, image, error, n_empty)


def fits_of(ours: Steps, theirs: Path) -> tuple[Fits, Fits]:
    """Read (dx, dy, beta) of all pairs, of psfalign and of jwst."""
    table = Table.read(ours.shifts, format="ascii.ecsv")
    own = np.stack([table[name] for name in ("dx", "dy", "beta")], axis=-1)
    return own, np.load(theirs.with_suffix(".npy")).reshape(own.shape)


def excess(case: Case, ours: Steps, theirs: Path) -> str:
    """Compare the sums of squares with the two results, on psfalign's cleaned images."""
    science, psfs = _planes(ours.science, "SCI"), _planes(ours.psfs, "SCI")
    weight = _planes(case.psfmask, "SCI")[0]
    pairs = [(image, psf) for image in science for psf in psfs]
    own, other = (
        np.array([_cost(*pair, weight, fit) for pair, fit in zip(pairs, found, strict=True)])
        for found in fits_of(ours, theirs)
    )
    shares = other / own - 1
    return f"{shares.min():.0e} to {shares.max():.0e}"


def _cost(science: Image, psf: Image, weight: Image, fit: Image) -> float:
    dx, dy, beta = fit
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(science), (dy, dx))).real
    return float(np.sum((weight * (psf - beta * moved)) ** 2))


def _planes_differ(ours: Path, theirs: Path, extension: str) -> tuple[float, int]:
    """Return the largest difference over the largest value of its plane; and the planes of NaN."""
    own, other = (_planes(path, extension) for path in (ours, theirs))
    usable = np.isfinite(other).all(axis=(1, 2))
    if not usable.any():
        return float("nan"), len(other)
    own, other = own[usable], other[usable]
    peaks = np.abs(other).max(axis=(1, 2))
    differences = np.abs(own - other).max(axis=(1, 2)) / np.where(peaks == 0, 1, peaks)
    return float(differences.max()), int(np.count_nonzero(~usable))


def _planes(path: Path, extension: str) -> Image:
    data = fits.getdata(path, extension).astype(np.float64)
    return data.reshape(-1, *data.shape[-2:])


def compare_case(case: Case, folder: Path, *, cleaned: bool) -> tuple[str, ...]:
    """Align a case with both, and return its row."""
    ours = align(case, folder, errors="fourier")
    theirs = folder / f"jwst_{'cleaned' if cleaned else 'raw'}.fits"
    files = (ours.science, ours.psfs) if cleaned else (case.science, ours.stack)
    words = ["cleaned"] if cleaned else []
    run_peer(RELEASE, "align_refs", *files, case.psfmask, theirs, *words, folder=folder)
    cost = [excess(case, ours, theirs)] if cleaned else []
    return case.name, *compare(ours, theirs).cells, *cost


def main() -> None:
    """Compare all cases, in both ways."""
    pin_to_one_core()
    report = Report("parity", f"psfalign and jwst {RELEASE} on the same files", [RELEASE])
    with chosen_cases(__doc__) as (cases, folder):
        report.say(*LEGEND, "")
        for cleaned, title in ((True, "The same cleaned files"), (False, "Files as they are")):
            places = [(case, folder / str(number)) for number, case in enumerate(cases)]
            rows = [compare_case(case, place, cleaned=cleaned) for case, place in places]
            report.say(f"## {title}", "")
            report.table((*COLUMNS, COST) if cleaned else COLUMNS, rows)
    report.write()


if __name__ == "__main__":
    main()
