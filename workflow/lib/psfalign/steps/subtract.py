"""Step subtract_psf: subtract the aligned psf images from the science exposure."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from ..files.aligned import AlignedPsfs
from ..files.copied import copy_exposure
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.fits.tables import table_hdu
from ..files.fits.writer import FitsWriter, ImageWriter, set_text
from ..files.provenance.records import Records, record_step
from ..files.provenance.table import provenance_hdu, read_records
from ..files.subtracted import STAGE_ERRORS, STAGES, THROUGHPUT, WEIGHT, stage_names
from ..images.circles import Circle
from ..images.klip import Fate
from ..system.atomic_file import publishing
from ..system.progress import say_progress
from .rolls import Roll, StarsAndRolls
from .stages import Subtraction, SubtractionOptions
from .throughput import Throughput

STEP = "subtract_psf"
# Keywords of SCI that count used and unused psf images over all integrations, with comments.
FATES = {
    Fate.USED: ("NREFUSED", "psf images that were used"),
    Fate.FAILED: ("NREFFAIL", "left out: not finite, their fit failed"),
    Fate.CONSTANT: ("NREFCONS", "left out: constant"),
    Fate.EQUAL: ("NREFEQUA", "left out: equal to another but for flux"),
}
FAILED = "NINTFAIL"


def subtract_psf(
    science: Path,
    product: Path,
    output: Path,
    *,
    rolls: Sequence[Roll] = (),
    options: SubtractionOptions | None = None,
) -> None:
    """
    Subtract the star from all integrations of a science exposure by KLIP.

    The output is a copy of the cleaned exposure, in which SCI, ERR and DQ are the residual after
    the largest number of principal components is subtracted. STAGES and STAGEERR, (integrations,
    stages, rows, columns), hold the science image, the residual of the mean psf image, and the
    residual of each number of components. WEIGHT is the weight of the mask, and THROUGHPUT the
    share of a point source that each stage keeps.

    Parameters
    ----------
    science
        The cleaned science exposure.
    product
        The psf images that were aligned to it. Psf images of a product that was not aligned
        (S_PSFALI = SKIPPED) are fitted in the whole image.
    output
        The file to write.
    rolls
        Exposures of the same target at other rolls, fitted with the same psf images. They are used
        if the option `references` is ``stars+rolls``.
    options
        The options of the subtraction.

    Raises
    ------
    InputError
        If the product does not belong to the science exposure, if rings are asked for and the
        position of the star is not known, or if an exposure of ``rolls`` has the same roll.
    """
    options = options or SubtractionOptions()
    exposure, psfs = Exposure(science), AlignedPsfs(product)
    _check_together(exposure, psfs)
    used = rolls if options.references == "stars+rolls" else ()
    library = StarsAndRolls(exposure, psfs, used, exclude=options.exclude, star=options.star)
    with publishing(output) as stream, exposure, library:
        work = Subtraction(exposure, library, options)
        writer = FitsWriter(stream)
        cards = {"SCI": _counts(), "ERR": Header(), "DQ": Header()}
        primary = _primary(psfs, exposure, output, work)
        _name_rolls(primary, library)
        _name_circles(primary, work.circles, library)
        images = copy_exposure(exposure, writer, primary, cards)
        images |= _add_stages(exposure, writer, work)
        weight = psfs.read_weight()
        if weight is not None:
            header = Header([("EXTNAME", WEIGHT, "weight of the mask")])
            writer.add_image(header, weight.shape, np.float32).write(0, weight)
        before = dict.fromkeys([*read_records(product, psfs.hdus), *library.records])
        writer.add(*provenance_hdu([*before, *_record(options)]))
        done = say_progress(work.run(), "integrations subtracted", total=len(exposure))
        for n, left in enumerate(done):
            images["SCI"].write(n, left.images[-1])
            images["ERR"].write(n, left.errors[-1])
            images["DQ"].write(n, left.dq)
            images[STAGES].write(n * work.n_stages, left.images)
            images[STAGE_ERRORS].write(n * work.n_stages, left.errors)
        for fate, (keyword, _) in FATES.items():
            images["SCI"].set(keyword, work.fates[fate])
        images["SCI"].set(FAILED, work.n_failed)
        if work.throughput is not None:
            writer.add(*_throughput_hdu(work.throughput))
        writer.finish()


def _check_together(exposure: Exposure, psfs: AlignedPsfs) -> None:
    """Raise `InputError` if the psf images were aligned to another science exposure."""
    cleaned, aligned_to = text_of(exposure.primary, "RAWSHA"), text_of(psfs.primary, "SCISHA")
    fitting = psfs.integrations in (None, len(exposure)) and psfs.shape == exposure.shape[1:]
    if cleaned != aligned_to or not fitting:
        problem = f"was not aligned to {exposure.path}"
        raise InputError(problem, file=psfs.path, remedy="run align_psfs again")


def _record(options: SubtractionOptions) -> Records:
    return record_step(STEP, __file__, parameters=asdict(options))


def _primary(psfs: AlignedPsfs, exposure: Exposure, output: Path, work: Subtraction) -> Header:
    header = exposure.primary.copy()
    options = work.options
    texts = {
        "DATAMODL": ("CubeModel", "Type of data model"),
        "FILENAME": (output.name, "Name of the file"),
        "S_PSFALI": (text_of(psfs.primary, "S_PSFALI"), "Coronagraphic PSF Alignment"),
        "S_KLIP": ("COMPLETE", "KLIP PSF subtraction"),
        "R_PSFMAS": (text_of(psfs.primary, "R_PSFMAS"), "PSF mask reference file name"),
        "KLIPVER": (f"psfalign {__version__}", "software that subtracted"),
        "PSFFILE": (psfs.path.name, "psf images that were subtracted"),
        "KLIPREGN": (options.region, "fitted in the mask or the whole image"),
        "KLIPRING": (" ".join(map(str, options.annuli)), "[arcsec] between rings fitted alone"),
    }
    for keyword, (text, comment) in texts.items():
        set_text(header, keyword, text, comment)
    header["NREFS"] = (work.n_psfs, "psf images of each integration")
    header["KLMODES"] = (work.modes[-1], "principal components subtracted in SCI")
    return header


def _name_rolls(header: Header, library: StarsAndRolls) -> None:
    """Record in the header which other rolls were subtracted."""
    references = "stars+rolls" if library.exposures else "stars"
    set_text(header, "KLIPREF", references, "psf images: stars, or stars+rolls")
    for number, exposure in enumerate(library.exposures, start=1):
        set_text(header, f"ROLL{number}", exposure.path.name, "another roll that was subtracted")


def _name_circles(header: Header, own: Sequence[Circle], library: StarsAndRolls) -> None:
    """Record in the header the circles that the fit excluded, on the science image and on rolls."""
    circles = [(circle, "[pix] from 0, left out") for circle in own]
    for number, of_roll in enumerate(library.circles, start=1):
        circles += [(circle, f"[pix] from 0, of ROLL{number}") for circle in of_roll]
    header["NEXCLUDE"] = (len(circles), "circles that the fit left out, EXCL1 and so on")
    for number, (circle, comment) in enumerate(circles, start=1):
        set_text(header, f"EXCL{number}", str(circle), comment)


def _counts() -> Header:
    cards = [(keyword, 0, comment) for keyword, comment in FATES.values()]
    return Header([*cards, (FAILED, 0, "integrations without a result")])


def _add_stages(
    exposure: Exposure, writer: FitsWriter, work: Subtraction
) -> dict[str, ImageWriter]:
    shape = len(exposure), work.n_stages, *exposure.shape[1:]
    images = {}
    for name in (STAGES, STAGE_ERRORS):
        header = Header([("EXTNAME", name, "extension name")])
        if "BUNIT" in exposure.science.header:
            header["BUNIT"] = exposure.science.header["BUNIT"]
        for number, stage in enumerate(stage_names(work.modes)):
            header[f"STAGE{number}"] = (stage, "what was subtracted; science: nothing")
        images[name] = writer.add_image(header, shape, np.float32)
    return images


def _throughput_hdu(throughput: Throughput) -> tuple[Header, bytes]:
    n_separations, n_stages = throughput.kept.shape
    rows = np.zeros(
        throughput.kept.size, [("separation", "f8"), ("stage", "i8"), ("throughput", "f8")]
    )
    rows["separation"] = np.repeat(throughput.separations, n_stages)
    rows["stage"] = np.tile(np.arange(n_stages), n_separations)
    rows["throughput"] = throughput.kept.ravel()
    descriptions = {
        "separation": "distance from the star",
        "stage": "number of the stage in STAGES, from 0",
        "throughput": "share of a point source that is kept",
    }
    return table_hdu(rows, THROUGHPUT, descriptions=descriptions, units={"separation": "arcsec"})
