"""
Define the options of a campaign.

Their types, limits, defaults and descriptions become the schema of the workflow catalogue, the
options of the command line, and the tables of config/README.md. The words that an option accepts
are those of its type in `psfalign.images.arrays`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..images.arrays import (
    AlignTo,
    BackgroundChoice,
    Convention,
    Errors,
    Figures,
    Method,
    OnFailedFit,
    References,
    Region,
    Shifts,
    Subtraction,
    Weighting,
)
from ..images.dq_flags import parse_bad_bits
from ..steps.registry import STEPS, Output
from .options import Json, option, plain, schema_of, values_of


def _radius() -> Any:
    text = "Radius, in pixels or arcsec as its position."
    return option(text, unit="pixels or arcsec", exclusiveMinimum=0)


@dataclass(frozen=True, kw_only=True)
class PixelCircle:
    """A circle on the image."""

    column: float = option("Column of the centre, counted from 0.", unit="pixels")
    row: float = option("Row of the centre, counted from 0.", unit="pixels")
    radius: float = _radius()


@dataclass(frozen=True, kw_only=True)
class SkyCircle:
    """A circle on the sky."""

    separation: float = option("Distance of the centre from the star.", unit="arcsec", minimum=0)
    position_angle: float = option(
        "Direction from the star, from north towards east.",
        unit="degrees",
        minimum=-360,
        maximum=360,
    )
    radius: float = _radius()


Circles = tuple[PixelCircle | SkyCircle, ...]


@dataclass(frozen=True, kw_only=True)
class ExposureEntry:
    """A science exposure and its psf images, an entry of the list `exposures`."""

    science: Path = option(
        "Calibrated science exposure, a `_calints.fits` or `_crfints.fits` file.", values="path"
    )
    psfs: Path | tuple[Path, ...] = option(
        "A `_psfstack.fits` file, or a list of `_calints.fits` or `_crfints.fits` files of the "
        "reference star, which are stacked in this order.",
        values="path or list of paths",
        minItems=1,
    )
    asn_id: str = option(
        "Association candidate, such as `a3001`. Results are named `<science root>_<asn_id>`.",
        values="`o`, `c` or `a`, then digits",
        pattern="^([oa][0-9]+|c[0-9]+)$",
    )
    psfmask: Path | None = option(
        "Mask file of this exposure; `uniform` for a weight of 1 in the science area; `N/A` to "
        "leave the psf images unaligned. Without it, the mask is chosen from the catalogue or by "
        "CRDS.",
        None,
        values="path, `uniform` or `N/A`",
    )
    exclude: Circles = option(
        "Circles on this exposure that get no weight, in addition to `align_refs.exclude`.",
        (),
        values="list of circles",
    )


@dataclass(frozen=True, kw_only=True)
class CrdsSource:
    """A CRDS cache that chooses masks."""

    context: str = option(
        "The pipeline mapping whose rules choose the masks.",
        values="a name such as `jwst_1413.pmap`",
        pattern=r"^jwst_[0-9]+\.pmap$",
    )
    path: Path = option(
        "Folder of the cache, which crds finds in the variable CRDS_PATH.", values="path"
    )


@dataclass(frozen=True, kw_only=True)
class PsfmaskOptions:
    """Where masks come from, and how they are read."""

    references: tuple[Path, ...] = option(
        "The catalogue of PSFMASK files: files, folders (all their `.fits` files) and globs.",
        (),
        values="list of paths",
    )
    convention: Literal["auto", Convention] = option(
        "The meaning of 1 in a mask: `weight` (use the pixel, as in all known files), `exclude` "
        "(masked out, as documented), or `auto` (decide by the values of the mask).",
        "auto",
        step="resolve_psfmask",
    )
    crds: CrdsSource | None = option(
        "A CRDS cache that chooses the masks, offline. It cannot be combined with `references`.",
        None,
        values="mapping",
    )


@dataclass(frozen=True, kw_only=True)
class AlignOptions:
    """Cleaning, fitting and alignment."""

    median_box_length: int = option(
        "Side of the box whose median replaces a bad pixel, at most the size of the image; 2 is "
        "the same as 3, and 4 the same as 5.",
        3,
        step="clean",
        unit="pixels",
        minimum=2,
    )
    bad_bits: str | int | None = option(
        "DQ flags that make a pixel bad: names or numbers, joined by comma, plus or bar "
        '(`"OUTLIER, SATURATED"` = `"16, 2"` = `18`), with a leading `~` for all other flags; `""` '
        "or `null` for none. Pixels that are not finite are always bad.",
        "DO_NOT_USE",
        step="clean",
        values='names or numbers of flags, `""`, `null`',
    )
    align_to: AlignTo = option(
        "Align the psf images to `each` integration (4D product), to the `first`, or to the `mean` "
        "of all (3D product).",
        "each",
        step="fit_shifts",
    )
    method: Method = option(
        "Method of the fit: `spectral` (exact derivatives), or `leastsq` (of SciPy, slow, for "
        "comparison).",
        "spectral",
        step="fit_shifts",
    )
    max_shift: int = option(
        "Largest shift along each axis that the search over whole pixels tries. A fit that ends "
        "more than half a pixel beyond it is `out_of_range`. 0 starts the fit at no shift, without "
        "a search or a limit.",
        3,
        step="fit_shifts",
        unit="pixels",
        minimum=0,
    )
    weighting: Weighting = option(
        "Weight of the residuals: `mask`; `mask+dq`, which also leaves out replaced pixels; "
        "`inverse_variance`, which also divides by the errors, and corrects for noise in the "
        "science image.",
        "mask",
        step="fit_shifts",
    )
    background: BackgroundChoice = option(
        "Background that is fitted together with shift and flux: a `plane`, a constant (`fit`), or "
        "`none`. `auto` fits a plane, which is best for both instruments. The header and the "
        "report state the background that was fitted.",
        "auto",
        step="fit_shifts",
    )
    exclude: Circles = option(
        "Circles on all science exposures that get no weight, for example around a known "
        "companion. Each is `{column, row, radius}` in pixels, counted from 0, or `{separation, "
        "position_angle, radius}` in arcsec from the star (`psf_subtraction.star`) and degrees "
        "from north towards east, the same for all rolls. The fit excludes all pixels that a shift "
        "within `max_shift` can move into a circle, the subtraction only the circles themselves. A "
        "circle that covers no pixel of any exposure is refused.",
        (),
        values="list of circles",
    )
    padding: int = option(
        "Number of rows and columns that are appended to each image before it is shifted, and "
        "interpolate between its last and its first ones. Without them, content that leaves an "
        "image on one side enters on the opposite side.",
        0,
        step="fit_shifts",
        unit="pixels",
        minimum=0,
        maximum=1024,
    )
    shifts: Shifts = option(
        "`pairwise`: the shift of each pair from its own fit. `joint`: the weighted least-squares "
        "solution of all pairs of an exposure, with one position for each image, and without "
        "suspicious pairs. If an image has fewer than four pairs, or more than a quarter of its "
        "pairs are suspicious, `joint` falls back to `pairwise`, and the header states this "
        "(SHIFTSOL).",
        "pairwise",
        step="fit_shifts",
    )
    errors: Errors = option(
        "Shift of ERR: `variance` (the variance is propagated), or `fourier` (ERR is shifted like "
        "an image, as the jwst pipeline does, and can become negative).",
        "variance",
        step="align_psfs",
    )
    on_failed_fit: OnFailedFit = option(
        "After a failed fit, `flag` its plane (NaN and DO_NOT_USE), or `stop` its exposure with an "
        "error.",
        "flag",
        step="fit_shifts",
    )


@dataclass(frozen=True, kw_only=True)
class SubtractionOptions:
    """Subtraction of the star, and combination of rolls."""

    method: Subtraction = option(
        "`klip`: subtract the star by principal components of the psf images, and combine the "
        "rolls. `none`: end with the aligned psf images.",
        "klip",
    )
    references: References = option(
        "Images that are subtracted: those of the reference `stars`; or `stars+rolls`, which adds "
        "the integrations of the other rolls of the same association. This leaves less of the "
        "star, but also of sources near it. An exposure without another roll causes a warning.",
        "stars",
        step="subtract_psf",
    )
    modes: tuple[int, ...] = option(
        "Numbers of principal components, each limited to the number of psf images. SCI of "
        "`_psfsub.fits` is the result of the largest number; the combined image has all of them.",
        (1, 2, 5, 10, 20, 50),
        step="subtract_psf",
        values="list of integers, 1 or more",
        minItems=1,
        items={"type": "integer", "minimum": 1},
    )
    region: Region = option(
        "Pixels that are fitted: those where the weight of the `mask` is above one half, or the "
        "whole `image`, as jwst does.",
        "mask",
        step="subtract_psf",
    )
    annuli: tuple[float, ...] = option(
        "Separations from the star that divide the image into rings, which are fitted "
        "independently. Without any, the image is fitted as a whole.",
        (),
        step="subtract_psf",
        unit="arcsec",
        values="list of numbers",
        items={"type": "number", "minimum": 0},
    )
    star: Literal["auto"] | tuple[float, float] = option(
        "Position of the star: `auto` (STARCENX and STARCENY of the header, otherwise CRPIX1 and "
        "CRPIX2), or its column and row in all exposures, counted from 0.",
        "auto",
        step="subtract_psf",
        values="`auto`, or `[column, row]` in pixels",
    )
    star_flux: float | None = option(
        "Flux of the star in the filter. With it, `_contrast.ecsv` also has the limits as "
        "contrasts.",
        None,
        step="combine_rolls",
        unit="Jy",
        values="number",
        exclusiveMinimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    A complete configuration.

    `psfalign.campaign.configuration.complete_config` makes it from the configuration of a user.
    """

    output_dir: Path = option("Folder of all results.", Path("results"), values="path")
    keep_intermediates: bool = option(
        "Whether to keep cleaned science exposures, and psfstacks before they were cleaned, when "
        "nothing needs them any more. Without them a campaign takes less space, but a later run "
        "that needs one again, for a fit or a figure, repeats all steps of its exposure. Cleaned "
        "psfstacks are always kept, because all their exposures would have to be repeated.",
        True,
        values="true or false",
    )
    figures: Figures = option(
        "Exposures of which figures are drawn: `all`, as files of their own; `reported`, those "
        "with a pair that failed, is suspicious or doubtful, in the page with their table of "
        "shifts; or `none`. Images of combined rolls are drawn with `all` and `reported`. Numbers "
        "and tables do not depend on it.",
        "all",
    )
    warm_start: bool = option(
        "Whether the steps of a campaign run in forks of one process that has imported their "
        "modules, so that Python need not be started for each step (on Linux, without conda "
        "environments or containers). The results are the same.",
        True,
        values="true or false",
    )
    rerun_on_new_software: bool = option(
        "Whether results that were made by other versions of Python, NumPy, SciPy, Astropy or "
        "psfalign are made again. Otherwise they are kept, and the page of the campaign and "
        "`psfalign verify` report if several versions made the results.",
        False,
        values="true or false",
    )
    associations: tuple[Path, ...] = option(
        "Level-3 coronagraphic association files (with `asn_type` `coron3`, `user_built`, `None`, "
        "or without it). Each science member of each product becomes an exposure, the psf members "
        "are stacked, and other members are ignored. Members are searched for in the folder of the "
        "association, then in the working directory.",
        (),
        values="list of paths",
    )
    exposures: tuple[ExposureEntry, ...] = option(
        "Science exposures and the psf images to align to each, with or without associations.",
        (),
        values="list of mappings",
    )
    manifest: Path | None = option(
        "A list of inputs that `psfalign manifest` wrote. The planning of a run does not read "
        "these files, and so they may be in object storage, or on another machine. A job fails if "
        "its file is not the one in the list.",
        None,
        values="path",
    )
    psfmask: PsfmaskOptions = option(
        "Where masks come from, and how they are read.", PsfmaskOptions()
    )
    align_refs: AlignOptions = option("Cleaning, fitting and alignment.", AlignOptions())
    psf_subtraction: SubtractionOptions = option(
        "Subtraction of the star, and combination of rolls.", SubtractionOptions()
    )

    def as_dict(self) -> Json:
        """Return the content of a configuration file with these settings."""
        return dict(plain(self))

    def has_step(self, step: str) -> bool:
        """Return whether a step is run at all, where it is one that can be left out."""
        if STEPS[step].is_optional and self.psf_subtraction.method == "none":
            return False
        return step != "plot_association" or self.figures != "none"

    def is_written(self, output: Output) -> bool:
        """Return whether a step writes a file; figures have own files only with ``all``."""
        return self.figures == "all" or not output.is_figure

    def of_step(self, step: str) -> Json:
        """Return the options of a step, by the names of its arguments."""
        groups = (self.psfmask, self.align_refs, self.psf_subtraction)
        values = {name: value for g in groups for name, value in values_of(g, step).items()}
        if "bad_bits" in values:
            values["bad_bits"] = parse_bad_bits(values["bad_bits"])
        return values

    def parameters(self) -> dict[str, Any]:
        """Return the options that apply to all exposures by name, as provenance records them."""
        own = ("subtract_psf", "combine_rolls")
        subtraction = [values_of(self.psf_subtraction, step) for step in own]
        align_refs = plain(self.align_refs) | {"convention": self.psfmask.convention}
        del align_refs["exclude"]  # exposures have circles of their own
        return subtraction[0] | subtraction[1] | align_refs


def config_schema() -> Json:
    """Return the JSON schema of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "psfalign configuration",
        "description": "A campaign of exposures, and the options of their alignment.",
        **schema_of(Settings),
    }
