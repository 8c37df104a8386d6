"""The quick look at a product, and the pages of an exposure: numbers equal those of the table."""

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from chain import failing, run
from files import (
    PSF_STEPS,
    SCIENCE_STEPS,
    SHAPE,
    pixels,
    scene,
    write_exposure,
    write_mask,
    write_psfs,
)
from PIL import Image

from psfalign.cli import main
from psfalign.errors import InputError
from psfalign.files.product import Product
from psfalign.files.shifts import ShiftTable
from psfalign.files.sky import Star
from psfalign.fit.integration import FitOptions
from psfalign.images.arrays import Figures
from psfalign.images.circles import Circle
from psfalign.images.subtraction import Subtraction, subtract_psfs
from psfalign.psfmask.resolved import ResolvedMask
from psfalign.report.exposure import Pages, plot_exposure
from psfalign.report.figures.view import View
from psfalign.report.pair_table import NOTHING, SHOWN, UNDRAWN, text_rows
from psfalign.report.product import show_product
from psfalign.report.summary import take_medians


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write_exposure(folder / "sci_calints.fits")
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    return folder


def pages(folder: Path) -> Pages:
    ends = ("summary.json", "table.html", "images.png", "shifts.png", "checks.png")
    return Pages(*(folder / end for end in ends))


def plot(paths: dict[str, Path], out: Path) -> Pages:
    made = pages(out)
    plot_exposure(
        paths["science"], paths["psfs"], paths["shifts"], paths["mask"], made, name="exposure"
    )
    return made


@pytest.mark.parametrize("align_to", ["each", "first", "mean"])
def test_product_holds_the_columns_of_the_ecsv(align_to: str, inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path, align_to=align_to)
    table, product = ShiftTable.read(paths["shifts"]).columns, Product(paths["product"])
    for name, column in table.items():
        np.testing.assert_array_equal(product.columns[name], column, err_msg=name)
    assert set(product.origins) == {"star"}
    assert product.align_to == align_to


@pytest.mark.parametrize("with_science", [True, False])
def test_show_draws_and_prints_a_product(
    with_science: bool, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = run(inputs, tmp_path)
    option = ["--science", str(paths["science"])] if with_science else []
    assert main(["show", str(paths["product"]), *option]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["integration", "psf", "dx", "(pix)"]
    assert len(lines) == 1 + 6 + 1
    first = Table.read(paths["shifts"], format="ascii.ecsv")[0]
    assert lines[1].split()[2:4] == [f"{first['dx']:.4f}", f"{first['dy']:.4f}"]
    picture = paths["product"].with_suffix(".png")
    assert lines[-1] == f"{picture}: written"
    with Image.open(picture) as image:
        assert image.width == 1200


@pytest.mark.parametrize("padding", [0, 8])
def test_residual_that_is_told_is_that_of_the_product(padding: int, tmp_path: Path) -> None:
    """Where edges do not meet, a psf image that is shifted without padding is another one."""
    folder, ramp = tmp_path / "in", 2 * np.arange(SHAPE[1], dtype=np.float32)
    science = scene(SCIENCE_STEPS[:1]) + ramp
    write_exposure(folder / "sci_calints.fits", science)
    write_psfs(folder / "star_psfstack.fits", scene(PSF_STEPS, seed=3) + ramp)
    write_mask(folder / "mask.fits")
    paths = run(folder, tmp_path, options=FitOptions(max_shift=4, padding=padding))
    summary = json.loads(plot(paths, tmp_path / "pages").summary.read_text())
    product, cleaned = Product(paths["product"]), pixels(paths["psfs"]).astype(float)
    assert (product.padding, product.columns["status"].tolist()) == (padding, ["ok"] * 3)
    with product:
        weight = product.read_weight()
    squared, (rows, columns) = weight.ravel() ** 2, np.indices(weight.shape)
    plane = [np.ones(weight.size), rows.ravel(), columns.ravel()]

    def rms(psf: np.ndarray) -> float:
        """Of what least squares of a psf image and a plane leave."""
        basis = np.stack([psf.ravel(), *plane], axis=1) * weight.reshape(-1, 1)
        target = (pixels(paths["science"])[0] * weight).ravel()
        left = target - basis @ np.linalg.lstsq(basis, target)[0]
        return float(np.sqrt(left @ left / squared.sum()))

    with product:
        aligned = [product.read_image(pair) for pair in range(len(product))]
    ratios = [rms(one) / rms(other) for one, other in zip(cleaned, aligned, strict=True)]
    assert product.background == "plane"
    # Products are stored in single precision, seven digits.
    assert summary["gain"] == pytest.approx(np.median(ratios), rel=1e-5)


@pytest.mark.parametrize("with_science", [True, False])
def test_show_draws_the_circles_that_the_fit_left_out(
    with_science: bool, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"column": 30.0, "row": 24.0, "radius": 1.5}
    paths = run(inputs, tmp_path, exclude=[place])
    drawn: list[Any] = []
    monkeypatch.setattr(
        "psfalign.report.figures.images.draw_images", lambda _, **k: drawn.append(k["circles"])
    )
    monkeypatch.setattr(
        "psfalign.report.figures.checks.draw_checks",
        lambda _, checks, **k: drawn.append(checks.circles),
    )
    science = paths["science"] if with_science else None
    show_product(paths["product"], tmp_path / "show.png", science=science)
    assert drawn == [[Circle(**place)]] * 2


def test_show_refuses_a_circle_that_it_cannot_read(inputs: Path, tmp_path: Path) -> None:
    place = {"column": 30.0, "row": 24.0, "radius": 1.5}
    product = run(inputs, tmp_path, exclude=[place])["product"]
    fits.setval(product, "EXCL1", value="somewhere")
    line = f"{product} EXCL1=somewhere: is not a circle; run the exposure again"
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        show_product(product, tmp_path / "show.png")


def test_show_says_what_is_no_product(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = run(inputs, tmp_path)
    assert main(["show", str(paths["psfs"])]) == 1
    line = (
        f"psfalign: error: {paths['psfs']}[SHIFTS]: no such extension; name a product of psfalign"
    )
    assert capsys.readouterr().err.strip() == line
    science = inputs / "sci_calints.fits"
    assert main(["show", str(paths["product"]), "--science", str(science)]) == 1
    line = (
        f"psfalign: error: {science}: is not the cleaned exposure that {paths['product']} was "
        "aligned to; name the cleaned sci_calints.fits"
    )
    assert capsys.readouterr().err.strip() == line


def test_show_of_psfs_that_were_not_aligned(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path, psfmask="N/A")
    assert ResolvedMask.read(paths["mask"]).file_name == "N/A"
    with pytest.raises(Exception, match="its psf images were not aligned; look at their psfstack"):
        show_product(paths["product"], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_table_shows_the_numbers_of_the_ecsv(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    table = Table.read(paths["shifts"], format="ascii.ecsv")
    for index, row in enumerate(text_rows(ShiftTable.read(paths["shifts"]).columns)):
        assert row[-1] == "ok"
        for name, text in zip(SHOWN, row, strict=False):
            if text == NOTHING:
                assert np.isnan(table[name][index])
                continue
            # Half a unit of the last digit that is shown.
            assert abs(float(text) - table[name][index]) <= 0.5 * 10 ** -len(text.partition(".")[2])


def test_summary_holds_medians_counts_and_gain(inputs: Path, tmp_path: Path) -> None:
    paths = run(inputs, tmp_path)
    summary = json.loads(plot(paths, tmp_path / "pages").summary.read_text())
    table = Table.read(paths["shifts"], format="ascii.ecsv")
    assert summary["medians"]["shift"] == np.median(np.hypot(table["dx"], table["dy"]))
    assert summary["pairs"] == 6
    assert summary["failed"] == {}
    assert summary["shape"] == [2, 3, 32, 40]
    assert summary["psfmask"] == "mask.fits"
    # Speckles 100 high that were shifted by a pixel, against noise of a few.
    assert summary["gain"] > 3


def test_psf_images_before_alignment_are_the_aligned_ones_shifted_back(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = run(inputs, tmp_path)
    seen: list[tuple[Any, Any]] = []

    def record(science: Any, psfs: Any, *others: Any) -> Subtraction:
        seen.extend(psfs)
        return subtract_psfs(science, seen, *others)

    monkeypatch.setattr("psfalign.report.product.subtract_psfs", record)
    show_product(paths["product"], tmp_path / "show.png", science=paths["science"])
    # The Nyquist terms of the noise do not come back; speckles are 100 high.
    np.testing.assert_allclose([psf for psf, _ in seen], pixels(paths["psfs"]), rtol=0, atol=0.2)


def test_star_that_the_user_names_is_recorded_and_drawn(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = run(inputs, tmp_path)
    stars: list[Star] = []
    monkeypatch.setattr(
        "psfalign.report.exposure.View.of", lambda _, star: stars.append(star) or View()
    )
    made = pages(tmp_path / "pages")
    files = (paths[name] for name in ("science", "psfs", "shifts", "mask"))
    summary = plot_exposure(*files, made, name="exposure", star=(17.5, 12.0))
    assert stars == [(17.5, 12.0)]
    (star,) = (r.value for r in summary.provenance if (r.step, r.name) == ("plot_exposure", "star"))
    assert json.loads(star) == [17.5, 12.0]


def test_failed_pairs_are_named_and_counted(tmp_path: Path) -> None:
    made = plot(run(failing(tmp_path), tmp_path), tmp_path / "pages")
    summary = json.loads(made.summary.read_text())
    assert summary["failed"] == {"bad_science": 3}
    assert [(p["integration"], p["psf"], p["why"]) for p in summary["look_at"]] == [
        (1, psf, "bad_science") for psf in range(3)
    ]
    assert summary["look_at"][0]["dx"] is None
    assert "bad_science" in made.table.read_text()


@pytest.mark.parametrize("figures", ["all", "reported", "none"])
@pytest.mark.parametrize("is_good", [True, False])
def test_figures_are_in_the_page_where_they_have_no_files(
    is_good: bool, figures: Figures, inputs: Path, tmp_path: Path
) -> None:
    paths = run(inputs if is_good else failing(tmp_path), tmp_path)
    files = [paths[name] for name in ("science", "psfs", "shifts", "mask")]
    made = plot(paths, tmp_path)
    # What an earlier run left beside the table is that of another fit.
    left = tmp_path / "exposure_images.png"
    left.touch()
    within = Pages(made.summary, made.table)
    summary = plot_exposure(*files, within, name="exposure", figures=figures)
    assert not left.exists()
    assert list(summary.sizes) == ["table.html"]
    text = made.table.read_text()
    shown = re.findall(r'<img alt="(\w+)" src="data:image/png;base64,(.*?)">', text)
    remark = re.findall(r"<p>(.*)</p>", text)
    if figures == "none" or (figures == "reported" and is_good):
        assert (shown, remark) == ([], [UNDRAWN[figures]])
        return
    assert [(name, b64decode(content)) for name, content in shown] == [
        (name, (tmp_path / f"{name}.png").read_bytes()) for name in ("images", "shifts", "checks")
    ]
    assert not remark


@pytest.mark.parametrize("psfmask", ["N/A"])
def test_exposure_that_is_not_aligned_has_pages_that_say_so(
    psfmask: str, inputs: Path, tmp_path: Path
) -> None:
    made = plot(run(inputs, tmp_path, psfmask=psfmask), tmp_path / "pages")
    summary = json.loads(made.summary.read_text())
    assert (summary["pairs"], summary["gain"], summary["medians"]["shift"]) == (0, None, None)
    for path in (made.images, made.shifts, made.checks):
        with Image.open(path) as image:
            assert image.size == (1200, 225)


@pytest.mark.parametrize(("level", "is_drawn"), [(1.0, True), (0.0, False)])
def test_images_of_a_pair_are_drawn_if_all_fits_failed(
    level: float, is_drawn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    folder = tmp_path / "in"
    write_exposure(folder / "sci_calints.fits", level * scene(((9.0, 0.0), (9.0, 5.0))))
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    paths = run(folder, tmp_path)
    monkeypatch.setattr(
        "psfalign.report.figures.images.draw_images",
        lambda _, panels, **__: said.extend(panel.title for panel in panels),
    )
    made = plot(paths, tmp_path / "pages")
    (status,) = json.loads(made.summary.read_text())["failed"]
    titles = ["Science, integration 0", f"Psf image 0, scaled: {status}"]
    assert said == (titles if is_drawn else [])
    assert status == ("out_of_range" if is_drawn else "bad_science")


def test_exposure_whose_fits_all_failed_has_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        "psfalign.report.exposure.draw_notice", lambda _, title, text: said.append(text)
    )
    folder = tmp_path / "in"
    write_exposure(folder / "sci_calints.fits", np.full((2, 32, 40), np.nan))
    write_psfs(folder / "star_psfstack.fits")
    write_mask(folder / "mask.fits")
    paths = run(folder, tmp_path)
    made = plot(paths, tmp_path / "pages")
    assert json.loads(made.summary.read_text())["failed"] == {"bad_science": 6}
    assert set(said) == {"all 6 fits failed: 6 bad_science"}
    show_product(paths["product"], tmp_path / "show.png")
    assert (tmp_path / "show.png").stat().st_size > 1000


def test_medians_leave_out_what_failed() -> None:
    columns = {
        "status": np.array(["ok", "ok", "bad_psf"]),
        "dx": np.array([3.0, 0.0, 99.0]),
        "dy": np.array([4.0, 1.0, 99.0]),
        "sigma_dx": np.array([0.3, 0.3, 9.0]),
        "sigma_dy": np.array([0.4, 0.4, 9.0]),
        "closure": np.array([np.nan, 0.2, np.nan]),
        "misfit": np.array([0.1, 0.3, 0.9]),
        "chi2": np.full(3, np.nan),
    }
    assert take_medians(columns) == {
        "shift": 3.0,
        "uncertainty": 0.5,
        "closure": 0.2,
        "misfit": pytest.approx(0.2),
        "chi2": None,
    }
