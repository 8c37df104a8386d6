"""Step align_psfs: shift the psf images, and write the psfalign product plane by plane."""

from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from ..files.circles import WHOLE_MASK
from ..files.digest import sha256
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.fits.writer import FitsWriter, set_text, without_data
from ..files.provenance.records import Records, find_parameter, record_step, summarise_code
from ..files.provenance.table import provenance_hdu
from ..files.shifts import ShiftTable
from ..files.sky import take_placing
from ..fit.result import Status
from ..images.arrays import Errors, Image
from ..psfmask.resolved import ResolvedMask
from ..system.atomic_file import publishing
from .planes import PlaneWriter, copy_planes, shift_planes

# Keyword of the product: (entry of the table's meta, comment)
PROVENANCE = {
    "SCIFILE": ("science", "science exposure"),
    "SCISHA": ("science_sha256", "its SHA-256"),
    "PSFFILE": ("psfs", "psf images"),
    "PSFSHA": ("psfs_sha256", "their SHA-256"),
    "MASKSHA": ("psfmask_sha256", "SHA-256 of the mask"),
    "MASKCONV": ("convention", "what 1 means in the mask: weight, exclude, n/a"),
    "ALIGNTO": ("align_to", "each integration, the first, or their mean"),
    "SHIFTSOL": ("shifts", "shifts of single pairs, or joint ones"),
    "FITMETH": ("method", "how shifts were fitted"),
    "WEIGHTNG": ("weighting", "what weighted the residuals"),
    "BACKGRND": ("background", "what was fitted: none, fit (a constant), plane"),
}
CLEANING = {
    "BOXLEN": ("median_box_length", "[pix] box whose median replaced a bad pixel"),
    "BADBITS": ("bad_bits", "DQ flags that made a pixel bad"),
}
STEP = "align_psfs"

# Keyword that counts the pairs of a status
FAILURES = {
    Status.NO_CONVERGENCE: "NNOCONV",
    Status.OUT_OF_RANGE: "NOUTRNG",
    Status.NEGATIVE_FLUX: "NNEGFLUX",
    Status.INSIGNIFICANT: "NINSIGN",
    Status.ROUNDING: "NROUND",
    Status.NO_WEIGHT: "NNOWEIGH",
    Status.BAD_SCIENCE: "NBADSCI",
    Status.BAD_PSF: "NBADPSF",
}


def align_exposure(
    psfs: Path,
    shifts: Path,
    psfmask: Path,
    output: Path,
    *,
    candidate: str = "",
    association: Path | None = None,
    product_name: str = "",
    errors: Errors = "variance",
    threads: int = 1,
) -> None:
    """
    Shift the psf images onto each science integration and write the product.

    Parameters
    ----------
    psfs
        The cleaned psf images.
    shifts
        Their table of shifts.
    psfmask
        The psfmask.json of the exposure. If the mask is N/A, the psf images are copied unchanged,
        with the axes (psfs, rows, columns) and S_PSFALI = SKIPPED.
    output
        The product to write. SCI, ERR and DQ have the axes (integrations, psfs, rows, columns), or
        (psfs, rows, columns) if all psf images were aligned to a single image.
    candidate
        Association candidate, for the header.
    association
        The association file that lists the exposure, if there is one.
    product_name
        The name of its product in the association file; it need not be a valid file name.
    errors
        ``variance`` or ``fourier``, see `psfalign.images.shifted_psf`.
    threads
        How many processes shift planes. The written bytes do not depend on it.

    Raises
    ------
    InputError
        If the table of shifts does not belong to the psf images.
    """
    table, mask = ShiftTable.read(shifts), ResolvedMask.read(psfmask)
    settings = {"candidate": candidate, "errors": errors}
    if product_name:
        settings["product_name"] = product_name
    records = [*table.records, *_record(association, settings)]
    exposure = Exposure(psfs)
    _check_rows(table, mask, exposure, shifts)
    # Leaving `exposure` raises an error if the psf images have changed: nothing is published then.
    with publishing(output) as stream, exposure:
        writer = FitsWriter(stream)
        shape = _product_shape(table, mask, exposure)
        primary = _primary(exposure, table, mask, output, candidate, errors)
        _summarise(primary, records, association, product_name)
        writer.add(primary)
        science = writer.add_image(_science_header(exposure, table, mask), shape, np.float32)
        error = writer.add_image(_extension(exposure, "ERR"), shape, np.float32)
        dq = writer.add_image(_extension(exposure, "DQ"), shape, np.uint32)
        if mask.applies:
            writer.add(*table.to_fits())
            _add_weight(writer, mask.read_weight(), table)
        _copy_origins(exposure, writer)
        writer.add(*provenance_hdu(records))
        writer.reserve()
        planes = PlaneWriter(science, error, dq)
        if mask.applies:
            shift_planes(exposure, table, planes, errors=errors, threads=threads)
        else:
            copy_planes(exposure, planes)
        writer.finish()


def _record(association: Path | None, settings: dict[str, str]) -> Records:
    inputs = [] if association is None else [(association.name, sha256(association))]
    return record_step(STEP, __file__, inputs=inputs, parameters=settings)


def _summarise(
    header: Header, records: Records, association: Path | None, product_name: str
) -> None:
    """Add the most important settings to the header; the table PROVENANCE has all of them."""
    for keyword, (name, comment) in CLEANING.items():
        value = find_parameter(records, "clean_psfs", name)
        if value is not None:
            header[keyword] = (value, comment)
    set_text(header, "CODESHA", summarise_code(records), "SHA-256 of its code")
    if association is not None:
        set_text(header, "ASNTABLE", association.name, "Name of the association")
    if product_name:
        set_text(header, "ASNPROD", product_name, "Name of its product there")


def _add_weight(writer: FitsWriter, weight: Image, table: ShiftTable) -> None:
    """Add the weight of the fit and, if circles were excluded, the weight of the mask alone."""
    images = {"WEIGHT": (table.leave_out(weight), "weight of the fit")}
    if table.circles:
        images[WHOLE_MASK] = (weight, "weight of the mask, circles included")
    for name, (image, comment) in images.items():
        header = Header([("EXTNAME", name, comment)])
        writer.add_image(header, image.shape, np.float32).write(0, image)


def _copy_origins(exposure: Exposure, writer: FitsWriter) -> None:
    """Copy the table of the exposure and integration that each psf image came from."""
    with open(exposure.path, "rb") as source:
        for hdu in exposure.hdus:
            if hdu.name == "PSFORIG":
                writer.copy(source, hdu)


def _check_rows(table: ShiftTable, mask: ResolvedMask, exposure: Exposure, path: Path) -> None:
    made_from = text_of(exposure.primary, "RAWSHA")
    if table.meta["psfs_sha256"] != made_from:
        problem = f"was not fitted to {exposure.path}"
        raise InputError(problem, file=path, remedy="run fit_shifts again")
    complete = len(table) % len(exposure) == 0 and (len(table) > 0 or not mask.applies)
    expected = np.arange(len(table)) % len(exposure)
    if not complete or not np.array_equal(table.columns["psf"], expected):
        problem = f"its rows are not those of {len(exposure)} psf images"
        raise InputError(problem, file=path, remedy="run fit_shifts again")


def _product_shape(table: ShiftTable, mask: ResolvedMask, exposure: Exposure) -> tuple[int, ...]:
    if not mask.applies or table.meta["align_to"] != "each":
        return exposure.shape
    return len(table) // len(exposure), *exposure.shape


def _primary(
    exposure: Exposure,
    table: ShiftTable,
    mask: ResolvedMask,
    output: Path,
    candidate: str,
    errors: Errors,
) -> Header:
    header = without_data(exposure.primary)
    if mask.applies:
        take_placing(header, "PRIMARY", table.meta["placing"])
    four_dimensional = len(_product_shape(table, mask, exposure)) > len(exposure.shape)
    texts = {
        "DATAMODL": ("QuadModel" if four_dimensional else "CubeModel", "Type of data model"),
        "FILENAME": (output.name, "Name of the file"),
        "S_PSFALI": ("COMPLETE" if mask.applies else "SKIPPED", "Coronagraphic PSF Alignment"),
        "R_PSFMAS": (mask.reference_name, "PSF mask reference file name"),
        "ALIGNVER": (f"psfalign {__version__}", "software that aligned it"),
        "CANDIDAT": (candidate, "association candidate"),
        "ERRMODE": (errors, "how errors were shifted"),
    }
    texts |= {key: (table.meta[entry], text) for key, (entry, text) in PROVENANCE.items()}
    for keyword, value in table.meta.get("from_science", {}).items():
        header[keyword] = (value, "from the science exposure")
    for keyword, (text, comment) in texts.items():
        set_text(header, keyword, text, comment)
    if mask.remark:
        set_text(header, "MASKNOTE", mask.remark)
    header["MAXSHIFT"] = (table.meta["max_shift"], "[pix] largest shift that was searched for")
    header["PADDING"] = (table.meta["padding"], "[pix] room between opposite edges")
    header["NEXCLUDE"] = (len(table.circles), "circles that the fit left out, EXCL1 and so on")
    for number, circle in enumerate(table.circles, start=1):
        set_text(header, f"EXCL{number}", str(circle), "[pix] from 0, left out")
    header["NPAIRS"] = (len(table), "pairs of integration and psf")
    header["NFAILED"] = (table.n_failed, "of them, those whose fit failed")
    for status, keyword in FAILURES.items():
        header[keyword] = (table.count(status), f"of them, {status}")
    header["NSUSPECT"] = (table.n_suspicious, "pairs that contradict the others")
    header["NDOUBT"] = (table.n_doubtful, "pairs whose shift is doubtful")
    return header


def _science_header(exposure: Exposure, table: ShiftTable, mask: ResolvedMask) -> Header:
    """Return the header of the psf images with the position of the science exposure on the sky."""
    header = exposure.science.header.copy()
    if mask.applies:
        take_placing(header, "SCI", table.meta["placing"])
    return header


def _extension(exposure: Exposure, name: str) -> Header:
    hdu = {"SCI": exposure.science, "ERR": exposure.error, "DQ": exposure.dq}[name]
    return Header([("EXTNAME", name, "extension name")]) if hdu is None else hdu.header
