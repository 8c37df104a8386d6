"""What psfalign writes, each by the function that writes it, but for figures, which take long."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from files import (
    PSF_STEPS,
    scene,
    write_exposure,
    write_mask,
    write_psfs,
)

from psfalign.campaign_file import write_campaign
from psfalign.facts import FactsStore
from psfalign.files.crds_manifest import CrdsChoice, write_manifest
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.resolve import resolve_psfmask
from psfalign.steps.stack import stack_psfs
from psfalign.survey import survey_folder

Writer = Callable[[Path], object]


def make_writers(folder: Path) -> dict[str, Writer]:
    """Prepare inputs, and give for each kind of file what writes it to a path."""
    science = write_exposure(folder / "jw1_calints.fits")
    members = [write_psfs(folder / f"p{i}_calints.fits", scene(PSF_STEPS, seed=i)) for i in (2, 3)]
    mask = write_mask(folder / "mask.fits")
    made = {
        name: folder / f"made_{name}" for name in ("stack", "psfs", "science", "mask", "shifts")
    }
    stack_psfs(members, made["stack"])
    clean_exposure(made["stack"], made["psfs"])
    clean_exposure(science, made["science"])
    resolve_psfmask(science, made["mask"], psfmask=str(mask))
    fit_exposure(made["science"], made["psfs"], made["mask"], made["shifts"])
    write_exposure(folder / "survey/jw1_calints.fits", IS_PSF=False)
    write_psfs(folder / "survey/jw2_calints.fits", IS_PSF=True)
    survey = survey_folder(folder / "survey", [])
    choices = {"jw1": CrdsChoice(str(mask), "jwst_1413.pmap", "jwst_nircam_psfmask_0005.rmap")}
    return {
        "psfmask.json": lambda path: resolve_psfmask(science, path, psfmask=str(mask)),
        "psfstack.fits": lambda path: stack_psfs(members, path),
        "clean.fits": lambda path: clean_exposure(science, path),
        "shifts.ecsv": lambda path: fit_exposure(made["science"], made["psfs"], made["mask"], path),
        "psfalign.fits": lambda path: align_exposure(
            made["psfs"], made["shifts"], made["mask"], path
        ),
        "crds_manifest.json": lambda path: write_manifest(path, choices, {}),
        "facts.json": partial(_remember, science),
        "campaign.yaml": lambda path: write_campaign(survey, path),
    }


def _remember(science: Path, path: Path) -> None:
    facts = FactsStore(path)
    facts.exposure(science)
    facts.save()
