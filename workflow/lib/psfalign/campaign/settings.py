"""
The configuration of a campaign: the one place of its options.

Their types and limits, defaults and descriptions become the schema of the workflow catalogue, the
options of the command line, and the tables of config/README.md. Words of an option are those of its
type in `psfalign.images.arrays`.
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
from ..steps.registry import Output
from .options import Json, option, plain, schema_of, values_of


def _radius() -> Any:
    text = "Its radius, in the unit in which its place is given."
    return option(text, unit="pixels or arcsec", exclusiveMinimum=0)


@dataclass(frozen=True, kw_only=True)
class PixelCircle:
    """A circle on the image."""

    column: float = option("Column of its middle, counted from 0.", unit="pixels")
    row: float = option("Row of its middle, counted from 0.", unit="pixels")
    radius: float = _radius()


@dataclass(frozen=True, kw_only=True)
class SkyCircle:
    """A circle on the sky."""

    separation: float = option("Distance of its middle from the star.", unit="arcsec", minimum=0)
    position_angle: float = option(
        "Its direction from the star, from north towards east.",
        unit="degrees",
        minimum=-360,
        maximum=360,
    )
    radius: float = _radius()


Circles = tuple[PixelCircle | SkyCircle, ...]


@dataclass(frozen=True, kw_only=True)
class ExposureEntry:
    """A science exposure and its psf images, as they are listed under `exposures`."""

    science: Path = option(
        "Calibrated science exposure, a `_calints.fits` or `_crfints.fits` file.", values="path"
    )
    psfs: Path | tuple[Path, ...] = option(
        "A `_psfstack.fits` file, or `_calints.fits` or `_crfints.fits` files of the reference "
        "star to stack in this order.",
        values="path or list of paths",
        minItems=1,
    )
    asn_id: str = option(
        "Association candidate, such as `a3001`. Results are named `<science root>_<asn_id>`.",
        values="`o`, `c` or `a`, then digits",
        pattern="^([oa][0-9]+|c[0-9]+)$",
    )
    psfmask: Path | None = option(
        "Mask file of this exposure, whatever the catalogue says; `uniform` is weight one inside "
        "the science area; `N/A` passes the psf images on unaligned. Without it, the mask is "
        "chosen from the catalogue or by CRDS.",
        None,
        values="path, `uniform` or `N/A`",
    )
    exclude: Circles = option(
        "Circles on this exposure that have no weight, besides those of `align_refs.exclude`.",
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
        "Folder of the cache, the one that CRDS_PATH names for crds.", values="path"
    )


@dataclass(frozen=True, kw_only=True)
class PsfmaskOptions:
    """Where masks come from, and how they are read."""

    references: tuple[Path, ...] = option(
        "The catalogue of PSFMASK files: files, folders (their `.fits` files) and globs.",
        (),
        values="list of paths",
    )
    convention: Literal["auto", Convention] = option(
        "What 1 means in a mask: `weight` (use this pixel, as in all files in circulation), "
        "`exclude` (masked out, as documented), or `auto` (decide by its values).",
        "auto",
        step="resolve_psfmask",
    )
    crds: CrdsSource | None = option(
        "A CRDS cache to ask, offline, instead of the catalogue; not together with `references`.",
        None,
        values="mapping",
    )


@dataclass(frozen=True, kw_only=True)
class AlignOptions:
    """Cleaning, fitting and alignment."""

    median_box_length: int = option(
        "Side of the box whose median replaces a bad pixel, at most the image's size; 2 and 3, "
        "like 4 and 5, mean the same.",
        3,
        step="clean",
        unit="pixels",
        minimum=2,
    )
    bad_bits: str | int | None = option(
        "DQ flags that make a pixel bad: names or numbers joined by comma, plus or bar "
        '(`"OUTLIER, SATURATED"` = `"16, 2"` = `18`), `~` before them for all others; `""` or '
        "`null` for none. Pixels that are not finite are bad anyway.",
        "DO_NOT_USE",
        step="clean",
        values='names or numbers of flags, `""`, `null`',
    )
    align_to: AlignTo = option(
        "What to align to: `each` integration (4D product), the `first` or the `mean` of all (3D "
        "product).",
        "each",
        step="fit_shifts",
    )
    method: Method = option(
        "How to fit: `spectral` (exact derivatives), or `leastsq` (SciPy's, for comparison; slow).",
        "spectral",
        step="fit_shifts",
    )
    max_shift: int = option(
        "Largest shift along each axis that is searched for, on whole pixels; a fit that ends more "
        "than half a pixel beyond it is `out_of_range`. 0 starts the fit from no shift, without a "
        "search or a limit.",
        3,
        step="fit_shifts",
        unit="pixels",
        minimum=0,
    )
    weighting: Weighting = option(
        "What weights a residual: the `mask`; `mask+dq`, which leaves replaced pixels out; "
        "`inverse_variance`, which also divides by the errors, and corrects for noise in the "
        "science image.",
        "mask",
        step="fit_shifts",
    )
    background: BackgroundChoice = option(
        "What is fitted with shift and flux besides: a `plane` in each image, `fit` for a "
        "constant, or `none`; `auto` fits the plane, which serves both instruments best. Header "
        "and report say which it was.",
        "auto",
        step="fit_shifts",
    )
    exclude: Circles = option(
        "Circles on all science exposures that have no weight, such as around a known companion. "
        "Each is `{column, row, radius}` in pixels, counted from 0, or `{separation, "
        "position_angle, radius}` in arcsec from the star (`psf_subtraction.star`) and degrees "
        "from north towards east, the same for all rolls. The fit leaves them out wherever a shift "
        "within `max_shift` takes them, the subtraction as they are. One that covers no pixel of "
        "any exposure is refused.",
        (),
        values="list of circles",
    )
    padding: int = option(
        "Rows and columns that lead from the last ones of an image back to the first ones in a "
        "straight line; without them, what leaves an image on one side comes in on the other.",
        0,
        step="fit_shifts",
        unit="pixels",
        minimum=0,
        maximum=1024,
    )
    shifts: Shifts = option(
        "Shifts from each pair by itself (`pairwise`), or the weighted least-squares solution of "
        "all pairs of an exposure (`joint`): one position for each image, with pairs that "
        "contradict the others left out. Where an image has fewer than four pairs, or more than a "
        "quarter of its pairs are suspicious, `joint` falls back to `pairwise`, and the header "
        "says so (SHIFTSOL).",
        "pairwise",
        step="fit_shifts",
    )
    errors: Errors = option(
        "How ERR is carried along: `variance` (propagated), or `fourier` (shifted like an image, "
        "as upstream does; can become negative).",
        "variance",
        step="align_psfs",
    )
    on_failed_fit: OnFailedFit = option(
        "What a failed fit does: `flag` its plane (NaN and DO_NOT_USE), or `stop` its exposure.",
        "flag",
        step="fit_shifts",
    )


@dataclass(frozen=True, kw_only=True)
class SubtractionOptions:
    """Subtraction of the star, and pictures of all rolls."""

    method: Subtraction = option(
        "Whether to subtract the star by principal components of the psf images (`klip`) and to "
        "combine the rolls, or to end with the aligned psf images (`none`).",
        "klip",
    )
    references: References = option(
        "What is subtracted: the psf images of the reference `stars`, or `stars+rolls`, those and "
        "the integrations of the other rolls of the same association, which leaves less of the "
        "star and of what is near it. Where an exposure has no other roll, a warning says so.",
        "stars",
        step="subtract_psf",
    )
    modes: tuple[int, ...] = option(
        "Numbers of principal components. None counts beyond the number of psf images; "
        "`_psfsub.fits` holds the largest under SCI, the combined picture all.",
        (1, 2, 5, 10, 20, 50),
        step="subtract_psf",
        values="list of integers, 1 or more",
        minItems=1,
        items={"type": "integer", "minimum": 1},
    )
    region: Region = option(
        "Where to fit: where the weight of the `mask` is above one half, or in the whole `image`, "
        "as jwst does.",
        "mask",
        step="subtract_psf",
    )
    annuli: tuple[float, ...] = option(
        "Separations from the star at which one ring ends and the next begins; each is fitted by "
        "itself. Without any, the image is fitted as one.",
        (),
        step="subtract_psf",
        unit="arcsec",
        values="list of numbers",
        items={"type": "number", "minimum": 0},
    )
    star: Literal["auto"] | tuple[float, float] = option(
        "Where the star is: `auto` (STARCENX and STARCENY in the header, otherwise CRPIX1 and "
        "CRPIX2), or its column and row in all exposures, counted from 0.",
        "auto",
        step="subtract_psf",
        values="`auto`, or `[column, row]` in pixels",
    )
    star_flux: float | None = option(
        "Flux of the star in the filter; with it, `_contrast.ecsv` gives the noise as contrast, "
        "too.",
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

    It is made of what a user wrote by `psfalign.campaign.configuration.complete_config`.
    """

    output_dir: Path = option("Folder that all results go to.", Path("results"), values="path")
    keep_intermediates: bool = option(
        "Whether cleaned science exposures, and stacks that are cleaned already, stay when what is "
        "made from them is there. Without them a campaign takes less room, but whatever needs one "
        "again, a fit or a picture, does its exposure again from the cleaning on. Cleaned stacks "
        "stay in any case: all their exposures would be done again with them.",
        True,
        values="true or false",
    )
    figures: Figures = option(
        "Of which exposures figures are drawn: `all`, in files of their own; `reported`, those "
        "with a pair that failed, is suspicious or doubtful, in the page with their table of "
        "shifts; or `none`. The pictures of all rolls are drawn with `all` and `reported`. Numbers "
        "and tables are the same.",
        "all",
    )
    warm_start: bool = option(
        "Whether the steps of a campaign run in forks of one process that has imported what they "
        "need, which spares each of them the start of Python (Linux; conda environments and "
        "containers start Python for each step in any case). The results are the same.",
        True,
        values="true or false",
    )
    rerun_on_new_software: bool = option(
        "Whether results that other versions of Python, NumPy, SciPy, Astropy or psfalign made are "
        "made again. Without it they stay, and the page of the campaign and `psfalign verify` say "
        "where several versions made the results.",
        False,
        values="true or false",
    )
    associations: tuple[Path, ...] = option(
        "Level-3 coronagraphic association files (`asn_type` `coron3`, `user_built`, `None` or "
        "none): each science member of each product becomes an exposure, the psf members are "
        "stacked, other members are ignored. Members are looked for beside the association, then "
        "in the working directory.",
        (),
        values="list of paths",
    )
    exposures: tuple[ExposureEntry, ...] = option(
        "Science exposures and the psf images to align to each, beside or instead of associations.",
        (),
        values="list of mappings",
    )
    manifest: Path | None = option(
        "A list of inputs that `psfalign manifest` wrote. The files in it are not looked at before "
        "the run, so they may lie in storage, or be missing where a run is planned; jobs refuse "
        "other files than it lists.",
        None,
        values="path",
    )
    psfmask: PsfmaskOptions = option(
        "Where masks come from, and how they are read.", PsfmaskOptions()
    )
    align_refs: AlignOptions = option("Cleaning, fitting and alignment.", AlignOptions())
    psf_subtraction: SubtractionOptions = option(
        "Subtraction of the star, and pictures of all rolls.", SubtractionOptions()
    )

    def as_dict(self) -> Json:
        """Return what a configuration file with these settings holds."""
        return dict(plain(self))

    def is_written(self, output: Output) -> bool:
        """Return whether a step writes a file: figures of their own are written of all, or none."""
        return self.figures == "all" or not output.is_figure

    def of_step(self, step: str) -> Json:
        """Return the options that a step takes, by the names of its arguments."""
        groups = (self.psfmask, self.align_refs, self.psf_subtraction)
        values = {name: value for g in groups for name, value in values_of(g, step).items()}
        if "bad_bits" in values:
            values["bad_bits"] = parse_bad_bits(values["bad_bits"])
        return values

    def parameters(self) -> dict[str, Any]:
        """Return the options that all exposures share by name, as provenance records them."""
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
        "description": "One campaign of exposures, and how to align the psf images to them.",
        **schema_of(Settings),
    }
