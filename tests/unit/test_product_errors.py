"""Errors of products are honest: what is not flagged deviates no more than ERR says."""

import numpy as np
import pytest
from astropy.io import fits
from chain import run
from files import NOISE, SCIENCE_STEPS, SHAPE, exposure_hdus, scene, write, write_mask
from simulate import shifted

from psfalign.images.dq_flags import DO_NOT_USE

N_PSFS = 60
BAD = 0.01  # share of pixels that are flagged and hold garbage
UNKNOWN = 1e-3  # share of good pixels whose error is not known


def spoil(images: np.ndarray, seed: int) -> fits.HDUList:
    """Return an exposure of noisy images with all that pixels can suffer."""
    rng = np.random.default_rng(seed)
    hdus = exposure_hdus((images + rng.normal(0, NOISE, images.shape)).astype(np.float32))
    bad = rng.random(images.shape) < BAD
    hdus["SCI"].data[bad] = 1e4
    hdus["DQ"].data[bad] = DO_NOT_USE
    unknown = rng.random(images.shape) < UNKNOWN
    hdus["ERR"].data[unknown] = rng.choice([np.nan, 0.0, -1.0, 1e6], np.count_nonzero(unknown))
    return hdus


@pytest.fixture(scope="module")
def pulls(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Deviations from the truth over ERR, of all unflagged pixels of a product."""
    folder = tmp_path_factory.mktemp("honest")
    steps = np.random.default_rng(1).uniform(-0.5, 0.5, (N_PSFS, 2)).tolist()
    truth = scene(steps, noise=0.0).astype(float)
    write(spoil(truth, seed=2), folder / "star_psfstack.fits")
    science = spoil(scene(SCIENCE_STEPS, noise=0.0), seed=3)
    write(science, folder / "sci_calints.fits")
    write_mask(folder / "mask.fits")
    with fits.open(run(folder, folder)["product"], memmap=False) as hdus:
        images, errors, flags = (hdus[name].data for name in ("SCI", "ERR", "DQ"))
        table = hdus["SHIFTS"].data
    assert (table["status"] == "ok").all()
    shifts = zip(table["psf"], -table["dx"], -table["dy"], strict=True)
    expected = np.array([shifted(truth[psf], (dx, dy)) for psf, dx, dy in shifts])
    pull = (images - expected.reshape(images.shape)) / errors
    return pull[flags == 0]


def test_hardly_an_unflagged_pixel_is_beyond_three_errors(pulls: np.ndarray) -> None:
    """0.27 % of Gaussian noise is; the tails of replaced pixels may make that 0.5 %."""
    assert len(pulls) > 0.85 * len(SCIENCE_STEPS) * N_PSFS * np.prod(SHAPE)
    assert np.mean(np.abs(pulls) > 3) < 0.005
    assert np.abs(pulls).max() < 7


def test_errors_are_not_too_large_either(pulls: np.ndarray) -> None:
    """
    Half of all pixels deviate by 0.67 ERR or more, of Gaussian noise.

    Replaced pixels of the star have errors of hundreds of times the noise, whose tails take some
    of that in an image as small as this one.
    """
    assert 0.55 < np.median(np.abs(pulls)) < 0.68
