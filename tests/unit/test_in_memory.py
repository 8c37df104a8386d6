"""The functions for Python users find the true shifts, and what the workflow writes."""

from pathlib import Path

import numpy as np
import pytest
from files import (
    PSF_STEPS,
    SCIENCE_STEPS,
    refused,
    scene,
    write_exposure,
    write_mask,
    write_psfs,
)

import psfalign
from psfalign.errors import InputError
from psfalign.images.dq_flags import DO_NOT_USE, FLUX_ESTIMATED
from psfalign.steps.clean import clean_exposure
from psfalign.steps.whole_job import align_files

BAD = (1, 10, 12)  # a pixel of the second integration


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path, Path]:
    science = write_exposure(tmp_path / "sci_calints.fits", scene(SCIENCE_STEPS, noise=0.0))
    psfs = write_psfs(tmp_path / "star_psfstack.fits", scene(PSF_STEPS, noise=0.0))
    return science, psfs, write_mask(tmp_path / "mask.fits")


def test_shifts_are_the_true_ones(inputs: tuple[Path, Path, Path]) -> None:
    science, psfs = (psfalign.clean(psfalign.read_exposure(path)) for path in inputs[:2])
    weight = psfalign.read_mask(inputs[2], like=science)
    table = psfalign.fit_shifts(science, psfs, weight, background="none")
    truth = np.array([np.subtract(psf, own) for own in SCIENCE_STEPS for psf in PSF_STEPS])
    # The scenes have no noise and no background; single precision holds them to 1e-7.
    assert np.abs(table.columns["dx"] - truth[:, 0]).max() < 1e-6
    assert np.abs(table.columns["dy"] - truth[:, 1]).max() < 1e-6
    aligned = psfalign.align(psfs, table).science
    difference = np.abs(aligned - science.science[:, None])[..., 4:-4, 4:-4]
    assert difference.max() < 1e-3 * science.science.max()


def test_arrays_are_what_the_files_of_the_workflow_hold(
    inputs: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    before = [path.read_bytes() for path in inputs]
    clean = psfalign.clean(psfalign.read_exposure(inputs[0]), bad_bits="OUTLIER")
    clean_exposure(inputs[0], tmp_path / "clean.fits", bad_bits=16)
    written = psfalign.read_exposure(tmp_path / "clean.fits")
    assert np.array_equal(clean.science.astype("f4"), written.science, equal_nan=True)
    assert np.array_equal(clean.error.astype("f4"), written.error, equal_nan=True)
    assert np.array_equal(clean.dq, written.dq)

    science, psfs = (psfalign.clean(psfalign.read_exposure(path)) for path in inputs[:2])
    weight = psfalign.read_mask(inputs[2], like=science)
    made = psfalign.align(psfs, psfalign.fit_shifts(science, psfs, weight, max_shift=5))
    output = tmp_path / "product.fits"
    align_files(inputs[0], [inputs[1]], str(inputs[2]), output, fitting={"max_shift": 5})
    product = psfalign.read_product(output)
    assert product.science.shape == (len(SCIENCE_STEPS), len(PSF_STEPS), *weight.shape)
    # Cleaned images pass through single precision on the way of the files.
    assert np.allclose(made.science, product.science, rtol=1e-5, atol=1e-4)
    assert np.allclose(made.error, product.error, rtol=1e-5)
    assert np.array_equal(made.dq, product.dq)
    assert np.allclose(made.shifts["dx"], product.shifts["dx"], atol=1e-6)
    assert product.weight is not None
    assert np.array_equal(product.weight, weight)
    assert [path.read_bytes() for path in inputs] == before


@pytest.mark.parametrize("subject", ["science", "psf"])
def test_images_that_were_not_cleaned_are_refused(
    subject: str, inputs: tuple[Path, Path, Path]
) -> None:
    science, psfs = map(psfalign.read_exposure, inputs[:2])
    weight = psfalign.read_mask(inputs[2])
    images = science if subject == "science" else psfs
    images.science[1, 3, 4] = np.nan
    message = (
        f"a {subject} image has pixels that are not finite; replace them by psfalign.clean first"
    )
    with refused(message, InputError):
        psfalign.fit_shifts(science, psfs, weight)


def test_errors_name_the_files_that_were_given(
    inputs: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    science = write_exposure(inputs[0], DETECTOR="NRCA2")
    message = (
        f"{science}: DETECTOR differ: science {science} DETECTOR=NRCA2; psf {inputs[1]} "
        f"DETECTOR=NRCALONG; psfmask {inputs[2]} DETECTOR=-; use files that belong together"
    )
    with refused(message, InputError):
        align_files(science, [inputs[1]], str(inputs[2]), tmp_path / "product.fits")
    assert not (tmp_path / "product.fits").exists()


def test_failed_fit_is_nan_and_flagged(inputs: tuple[Path, Path, Path]) -> None:
    science, psfs = map(psfalign.read_exposure, inputs[:2])
    science.science[1] = np.nan
    science, psfs = psfalign.clean(science), psfalign.clean(psfs)
    table = psfalign.fit_shifts(science, psfs, psfalign.read_mask(inputs[2]))
    aligned = psfalign.align(psfs, table)
    assert table.count_failures() == {"bad_science": len(PSF_STEPS)}
    assert np.isnan(aligned.science[1]).all()
    assert (aligned.dq[1] == DO_NOT_USE).all()
    assert np.isfinite(aligned.science[0]).all()


def test_bad_pixel_is_replaced_and_flagged(inputs: tuple[Path, Path, Path]) -> None:
    given = psfalign.read_exposure(inputs[0])
    given.science[BAD] = 1e6
    given.dq[BAD] = DO_NOT_USE
    kept = given.science.copy()
    cleaned = psfalign.clean(given)
    assert cleaned.science[BAD] < kept.max() / 1000
    assert cleaned.dq[BAD] == DO_NOT_USE | FLUX_ESTIMATED
    assert np.array_equal(given.science, kept)


def test_mean_of_the_integrations_is_one(inputs: tuple[Path, Path, Path]) -> None:
    science, psfs = (psfalign.clean(psfalign.read_exposure(path)) for path in inputs[:2])
    weight = psfalign.read_mask(inputs[2])
    table = psfalign.fit_shifts(science, psfs, weight, align_to="mean", padding=4)
    assert psfalign.align(psfs, table).science.shape == (1, *psfs.science.shape)


def test_images_of_another_subarray(inputs: tuple[Path, Path, Path]) -> None:
    science, psfs = map(psfalign.read_exposure, inputs[:2])
    message = (
        "the weight has (31, 40) rows and columns, a science image (32, 40); use images of one "
        "subarray"
    )
    with refused(message, InputError):
        psfalign.fit_shifts(science, psfs, np.ones((31, 40)))


def test_names_that_are_offered() -> None:
    assert all(callable(getattr(psfalign, name)) for name in psfalign.OFFERED)
    assert {*psfalign.OFFERED} < {*dir(psfalign)}
    with pytest.raises(AttributeError, match="^module 'psfalign' has no attribute 'fit_shift'$"):
        psfalign.fit_shift  # noqa: B018
