"""The functions of psfalign that write each kind of file."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

from astropy.io import fits
from files import (
    PSF_STEPS,
    campaign,
    completed,
    scene,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.archive.checkout import pack_code
from psfalign.archive.write_rocrate import write_crate
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.campaign.manifest import publish_manifest
from psfalign.campaign.survey.campaign import survey_folders
from psfalign.campaign.write_config import write_campaign
from psfalign.psfmask.reference import make_psfmask
from psfalign.report.association import AssociationPages, plot_association
from psfalign.report.campaign import write_campaign_page
from psfalign.report.exposure import Pages, plot_exposure
from psfalign.report.product import show_product
from psfalign.report.states import survey_states
from psfalign.simulate import simulate_campaign
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.combine import combine_rolls
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask
from psfalign.steps.stack import stack_psfs
from psfalign.steps.subtract import subtract_psf

Writer = Callable[[Path], object]

# What takes long and writes nothing, and what the functions of these names give instead.
FIGURE = b"a figure"
DEMO = {
    "simulate.optics.optical_images": (),
    "simulate.optics.transmission": None,
    "simulate.scene.draw_scene": None,
    "simulate.scene.expose": None,
    "simulate.files.render_exposure": b"an exposure",
    "simulate.files.render_mask": b"a mask",
}


def make_writers(folder: Path) -> dict[str, Writer]:
    """
    Prepare inputs, and give for each kind of file what writes it to a path.

    Where several are written together, the path is that of their folder. The crate and the page
    are those of a campaign that has not begun.
    """
    science = write_exposure(folder / "jw1_calints.fits")
    with fits.open(science, mode="update", memmap=False) as hdus:
        hdus["SCI"].header.update({"CRPIX1": 20.0, "CRPIX2": 16.0})
        hdus["SCI"].header.update({"PA_APER": 30.0, "PIXAR_A2": 0.01})
        hdus["SCI"].add_checksum()
    members = [write_psfs(folder / f"p{i}_calints.fits", scene(PSF_STEPS, seed=i)) for i in (2, 3)]
    mask = write_mask(folder / "mask.fits")
    made = {
        name: folder / f"made_{name}"
        for name in ("stack", "psfs", "science", "mask", "shifts", "product", "subtracted")
    }
    stack_psfs(members, made["stack"])
    clean_exposure(made["stack"], made["psfs"])
    clean_exposure(science, made["science"])
    resolve_psfmask(science, made["mask"], psfmask=str(mask))
    fit_exposure(made["science"], made["psfs"], made["mask"], made["shifts"])
    align_exposure(made["psfs"], made["shifts"], made["mask"], made["product"])
    subtract_psf(made["science"], made["product"], made["subtracted"])
    write_exposure(folder / "survey/jw1_calints.fits", IS_PSF=False)
    write_psfs(folder / "survey/jw2_calints.fits", IS_PSF=True)
    survey = survey_folders([folder / "survey"])
    config = completed(campaign(folder, science, members, mask))
    exposures = plan_exposures(config)
    states = survey_states(folder / "results", exposures)
    # Hundreds of files are read for the code, and git would be traced with the rest.
    code = {
        "archive.write_rocrate.pack_code": pack_code(),
        "archive.write_rocrate.read_commit": None,
    }
    return {
        "psfmask.json": lambda path: resolve_psfmask(science, path, psfmask=str(mask)),
        "made psfmask.fits": lambda path: make_psfmask(science, path, star=(20.0, 15.0)),
        "psfstack.fits": lambda path: stack_psfs(members, path),
        "clean.fits": lambda path: clean_exposure(science, path),
        "shifts.ecsv": lambda path: fit_exposure(made["science"], made["psfs"], made["mask"], path),
        "psfalign.fits": partial(_align, made),
        "psfsub.fits": lambda path: subtract_psf(made["science"], made["product"], path),
        "pictures": _given({"report.association.draw_png": FIGURE}, partial(_picture, made)),
        "facts.json": partial(_remember, science),
        "campaign.yaml": lambda path: write_campaign(survey, path),
        "manifest.json": lambda path: publish_manifest(path, {"a.fits": {"size": 1}}),
        "pages": _given({"report.exposure.draw_png": FIGURE}, partial(_plot, made)),
        "show.png": _given(
            {"report.product.draw_stacked": FIGURE},
            lambda path: show_product(made["product"], path),
        ),
        "campaign page": lambda path: write_campaign_page(path, states),
        "crate": _given(
            code,
            lambda path: write_crate(
                replace(config, output_dir=path), exposures, FactsStore(path / "facts.json")
            ),
        ),
        "demo": _given(DEMO, simulate_campaign),
    }


def _given(made: dict[str, object], writer: Writer) -> Writer:
    """Replace functions of psfalign by what they would make."""

    def write(path: Path) -> None:
        with ExitStack() as stack:
            for name, result in made.items():
                stack.enter_context(patch(f"psfalign.{name}", return_value=result))
            writer(path)

    return write


def _align(made: dict[str, Path], path: Path) -> None:
    with patch(
        "psfalign.files.fits.writer.EAGER", 1
    ):  # so that the disk begins with small planes, too
        align_exposure(made["psfs"], made["shifts"], made["mask"], path)


def _plot(made: dict[str, Path], path: Path) -> None:
    names = ("summary.json", "table.html", "images.png", "shifts.png", "checks.png")
    inputs = (made[name] for name in ("science", "psfs", "shifts", "mask"))
    plot_exposure(*inputs, Pages(*(path / name for name in names)), name="jw1")


def _picture(made: dict[str, Path], path: Path) -> None:
    names = ("northup.fits", "contrast.ecsv", "northup.png", "contrast.png")
    northup, contrast, *figures = (path / name for name in names)
    combine_rolls([made["subtracted"]], northup, contrast)
    plot_association(northup, contrast, AssociationPages(*figures), name="jw1")


def _remember(science: Path, path: Path) -> None:
    facts = FactsStore(path)
    facts.exposure(science)
    facts.save()
