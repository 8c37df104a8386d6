"""The picture of an association shows what combine_rolls wrote, north up and east left."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from matplotlib.figure import Figure

from psfalign.errors import InputError
from psfalign.files.north_up import NorthUp, read_limits
from psfalign.files.png import read_note
from psfalign.report.association import AssociationPages, plot_association
from psfalign.report.figures import north_up as figures
from psfalign.report.figures.images import Panel

REACH, SCALE = 20, 0.1  # pixels from the star to the edges; arcsec
PNG = b"\x89PNG\r\n\x1a\n"
LIMITS = """# %ECSV 1.0
# ---
# datatype: []
stage separation n_samples factor noise throughput limit contrast
science 0.5 9 1.2 2e-6 1.0 2e-6 nan
science 1.0 18 1.1 1e-6 1.0 1e-6 nan
"klip 1" 0.5 9 1.2 1e-7 0.5 2e-7 nan
"""


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    """What combine_rolls writes: noise, and a source 1 arcsec east in the picture of most modes."""
    rng = np.random.default_rng(2)
    size = 2 * REACH + 1
    cube = rng.normal(size=(2, size, size)).astype(np.float32)
    cube[1, REACH, REACH - 10] = 50.0  # columns decrease towards the east
    cube[:, :3] = np.nan
    stages = np.stack([np.full((size, size), 7.0), np.full((size, size), 3.0)]).astype(np.float32)
    cards = {"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600, "BUNIT": "MJy/sr"}
    hdus = [
        fits.PrimaryHDU(header=fits.Header({"NEXPO": 2, "MAXFRAME": 5})),
        fits.ImageHDU(cube, fits.Header({**cards, "KLMODE0": 1, "KLMODE1": 5}), name="SCI"),
        fits.ImageHDU(stages, fits.Header({"STAGE0": "science", "STAGE1": "mean"}), name="STAGES"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "a_northup.fits")
    (tmp_path / "a_contrast.ecsv").write_text(LIMITS)
    return tmp_path / "a_northup.fits", tmp_path / "a_contrast.ecsv"


def test_pictures_and_scale_are_read(written: tuple[Path, Path]) -> None:
    with NorthUp(written[0]) as combined:
        assert (combined.modes, combined.scale) == ([1, 5], pytest.approx(SCALE))
        assert combined.read_before("science")[0, 0] == 7
        assert combined.read_before("mean")[0, 0] == 3


def test_picture_without_stages_is_refused_with_a_remedy(written: tuple[Path, Path]) -> None:
    with fits.open(written[0], mode="update") as hdus:
        del hdus["STAGES"]
    message = r"a_northup.fits\[STAGES\]: no such extension; remove it and run combine_rolls again"
    with pytest.raises(InputError, match=message):
        NorthUp(written[0]).read_before("mean")


def test_limits_are_read_by_stage(written: tuple[Path, Path]) -> None:
    limits = read_limits(written[1])
    assert list(limits) == ["science", "klip 1"]
    assert limits["science"]["limit"].tolist() == [2e-6, 1e-6]
    assert limits["klip 1"]["separation"].tolist() == [0.5]


def test_east_is_left_and_north_is_up(written: tuple[Path, Path]) -> None:
    combined = NorthUp(written[0])
    with combined:
        picture = combined.read_science(1)
    figure = Figure()
    field = figures.choose_field(picture, combined.scale, "MJy/sr")
    # The nearest rows without pixels are 17 from the star, and half a pixel belongs to the last.
    assert field.radius == pytest.approx(SCALE * 17.5)
    panels = [Panel(name, picture) for name in "abc"]
    figures.draw_north_up(figure, panels, field=field, title="")
    for axis in figure.axes[:3]:
        (image,) = axis.images
        left, right, bottom, top = image.get_extent()
        row, column = np.unravel_index(np.nanargmax(picture), picture.shape)
        size = 2 * REACH + 1
        east = left + (column + 0.5) / size * (right - left)
        north = bottom + (row + 0.5) / size * (top - bottom)
        assert (east, north) == (pytest.approx(10 * SCALE), pytest.approx(0, abs=1e-9))
        assert axis.get_xlim()[0] > axis.get_xlim()[1]  # east of the star is on the left
        assert axis.get_ylim()[0] < axis.get_ylim()[1]


def test_pages_are_written(written: tuple[Path, Path], tmp_path: Path) -> None:
    pages = AssociationPages(tmp_path / "picture.png", tmp_path / "curve.png")
    plot_association(*written, pages, name="a")
    assert all(path.read_bytes().startswith(PNG) for path in pages)
    note = json.loads(read_note(pages.picture))
    assert note["sizes"] == {"curve.png": pages.curve.stat().st_size}
    assert {tuple(record[:3]) for record in note["provenance"]} >= {
        ("plot_association", "input", "a_contrast.ecsv"),
        ("plot_association", "parameter", "style"),
        ("plot_association", "code", "psfalign"),
    }


@pytest.mark.parametrize(
    ("picture", "expected"),
    [("the target and its filter", "AU-MIC, F444W"), ("nothing", "jw1_a3001")],
)
def test_title_names_the_target(
    written: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    picture: str,
    expected: str,
) -> None:
    if picture != "nothing":
        with fits.open(written[0], mode="update") as hdus:
            hdus[0].header.update(TARGPROP="AU-MIC", FILTER="F444W")
    titles = []
    monkeypatch.setattr(
        "psfalign.report.association.draw_png",
        lambda draw, **_: titles.append(draw.keywords["title"]) or PNG,
    )
    pages = AssociationPages(tmp_path / "picture.png", tmp_path / "curve.png")
    plot_association(*written, pages, name="jw1_a3001")
    assert titles == [
        f"{expected}: how faint a source would show",
        f"{expected}, 2 exposures, 5 integrations",
    ]
