"""Compute the size, the memory and the time of the jobs of a campaign."""

from functools import cache
from pathlib import Path

from ..steps.registry import STEPS, Scope, steps_of
from . import layout, resources
from .attempts import counted_attempt
from .exposures import ScienceExposure, Stack
from .memory import check_memory
from .plan import Plan
from .resources import Size
from .settings import AlignOptions

# Psf images that need as much memory as an integration of another roll, of which spectra are kept.
OF_ROLL = 3


class Sizes:
    """
    The sizes of the jobs of a campaign.

    Parameters
    ----------
    plan
        The campaign.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._shape = cache(self._read_shape)
        self._of_stack = cache(self._sum_stack)

    def of(self, step: str, name: str) -> Size:
        """Return the size of a job."""
        scope = STEPS[step].scope
        if scope is Scope.CAMPAIGN:
            return Size(0, 0, 0)
        members = self._plan.members(scope, name)
        if scope is Scope.STACK:
            return self._of_stack(members[0].stack)
        # All integrations of an association, the most psf images and the largest plane of them.
        sizes = [self._of_exposure(member, step) for member in members]
        return Size(
            sum(size.integrations for size in sizes),
            max(size.psfs for size in sizes),
            max(size.pixels for size in sizes),
        )

    def memory_mb(
        self, step: str, name: str, threads: int, attempt: int, *, on_cluster: bool
    ) -> int:
        """Return the memory that a job requests in MB; on a cluster, with that of Snakemake."""
        engine = resources.engine_mb(len(self._plan.exposures)) if on_cluster else 0
        return engine + resources.memory_mb(
            step,
            self.of(step, name),
            weighting=self._align.weighting,
            threads=threads,
            attempt=self._counted(step, name, attempt),
        )

    def minutes(self, step: str, name: str, attempt: int) -> int:
        """Return the time limit of a job in minutes."""
        return resources.minutes(
            step,
            self.of(step, name),
            weighting=self._align.weighting,
            method=self._align.method,
            attempt=self._counted(step, name, attempt),
        )

    def work_seconds(self, step: str, name: str) -> float:
        """Return the expected CPU time of a job in seconds."""
        size, align = self.of(step, name), self._align
        return resources.work_seconds(step, size, weighting=align.weighting, method=align.method)

    def refuse_without_memory(self, available: int) -> None:
        """
        Raise an error if a job needs more memory than the machine has.

        Parameters
        ----------
        available
            Available bytes.

        Raises
        ------
        ExceptionGroup
            With a line for each exposure.
        """
        needs = {
            (name, step.name): resources.peak_bytes(
                step.name, self._of_exposure(exposure, step.name), self._align.weighting
            )
            for name, exposure in self._plan.exposures.items()
            for step in steps_of(Scope.EXPOSURE)
        }
        errors = check_memory(needs, available)
        if errors:
            raise ExceptionGroup("the campaign cannot run", errors)

    @property
    def _align(self) -> AlignOptions:
        return self._plan.settings.align_refs

    def _counted(self, step: str, name: str, attempt: int) -> int:
        log = layout.log(self._plan.settings.output_dir, step, name)
        return counted_attempt(attempt, log)

    def _of_exposure(self, exposure: ScienceExposure, step: str) -> Size:
        integrations, rows, columns = self._shape(exposure.science)
        padding = self._align.padding if STEPS[step].cost.is_padded else 0
        pixels = (rows + padding) * (columns + padding)
        psfs = self._of_stack(exposure.stack).integrations
        if step == "subtract_psf":
            rolls = self._plan.other_rolls(exposure)
            psfs += OF_ROLL * sum(self._shape(roll.science)[0] for roll in rolls)
        return Size(integrations, psfs, pixels)

    def _sum_stack(self, stack: Stack) -> Size:
        shapes = [self._shape(member) for member in stack.members]
        _, rows, columns = shapes[0]
        return Size(sum(shape[0] for shape in shapes), 0, rows * columns)

    def _read_shape(self, path: Path) -> tuple[int, int, int]:
        """Return integrations, rows and columns."""
        facts = self._plan.facts.exposure(path)
        rows, columns = facts["shape"]
        return facts["integrations"], rows, columns
