"""
The numbers of jwst, where they are right; UPSTREAM.md has where they are not.

Shifts, aligned images and errors are compared with jwst 1.15.1, which aligns every integration;
cleaned pixels with 3.0.0, whose rules are the documented ones. tests/data/README.md describes the
cases.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from simulate import Image, read_only

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.fit.result import Status
from psfalign.images.bad_pixels import CleanImage, clean_image
from psfalign.images.fourier import Shift
from psfalign.images.frames import Frame
from psfalign.images.mask_weight import weigh
from psfalign.images.plane import Plane
from psfalign.images.shifted_psf import Movable

DATA = Path(__file__).parents[1] / "data" / "upstream"
CASES = ["clean", "bad", "oddsize", "miri"]
DO_NOT_USE, NON_SCIENCE = 1, 512
FLOAT32 = 2.0**-24  # relative: half a unit in the last place


@dataclass(frozen=True)
class Case:
    """Inputs and what upstream made of them."""

    name: str

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        with np.load(DATA / f"{self.name}.npz") as stored:
            return {name: stored[name] for name in stored.files}

    def read(self, file: str, extension: str) -> np.ndarray:
        kind = np.uint32 if extension == "DQ" else np.float64
        return read_only(self._arrays[f"{file}_{extension}"].astype(kind))

    def load_fixed(self, version: str, file: str) -> np.ndarray:
        """Cleaned images, of which the pixels are stored that are not those of the file."""
        images = self._arrays[f"{file}_SCI"].astype(np.float64)
        name = f"{version}_{file}fixed"
        images.flat[self._arrays[f"{name}_pixels"]] = self._arrays[f"{name}_values"]
        return read_only(images)

    def load_shifts(self) -> np.ndarray:
        return read_only(self._arrays["1.15.1_shifts"].astype(np.float64))

    @cached_property
    def is_miri(self) -> bool:
        return self.name == "miri"

    @cached_property
    def planes(self) -> list["DirtyPlane"]:
        """All planes, of the science and the psfs, with what upstream made of them."""
        return [
            DirtyPlane(image, dq, documented, oldest, zero_non_science=self.is_miri)
            for name in ("sci", "psf")
            for image, dq, documented, oldest in zip(
                self.read(name, "SCI"),
                self.read(name, "DQ"),
                self.load_fixed("3.0.0", name),
                self.load_fixed("1.15.1", name),
                strict=True,
            )
        ]

    def fit(self, sciences: list[Image], psfs: list[Image], method: str = "spectral") -> np.ndarray:
        """Shifts and fluxes, (integrations, psfs, 3)."""
        weight = weigh(self.read("psfmask", "SCI"), convention="weight").image
        frames = [Frame(psf) for psf in psfs]
        options = FitOptions(method=method, max_shift=10, background="none")
        fits_of_all = list(fit_shifts([*map(Frame, sciences)], frames, weight, options=options))
        assert {f.status for row in fits_of_all for f in row} == {Status.OK}
        return np.array([[(f.dx, f.dy, f.beta) for f in row] for row in fits_of_all])


@dataclass(frozen=True)
class DirtyPlane:
    """An image, its flags, how 3.0.0 and 1.15.1 cleaned it, and the reasons why ours differs."""

    image: Image
    dq: np.ndarray
    documented: Image
    oldest: Image
    zero_non_science: bool

    @cached_property
    def ours(self) -> CleanImage:
        return clean_image(
            self.image, self.dq, bad_bits=DO_NOT_USE, zero_non_science=self.zero_non_science
        )

    @cached_property
    def stored(self) -> np.ndarray:
        """Ours as a file has it."""
        return self.ours.image.astype(np.float32)

    @property
    def outside(self) -> np.ndarray:
        return self.replaced & ((self.dq & NON_SCIENCE) != 0) & self.zero_non_science

    @property
    def replaced(self) -> np.ndarray:
        return ((self.dq & DO_NOT_USE) != 0) | ~np.isfinite(self.image)

    @property
    def bad(self) -> np.ndarray:
        return self.replaced & ~self.outside

    @property
    def unflagged(self) -> np.ndarray:
        return np.isnan(self.image) & ((self.dq & DO_NOT_USE) == 0)

    @property
    def first_row_or_column(self) -> np.ndarray:
        first = np.zeros_like(self.bad)
        first[0] = first[:, 0] = True
        return self.bad & first

    @property
    def empty_box(self) -> np.ndarray:
        return self.bad & ~neighbours(~self.replaced).any(axis=0)

    @property
    def fed_by_a_filled_pixel(self) -> np.ndarray:
        """An unflagged NaN comes before it in the order of upstream's scan."""
        return self.bad & neighbours(self.unflagged)[:4].any(axis=0)

    @property
    def deliberate(self) -> np.ndarray:
        return self.first_row_or_column | self.empty_box | self.fed_by_a_filled_pixel


def neighbours(pixels: np.ndarray) -> np.ndarray:
    """Return the eight neighbours of every pixel, the four before it in a scan first."""
    rows, columns = pixels.shape
    padded = np.pad(pixels, 1)
    offsets = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    return np.stack([padded[i : i + rows, j : j + columns] for i, j in offsets])


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.fixture(scope="module")
def bad() -> Case:
    return Case("bad")


# Cleaning


def test_cleaned_pixels_are_upstreams(case: Case) -> None:
    for plane in case.planes:
        same = ~plane.deliberate
        np.testing.assert_array_equal(plane.stored[same], plane.documented[same])
        assert plane.ours.replaced[same].sum() >= {"bad": 37, "miri": 673}.get(case.name, 0)


def test_pixels_outside_the_science_area_of_miri_are_zero() -> None:
    case = Case("miri")
    for plane in case.planes:
        assert plane.outside.sum() == plane.ours.n_zeroed > 600
        assert not plane.stored[plane.outside].any()
        assert not plane.documented[plane.outside].any()


def test_first_rows_and_columns_have_medians_not_zeros(bad: Case) -> None:
    """Upstream's box starts at a negative index there, and is empty."""
    for plane in bad.planes:
        pixels = plane.first_row_or_column
        assert pixels.sum() == 6
        assert not plane.documented[pixels].any()
        assert np.all(plane.stored[pixels] != 0)


def test_empty_boxes_grow_and_do_not_become_zero(bad: Case) -> None:
    for plane in bad.planes:
        pixels = plane.empty_box & ~plane.fed_by_a_filled_pixel
        assert pixels.sum() == 9
        assert not plane.documented[pixels].any()
        assert np.all(plane.stored[pixels] != 0)
        assert plane.ours.n_grown == plane.empty_box.sum() == 10


def test_filled_pixels_do_not_feed_their_neighbours(bad: Case) -> None:
    """Upstream fills NaNs without a flag one by one, and takes those before for good ones."""
    for plane in bad.planes:
        pixels = plane.fed_by_a_filled_pixel & ~plane.empty_box & ~plane.first_row_or_column
        assert pixels.sum() == 8
        good = np.where(plane.bad, np.nan, plane.image)
        for row, column in np.argwhere(pixels):
            box = good[row - 1 : row + 2, column - 1 : column + 2]
            assert plane.stored[row, column] == np.float32(np.nanmedian(box))
        assert np.count_nonzero(plane.stored[pixels] != plane.documented[pixels]) >= 6


def test_nans_without_a_flag_have_medians_not_zeros(bad: Case) -> None:
    """They have since 1.20; 1.15.1 set them to 0, and in all else was as 3.0.0 is."""
    for plane in bad.planes:
        assert plane.unflagged.sum() == 14
        assert not plane.oldest[plane.unflagged].any()
        assert np.all(plane.stored[plane.unflagged] != 0)
        same = ~(plane.deliberate | plane.unflagged | neighbours(plane.unflagged).any(axis=0))
        np.testing.assert_array_equal(plane.stored[same], plane.oldest[same])


# Shifts


@pytest.mark.parametrize("method", ["spectral", "leastsq"])
def test_shifts_and_fluxes_are_upstreams(case: Case, method: str) -> None:
    found = case.fit(
        list(case.load_fixed("1.15.1", "sci")), list(case.load_fixed("1.15.1", "psf")), method
    )
    expected = case.load_shifts()
    # Two good solvers agree to 1e-6; the default tolerances of upstream's leave up to 4e-5.
    np.testing.assert_allclose(found[..., :2], expected[..., :2], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[..., 2], expected[..., 2], rtol=0, atol=1e-5)


# Aligned planes


def product(case: Case, extension: str) -> np.ndarray:
    return case.read("psfalign", extension)


def test_planes_shifted_by_upstreams_shifts_are_upstreams(case: Case) -> None:
    images, errors = case.load_fixed("1.15.1", "psf"), case.read("psf", "ERR")
    flags, shifts = case.read("psf", "DQ"), case.load_shifts()
    none = np.zeros(images.shape[1:], dtype=bool)
    their_images, their_errors = product(case, "SCI"), product(case, "ERR")
    for k, psf in enumerate(map(Plane, images, errors, flags)):
        movable = Movable.of(psf, none, errors="fourier")
        for i, (dx, dy, _) in enumerate(shifts[:, k]):
            moved = movable.moved(Shift(-dx, -dy))
            # Upstream rounded to float32, by up to half a unit of the largest value.
            for ours, theirs in zip(moved, (their_images, their_errors), strict=True):
                worst = 1.01 * FLOAT32 * 2 ** np.ceil(np.log2(np.abs(theirs[i, k]).max()))
                np.testing.assert_allclose(ours, theirs[i, k], rtol=0, atol=worst)


@pytest.mark.parametrize("name", ["clean", "oddsize"])
def test_whole_way_leads_to_upstreams_planes(name: str) -> None:
    """In these cases no pixel is bad, so the cleaning agrees."""
    case = Case(name)
    n_sciences = len(case.load_shifts())
    assert not any(plane.ours.replaced.any() for plane in case.planes)
    cleaned = [plane.ours.image for plane in case.planes]
    sciences, psfs = cleaned[:n_sciences], cleaned[n_sciences:]
    found, theirs = case.fit(sciences, psfs), product(case, "SCI")
    zero = np.zeros(psfs[0].shape)
    for k, psf in enumerate(psfs):
        movable = Movable.of(Plane(psf, zero, zero.astype(np.uint32)), zero != 0)
        for i, (dx, dy, _) in enumerate(found[:, k]):
            # In these two, shifts agree to 2e-6 pixels an axis; times the steepest slope.
            slope = np.abs(np.gradient(psf)).max()
            moved, _ = movable.moved(Shift(-dx, -dy))
            np.testing.assert_allclose(moved, theirs[i, k], rtol=2 * FLOAT32, atol=4e-6 * slope)
