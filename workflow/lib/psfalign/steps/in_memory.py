"""The steps of one exposure with arrays in memory; ``import psfalign`` offers these functions."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.frames import find_off_science, known_variance
from ..files.product import Product
from ..files.shifts import ShiftTable
from ..fit import exposure as fitting
from ..fit.integration import FitOptions
from ..fit.result import Status
from ..images.arrays import AlignTo, Cube, Errors, Flags, Image, Shifts
from ..images.bad_pixels import clean_image
from ..images.dq_flags import FLUX_ESTIMATED, parse_bad_bits
from ..images.fourier import Shift
from ..images.frames import Frame, choose_frames
from ..images.pixel_errors import clean_error
from ..images.plane import Plane, failed_plane
from ..images.shifted_flags import move_flags
from ..images.shifted_psf import Movable
from ..psfmask import file
from .clean import flag_replaced

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Images:
    """
    The images of an exposure, with their errors and flags.

    Attributes
    ----------
    science : (planes, rows, columns) float64
        The images, in the unit of the file.
    error : (planes, rows, columns) float64
        Standard errors; NaN where they are not known.
    dq : (planes, rows, columns) uint32
        JWST data quality flags.
    instrument
        INSTRUME of the file. For MIRI, `clean` sets bad pixels off the science area to 0.
    occulter
        Column and row of the coronagraph, counted from 0, if the file has them.
    """

    science: Cube
    error: Cube
    dq: Flags
    instrument: str = ""
    occulter: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.science)

    def plane(self, index: int) -> Plane:
        """Return one image with its errors and flags."""
        return Plane(self.science[index], self.error[index], self.dq[index])


@dataclass(frozen=True)
class AlignedImages:
    """
    Psf images that were aligned to each science integration.

    Attributes
    ----------
    science : (integrations, psfs, rows, columns) float64
        The shifted psf images; NaN where a fit failed.
    error : (integrations, psfs, rows, columns) float64
        Standard errors of the shifted images.
    dq : (integrations, psfs, rows, columns) uint32
        JWST data quality flags of the shifted images.
    shifts
        The columns of the table of shifts by name, with one row for each pair; see
        `psfalign.fit_shifts`.
    weight : (rows, columns) float64
        The weight of the fit; None if it is not known.
    """

    science: NDArray[np.float64]
    error: NDArray[np.float64]
    dq: Flags
    shifts: dict[str, NDArray[Any]] = field(default_factory=dict)
    weight: Image | None = None


def read_exposure(path: AnyPath) -> Images:
    """
    Read a calints, crfints or psfstack file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Images
        All its integrations or psf images.

    Raises
    ------
    InputError
        If the file is damaged or does not hold an exposure.
    """
    with Exposure(Path(path)) as exposure:
        planes = range(len(exposure))
        return Images(
            np.array([exposure.read_science(i) for i in planes]),
            np.array([exposure.read_error(i) for i in planes]),
            np.array([exposure.read_dq(i) for i in planes]),
            text_of(exposure.primary, "INSTRUME").upper(),
            exposure.occulter,
        )


def read_mask(path: AnyPath, *, convention: str = "auto", like: Images | None = None) -> Image:
    """
    Read a PSFMASK file as the weight of a fit.

    Parameters
    ----------
    path
        The mask file.
    convention
        The meaning of 1 in the file: ``weight`` (use), ``exclude`` (masked out), or ``auto`` to
        decide by the values, see `psfalign.images.mask_weight.weigh`.
    like
        The science exposure. If it is given, ``auto`` checks its decision at the occulter.

    Returns
    -------
    (rows, columns) float64
        Between 0 (leave a pixel out) and 1 (full weight).

    Raises
    ------
    InputError, MaskError
        If the file is damaged, or its pixels cannot weight a fit.
    """
    occulter = None if like is None else like.occulter
    return file.read_weight(Path(path), convention=convention, occulter=occulter).image


def clean(
    images: Images, *, bad_bits: str | int | None = "DO_NOT_USE", median_box_length: int = 3
) -> Images:
    """
    Replace bad pixels by the median of the good ones around them.

    Parameters
    ----------
    images
        The images; not modified.
    bad_bits
        Names or numbers of the flags that make a pixel bad. Pixels that are not finite are always
        bad.
    median_box_length
        Side of the box in pixels.

    Returns
    -------
    Images
        The cleaned images. Replaced pixels have the flag FLUX_ESTIMATED, and unknown errors are
        replaced by the median of the errors of good pixels around them.

    Raises
    ------
    ConfigError
        If a flag does not exist, or the box includes no neighbours or is larger than the image.
    """
    bits, is_miri = parse_bad_bits(bad_bits), images.instrument == "MIRI"
    planes = []
    for image, error, dq in zip(images.science, images.error, images.dq, strict=True):
        cleaned = clean_image(
            image,
            dq,
            bad_bits=bits,
            median_box_length=median_box_length,
            zero_non_science=is_miri,
        )
        errors = clean_error(error, cleaned).error
        planes.append(Plane(cleaned.image, errors, flag_replaced(cleaned, dq)))
    return Images(*_stacked(planes), images.instrument, images.occulter)


def fit_shifts(
    science: Images,
    psfs: Images,
    weight: Image,
    *,
    align_to: AlignTo = "each",
    shifts: Shifts = "pairwise",
    threads: int = 1,
    **options: Any,
) -> ShiftTable:
    """
    Fit the shift of each psf image against each science integration.

    Parameters
    ----------
    science, psfs
        The cleaned images.
    weight : (rows, columns) float64
        Weight of each pixel; 0 leaves it out.
    align_to
        Align to ``each`` integration, to the ``first``, or to the ``mean`` of all.
    shifts
        ``pairwise``: the shift of each pair from its own fit. ``joint``: the shifts that the
        positions of all images imply.
    threads
        How many processes fit; the result does not depend on it.
    options
        Options of `psfalign.fit.integration.FitOptions`, such as ``max_shift``.

    Returns
    -------
    ShiftTable
        The table of shifts, with one row for each pair of integration and psf.
        ``table.columns["dx"]`` is the position of the psf minus that of the science image, in
        pixels, positive towards higher columns, and ``dy`` that towards higher rows.
        ``table.columns["status"]`` is ``ok`` where a fit may be used.

    Raises
    ------
    InputError
        If the arrays do not have the same rows and columns, or the images are not cleaned.
    """
    shape = science.science.shape[1:]
    _check_cleaned(science, "a science image")
    _check_cleaned(psfs, "a psf image")
    for subject, array in (("a psf image", psfs.science[0]), ("the weight", weight)):
        if array.shape != shape:
            problem = f"{subject} has {array.shape} rows and columns, a science image {shape}"
            raise InputError(problem, remedy="use images of one subarray")
    fitted = FitOptions(**options)
    chosen = choose_frames(_frames(science), align_to)
    fits = fitting.fit_shifts(chosen, _frames(psfs), weight, options=fitted, threads=threads)
    return ShiftTable.of(list(fits), {"padding": fitted.padding}, shifts=shifts)


def _check_cleaned(images: Images, subject: str) -> None:
    """Refuse images with pixels that are not finite; of cleaned ones, none or all are."""
    for image in images.science:
        finite = np.isfinite(image)
        if finite.any() and not finite.all():
            problem = f"{subject} has pixels that are not finite"
            raise InputError(problem, remedy="replace them by psfalign.clean first")


def align(psfs: Images, table: ShiftTable, *, errors: Errors = "variance") -> AlignedImages:
    """
    Shift psf images onto the science integrations.

    Parameters
    ----------
    psfs
        The cleaned psf images that were fitted.
    table
        The table that `fit_shifts` returned.
    errors
        ``variance`` propagates the variance; ``fourier`` shifts the errors like an image.

    Returns
    -------
    AlignedImages
        The psf images shifted by (-dx, -dy), NaN where a fit failed.
    """
    padding = int(table.meta["padding"])
    movables = [
        Movable.of(plane, find_off_science(plane), errors=errors, padding=padding)
        for plane in map(psfs.plane, range(len(psfs)))
    ]
    names = ("psf", "dx", "dy", "status")
    rows = zip(*(table.columns[name].tolist() for name in names), strict=True)
    planes = [
        _moved(movables[psf], psfs.dq[psf], Shift(-dx, -dy))
        if status == Status.OK
        else failed_plane(psfs.science.shape[1:])
        for psf, dx, dy, status in rows
    ]
    shape = (-1, *psfs.science.shape)
    science, error, dq = (array.reshape(shape) for array in _stacked(planes))
    return AlignedImages(science, error, dq, table.columns)


def read_product(path: AnyPath) -> AlignedImages:
    """
    Read a psfalign product into memory.

    A product of ``align_to: first`` or ``mean`` has one integration. To read a large product plane
    by plane, use `psfalign.files.product.Product`.

    Parameters
    ----------
    path
        The product.

    Returns
    -------
    AlignedImages
        All planes, the table of shifts and the weight.

    Raises
    ------
    InputError
        If the file is damaged, or its psf images were not aligned.
    """
    with Product(Path(path)) as product:
        pairs, weight = range(len(product)), product.read_weight()
        shape = (-1, product.n_psfs, *weight.shape)
        return AlignedImages(
            np.array([product.read_image(pair) for pair in pairs]).reshape(shape),
            np.array([product.read_error(pair) for pair in pairs]).reshape(shape),
            np.array(list(product.read_dq())).reshape(shape),
            product.columns,
            weight,
        )


def _frames(images: Images) -> list[Frame]:
    return [
        Frame(image, (dq & np.uint32(FLUX_ESTIMATED)) != 0, known_variance(error))
        for image, error, dq in zip(images.science, images.error, images.dq, strict=True)
    ]


def _moved(movable: Movable, dq: Flags, shift: Shift) -> Plane:
    image, error = movable.moved(shift)
    return Plane(image, error.astype(np.float64), move_flags(dq, shift))


def _stacked(planes: list[Plane]) -> tuple[Cube, Cube, Flags]:
    return (
        np.array([plane.image for plane in planes]),
        np.array([plane.error for plane in planes]),
        np.array([plane.dq for plane in planes]),
    )
