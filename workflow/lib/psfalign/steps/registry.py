"""
The steps of the workflow: what each works on, what it writes, and what it costs.

A new step is a module, a script, a rule, and an entry here. Where files lie, what is expected of a
campaign, what memory and time jobs ask for, what `verify` and the RO-Crate look at, and the table
of the documentation derive from the entries; a test holds rules and profiles against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from types import MappingProxyType


class Scope(StrEnum):
    """What a job of a step works on: the wildcard in the names of its files."""

    EXPOSURE = "exposure"
    STACK = "stack"
    ASSOCIATION = "association"
    CAMPAIGN = "campaign"  # one job, no wildcard


class Source(StrEnum):
    """A file from outside, or several, that a job reads; the name that its rule has for it."""

    SCIENCE = "science"
    PSFS = "psfs"  # exposures of the reference star, to be stacked first
    PSFSTACK = "psfstack"  # psf images that came in one file
    MASKS = "masks"
    ASSOCIATION = "association"

    @property
    def is_single(self) -> bool:
        """Whether it is never a list."""
        return self is Source.SCIENCE


class Planes(StrEnum):
    """How many image planes a file holds, of which its size on the disk follows."""

    NONE = "none"
    INTEGRATIONS = "integrations"
    STAGES = "stages"  # all stages of the subtraction, for each integration
    PSFS = "psfs"
    PAIRS = "pairs"
    COMBINED = "combined"  # the stages of all rolls in one picture


@dataclass(frozen=True)
class Output:
    """
    A file that a step writes.

    Attributes
    ----------
    ending
        What follows the name of the exposure, stack or association; the whole name where the
        step works on the campaign.
    meaning
        What it is, for the documentation.
    planes
        What its size depends on.
    label
        Its label in Snakemake's report; empty if the report does not show it. The caption is
        ``workflow/report/<name of the output>.rst``.
    is_figure
        Whether it is a figure of an exposure, which is left out unless `figures` is ``all``.
    """

    ending: str
    meaning: str
    planes: Planes = Planes.NONE
    label: str = ""
    is_figure: bool = False


@dataclass(frozen=True)
class Cost:
    """
    What memory and time of a step depend on; `psfalign.campaign.resources` has the formulas.

    Attributes
    ----------
    base
        MB of interpreter, libraries and code.
    fixed, per_psf
        Bytes a pixel: in any case, and for each psf image that is held.
    per_integration
        Bytes a pixel for each integration, where all are held.
    per_thread
        Bytes a pixel for each thread beyond the first.
    per_plane, per_pair
        CPU nanoseconds a pixel: for each plane that is read, and for each pair that is worked on.
    is_padded
        Whether images are padded first.
    depends_on_fit
        Whether `weighting` and `method` count.
    """

    base: float
    fixed: float = 0.0
    per_psf: float = 0.0
    per_integration: float = 0.0
    per_thread: float = 0.0
    per_plane: float = 0.0
    per_pair: float = 0.0
    is_padded: bool = False
    depends_on_fit: bool = False


@dataclass(frozen=True)
class Step:
    """
    A step of the workflow.

    Attributes
    ----------
    name
        Of its rule, and in provenance.
    scope
        What a job works on.
    module
        The module of the library that does it.
    cost
        What memory and time it needs.
    outputs
        What it writes, by the names that the rule has for them; the main one first.
    reads
        The files from outside that it reads.
    rests_on
        The steps whose results it works on, and whose records it passes on.
    in_report
        Whether its files lie in the folder of the report.
    is_intermediate
        Whether its files go when they are used, unless `keep_intermediates` is set.
    is_optional
        Whether an exposure can be complete without it.
    shared_name
        What its script, its options and its records call it, where two steps do the same.
    """

    name: str
    scope: Scope
    module: str
    cost: Cost
    outputs: Mapping[str, Output] = field(default_factory=dict)
    reads: tuple[Source, ...] = ()
    rests_on: tuple[str, ...] = ()
    in_report: bool = False
    is_intermediate: bool = False
    is_optional: bool = False
    shared_name: str = ""

    @property
    def recorded_as(self) -> str:
        """What its script, its options and its records call it."""
        return self.shared_name or self.name


@cache
def led_to(step: str) -> tuple[str, ...]:
    """Return all steps on which a step rests, directly or not, in the order of its records."""
    found = (name for direct in STEPS[step].rests_on for name in (*led_to(direct), direct))
    return tuple(dict.fromkeys(found))


def steps_of(scope: Scope) -> list[Step]:
    """Return the steps that work on exposures, stacks, associations or the campaign, in order."""
    return [step for step in STEPS.values() if step.scope is scope]


def _figure(ending: str, meaning: str, label: str) -> Output:
    return Output(ending, meaning, label=label, is_figure=True)


_ALL = (
    Step(
        "simulate_demo",
        Scope.CAMPAIGN,
        "simulate",
        Cost(base=180, per_plane=1000),
    ),
    Step(
        "resolve_psfmask",
        Scope.EXPOSURE,
        "steps.resolve",
        Cost(base=83, fixed=32),
        {"psfmask": Output("_psfmask.json", "which mask was used, why, and how it was read")},
        reads=(Source.SCIENCE, Source.MASKS),
    ),
    Step(
        "stack_psfs",
        Scope.STACK,
        "steps.stack",
        Cost(base=97, fixed=28, per_plane=100),
        {"psfstack": Output("_psfstack.fits", "the psf exposures in one file", Planes.PSFS)},
        reads=(Source.PSFS,),
        is_intermediate=True,
    ),
    Step(
        "clean_psfs",
        Scope.STACK,
        "steps.clean",
        Cost(base=95, fixed=52, per_plane=200),
        {"clean": Output("_clean.fits", "the psf images, bad pixels replaced", Planes.PSFS)},
        reads=(Source.PSFSTACK,),
        rests_on=("stack_psfs",),
        shared_name="clean",
    ),
    Step(
        "clean_science",
        Scope.EXPOSURE,
        "steps.clean",
        Cost(base=95, fixed=52, per_plane=200),
        {
            "clean": Output(
                "_clean.fits", "the science exposure, bad pixels replaced", Planes.INTEGRATIONS
            )
        },
        reads=(Source.SCIENCE,),
        is_intermediate=True,
        shared_name="clean",
    ),
    Step(
        "fit_shifts",
        Scope.EXPOSURE,
        "steps.fit",
        Cost(
            base=88,
            fixed=400,
            per_psf=16,
            per_thread=480,
            per_plane=150,
            per_pair=15,
            is_padded=True,
            depends_on_fit=True,
        ),
        {"shifts": Output("_shifts.ecsv", "the shift of each pair of integration and psf")},
        reads=(Source.MASKS,),
        rests_on=("resolve_psfmask", "clean_science", "clean_psfs"),
    ),
    Step(
        "align_psfs",
        Scope.EXPOSURE,
        "steps.align",
        Cost(base=83, fixed=120, per_thread=170, per_plane=100, per_pair=50, is_padded=True),
        {
            "product": Output(
                "_psfalign.fits", "the product: the psf images aligned", planes=Planes.PAIRS
            )
        },
        reads=(Source.MASKS, Source.ASSOCIATION),
        rests_on=("fit_shifts",),
    ),
    Step(
        "subtract_psf",
        Scope.EXPOSURE,
        "steps.subtract",
        Cost(base=80, fixed=240, per_psf=11.9, per_plane=150, per_pair=40),
        {"subtracted": Output("_psfsub.fits", "the science exposure less its star", Planes.STAGES)},
        rests_on=("align_psfs",),
        is_optional=True,
    ),
    Step(
        "combine_rolls",
        Scope.ASSOCIATION,
        "steps.combine",
        Cost(base=82, fixed=360, per_integration=38, per_plane=2000),
        {
            "northup": Output(
                "_northup.fits", "all integrations and rolls in one, north up", Planes.COMBINED
            ),
            "contrast": Output("_contrast.ecsv", "noise and throughput by separation"),
        },
        rests_on=("subtract_psf",),
        is_optional=True,
    ),
    Step(
        "plot_exposure",
        Scope.EXPOSURE,
        "report.exposure",
        Cost(base=146, fixed=305, per_plane=300),
        {
            "summary": Output("_summary.json", "the numbers of the campaign's page"),
            "images": _figure("_images.png", "science, psf and residual", "1 images"),
            "shifts": _figure("_shifts.png", "the shifts drawn", "2 shifts"),
            "checks": _figure("_checks.png", "what to check", "3 pixels, weight, radius"),
            "table": Output("_table.html", "a row for each pair", label="4 table of shifts"),
        },
        reads=(Source.MASKS,),
        rests_on=("fit_shifts",),
        in_report=True,
    ),
    Step(
        "plot_association",
        Scope.ASSOCIATION,
        "report.association",
        Cost(base=150, fixed=300, per_plane=300),
        {
            "picture": Output("_northup.png", "the star subtracted, north up", label="1 north up"),
            "curve": Output("_contrast.png", "the noise drawn", label="2 how faint"),
        },
        rests_on=("combine_rolls",),
        in_report=True,
        is_optional=True,
    ),
)
# In the order of the work.
STEPS: Mapping[str, Step] = MappingProxyType({step.name: step for step in _ALL})
