"""What is known of the files of the demo before they are made is what they hold."""

from pathlib import Path

import pytest
from files import completed

from psfalign import simulate
from psfalign.campaign.demo import FOLDER, describe_demo_file, list_demo_files
from psfalign.campaign.facts import FactsStore, describe_exposure


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    simulate.simulate_campaign(folder)
    return folder


@pytest.mark.parametrize("name", simulate.SHAPES)
def test_what_is_known_before_is_what_the_file_says(demo: Path, name: str) -> None:
    known, said = describe_demo_file(Path(name)), describe_exposure(demo / name)
    assert [known["integrations"], *known["shape"]] == [said["integrations"], *said["shape"]]
    if name in simulate.ROLLS:
        # The header has the turn as a matrix of double precision.
        assert known["roll"] == pytest.approx(said["roll"], abs=1e-9)
        assert (known["north"], known["star"]) == (said["north"], said["star"])


def test_files_of_the_demo_are_not_looked_at(tmp_path: Path) -> None:
    entry = {"science": "a_calints.fits", "psfs": "b_psfstack.fits", "asn_id": "a1"}
    settings = completed({"output_dir": str(tmp_path), "exposures": [entry]})
    files = list_demo_files(settings)
    assert files == [f"{tmp_path}/{FOLDER}/{name}" for name in simulate.FILES]
    facts = FactsStore.of(settings)
    assert all(facts.is_made_first(Path(name)) for name in files)
    assert not facts.is_made_first(tmp_path / "a_calints.fits")
    science = next(path for path in map(Path, files) if path.name in simulate.ROLLS)
    assert facts.exposure(science) == describe_demo_file(science)
