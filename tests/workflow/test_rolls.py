"""Other rolls as psf images in the workflow: inputs of jobs, and what runs again."""

from pathlib import Path

import pytest
from astropy.io import fits

from .campaign import NIRCAM, NIRCAM_ROLLS, OWN_CONFIG, make_campaign

SECOND = NIRCAM.replace("jw09999001001", "jw09999002001")


@pytest.mark.bad_input(50)
def test_another_file_of_one_roll_makes_both_again(tmp_path: Path) -> None:
    campaign = make_campaign(tmp_path)
    first = OWN_CONFIG["exposures"][0]
    second = {**first, "science": first["science"].replace("jw09999001001", "jw09999002001")}
    options = {"references": "stars+rolls"}
    config = {**OWN_CONFIG, "exposures": [first, second], "psf_subtraction": options}
    campaign.write_config(config)
    campaign.run("--cores", "1")
    for own, other in ((NIRCAM, SECOND), (SECOND, NIRCAM)):
        header = fits.getheader(tmp_path / f"results/{own}/{own}_psfsub.fits")
        assert (header["KLIPREF"], header["ROLL1"]) == ("stars+rolls", f"{other}_clean.fits")
        assert header["NREFS"] == 9 + 4
    assert campaign.planned() == set()
    with fits.open(tmp_path / second["science"], mode="update", memmap=False) as hdus:
        hdus["SCI"].data[0, 5, 5] += 1
        hdus["SCI"].add_checksum()
    own = {(step, SECOND) for step in ("clean", "fit_shifts", "align_psfs", "plot_exposure")}
    pictures = {(step, NIRCAM_ROLLS) for step in ("combine_rolls", "plot_association")}
    subtracted = {("subtract_psf", name) for name in (NIRCAM, SECOND)}
    assert campaign.planned() == own | subtracted | pictures
    campaign.write_config({**config, "psf_subtraction": {"references": "stars"}})
    (tmp_path / f"results/{SECOND}/{SECOND}_clean.fits").unlink()
    assert ("subtract_psf", NIRCAM) in campaign.planned()
