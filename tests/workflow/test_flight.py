"""Real exposures of NIRCam and MIRI, as they come, through the whole workflow."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from .campaign import CHECKOUT, Campaign
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.images.arrays import Image
from psfalign.images.bad_pixels import clean_image
from psfalign.images.fourier import Shift, shift_image
from psfalign.images.frames import Frame

pytestmark = pytest.mark.slow
FLIGHT = CHECKOUT.parent / "shared" / "data" / "flight"
CAMPAIGNS = {
    "nircam_f444w": ("jw0118400[12]*.fits", "jw01184*.fits", "psfmask_nircam_f444w_maska335r.fits"),
    "miri_f1140c": ("jw01277*.fits", "jw01194*.fits", "psfmask_miri_f1140c_4qpm.fits"),
}

pytestmark = pytest.mark.skipif(not FLIGHT.is_dir(), reason=f"no flight exposures at {FLIGHT}")


def list_files(name: str) -> tuple[list[Path], list[Path], Path]:
    science, psfs, mask = CAMPAIGNS[name]
    exposures = sorted((FLIGHT / name).glob(science))
    others = sorted(path for path in (FLIGHT / name).glob(psfs) if path not in exposures)
    return exposures, others, FLIGHT / name / mask


@pytest.fixture(scope="module", params=CAMPAIGNS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    science, psfs, mask = list_files(request.param)
    campaign = Campaign(tmp_path_factory.mktemp(request.param), code=CHECKOUT)
    campaign.write_config(
        {
            "exposures": [
                {"science": str(path), "psfs": list(map(str, psfs)), "asn_id": "a3001"}
                for path in science
            ],
            "psfmask": {"references": [str(mask.parent / "psfmask*.fits")]},
        }
    )
    campaign.run()
    return campaign


def test_same_bytes_again_with_two_cores_in_another_place_and_time_zone(
    finished: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Campaign(tmp_path / "an other place", code=CHECKOUT)
    again.folder.mkdir()
    again.config.write_bytes(finished.config.read_bytes())
    for name, value in {"TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "7"}.items():
        monkeypatch.setenv(name, value)
    again.run("--cores", "2", "--set-threads", "fit_shifts=2", "align_psfs=2")
    first, second = (
        {
            str(path.relative_to(campaign.folder)): path.read_bytes()
            for path in campaign.folder.glob("results/*/*")
            if path.is_file() and "report" not in path.parts and "logs" not in path.parts
        }
        for campaign in (finished, again)
    )
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []


def residual(science: Image, psf: Image, weight: Image) -> float:
    """Weighted RMS of science minus the psf at its best flux."""
    flux = np.sum(weight**2 * science * psf) / np.sum(weight**2 * psf**2)
    return float(np.sqrt(np.mean((weight * (science - flux * psf)) ** 2)))


def test_aligned_psfs_leave_less_than_unaligned_ones(finished: Campaign) -> None:
    products = sorted(finished.folder.glob("results/*/*_psfalign.fits"))
    assert products
    for path in products:
        science = fits.getdata(str(path).replace("_psfalign", "_clean"), "SCI").astype(float)
        stack = next(finished.folder.glob("results/psfstacks/*_clean.fits"))
        with fits.open(path, checksum=True) as product:
            shifts, weight = product["SHIFTS"].data, product["WEIGHT"].data.astype(float)
            aligned = product["SCI"].data.astype(float)
        unaligned = fits.getdata(stack, "SCI").astype(float)
        assert set(shifts["status"]) == {"ok"}
        before = [residual(science[0], psf, weight) for psf in unaligned]
        after = [residual(science[0], psf, weight) for psf in aligned[0]]
        # A shift that is fitted to noise gains nothing; one that is real gains more than it.
        moved = np.hypot(shifts["dx"], shifts["dy"]) > 0.02
        assert np.mean(after) <= np.mean(before)
        assert all(np.array(after)[moved] < np.array(before)[moved])


@pytest.mark.parametrize("name", CAMPAIGNS)
@pytest.mark.parametrize("shift", [(0.3, -0.7), (-2.41, 1.09), (7.25, -8.5)])
def test_known_shifts_of_a_flight_image_come_back(name: str, shift: tuple[float, float]) -> None:
    science, _, mask = list_files(name)
    with fits.open(science[0]) as file:
        image, dq = file["SCI"].data[0].astype(float), file["DQ"].data[0]
    image = clean_image(image, dq, bad_bits=1).image
    truth = Shift(*shift)
    moved = Frame(0.37 * shift_image(image, truth))
    weight = fits.getdata(mask, "SCI").astype(float)
    options = FitOptions(max_shift=10, background="none")  # the scene has no background
    ((fit,),) = fit_shifts([Frame(image)], [moved], weight, options=options)
    assert fit.status == "ok"
    # The promise of the project for shifts of real images: a hundredth of what science needs.
    assert (fit.dx, fit.dy) == pytest.approx(truth, abs=1e-4)
    assert fit.beta == pytest.approx(0.37, abs=1e-5)
