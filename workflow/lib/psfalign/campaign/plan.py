"""The plan of a campaign: its jobs, their inputs and their settings."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

from ..errors import ConfigError
from ..files.provenance.code import code_digest
from ..files.provenance.records import software_versions
from ..psfmask.resolved import UNIFORM
from ..steps.registry import STEPS, Scope, Source
from . import layout
from .checks import Findings, inspect_campaign
from .combining import choose_combined, find_other_rolls
from .crds import CrdsChoice
from .demo import SEED
from .exclusion import EXCLUDING, exclusion_of
from .exposures import ScienceExposure, plan_exposures
from .facts import FactsStore
from .options import Json
from .settings import Settings

NONE = "none"  # the method of subtraction, or the choice of figures, for nothing
STARS = "stars"  # the references are stars alone, no other rolls


class Plan:
    """
    The exposures of a campaign with their psf stacks and associations, and their jobs.

    Files are read when they are first needed.

    Parameters
    ----------
    settings
        The configuration.
    scripts
        The folder with the script of each step.
    looks
        SHA-256 of the files, besides code, that determine how figures and pages look.
    results
        The folder of the results, if it is not the configured output directory.
    is_whole
        Whether all exposures are checked together. Otherwise each exposure is checked when it is
        needed, which is enough for one job; then no rolls are combined, and existing results are
        not compared with the configuration.
    runs_elsewhere
        Whether jobs run in environments or containers that Snakemake provides.
    in_storage
        Whether the results are in a storage of Snakemake, where psfalign cannot read them.

    Attributes
    ----------
    exposures
        The exposures by name.
    facts
        The facts about the inputs.
    settings
        The configuration, whose output directory is the folder of the results.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        scripts: Path,
        looks: str,
        results: Path | None = None,
        is_whole: bool = True,
        runs_elsewhere: bool = False,
        in_storage: bool = False,
    ) -> None:
        if settings.rerun_on_new_software and runs_elsewhere:
            raise ConfigError(
                "versions of software in a conda environment or a container are not known",
                keyword="rerun_on_new_software",
                value="true",
                remedy="set it to false, or run without --software-deployment-method",
            )
        self.settings = replace(settings, output_dir=results or settings.output_dir)
        # Parallel jobs would overwrite the facts of each other and of the main process.
        self.facts = FactsStore.of(settings, results=results, read_only=not is_whole)
        self.is_whole, self.in_storage = is_whole, in_storage
        self.exposures = {exposure.name: exposure for exposure in plan_exposures(settings)}
        self._scripts, self._looks = scripts, looks
        self._groups: dict[Scope, dict[str, list[ScienceExposure]]] = {scope: {} for scope in Scope}
        for exposure in self.exposures.values():
            for scope, group in self._groups.items():
                group.setdefault(exposure.name_in(scope), []).append(exposure)
        self._options = cache(settings.of_step)  # needed by each job
        self._inspected: dict[str, Findings] = {}
        self.other_rolls = cache(self._find_other_rolls)

    def names(self, scope: Scope) -> list[str]:
        """Return the names of all exposures, stacks or associations."""
        return list(self._groups[scope])

    def members(self, scope: Scope, name: str) -> Sequence[ScienceExposure]:
        """
        Return the exposures of a stack or an association, or one exposure itself.

        Raises
        ------
        ConfigError
            If the campaign contains no such name; targets on the command line may be wrong.
        """
        if name not in self._groups[scope]:
            raise ConfigError(f"{name}: is not in the campaign", remedy="check the name")
        return self._groups[scope][name]

    def has_step(self, step: str, exposure: ScienceExposure) -> bool:
        """Return whether a step is needed for the results of an exposure."""
        if step == "stack_psfs":
            return not exposure.stack.is_stacked
        return self.settings.has_step(step)

    @property
    def is_subtracting(self) -> bool:
        """Whether the star is subtracted and the rolls are combined."""
        return self.settings.psf_subtraction.method != NONE

    @cached_property
    def inspection(self) -> Findings:
        """The findings about the files of all exposures, with the errors in them."""
        return self._inspect(self.exposures.values())

    @property
    def findings(self) -> Findings:
        """
        The findings about the files of all exposures, without errors.

        Raises
        ------
        ExceptionGroup
            If there are errors.
        """
        return _right(self.inspection)

    def _inspect(self, exposures: Collection[ScienceExposure]) -> Findings:
        return inspect_campaign(self.settings, exposures, self.facts, in_storage=self.in_storage)

    def _findings_of(self, name: str) -> Findings:
        if self.is_whole:
            return self.findings
        if name not in self._inspected:
            self._inspected[name] = _right(self._inspect(self.members(Scope.EXPOSURE, name)))
        return self._inspected[name]

    @cached_property
    def _combination(self) -> tuple[list[str], list[str]]:
        if not (self.is_whole and self.is_subtracting):
            return [], []
        groups = self._groups[Scope.ASSOCIATION]
        star = self.settings.psf_subtraction.star
        return choose_combined(groups, star, self.facts)

    @property
    def combined(self) -> list[str]:
        """The names of the associations whose exposures are combined in one image."""
        return self._combination[0]

    def is_combined(self, association: str) -> bool:
        """Return whether the exposures of an association are combined in one image."""
        return association in self._combined

    @cached_property
    def _combined(self) -> frozenset[str]:
        return frozenset(self.combined)

    def _find_other_rolls(self, exposure: ScienceExposure) -> list[ScienceExposure]:
        """Return the other rolls that, besides the stars, are references of an exposure."""
        options = self.settings.psf_subtraction
        if not self.is_subtracting or options.references == STARS:
            return []
        members = self.members(Scope.ASSOCIATION, exposure.name_in(Scope.ASSOCIATION))
        return find_other_rolls(exposure, members, options.star, self.facts)

    def _warn_of_single_rolls(self) -> Iterator[str]:
        """Warn if other rolls should be references and there are none."""
        if not self.is_subtracting or self.settings.psf_subtraction.references == STARS:
            return
        for exposure in self.exposures.values():
            if not self.other_rolls(exposure):
                yield (
                    f"{exposure.name}: no other roll of {exposure.name_in(Scope.ASSOCIATION)} is "
                    "known: psf_subtraction.references is stars for it"
                )

    def list_warnings(self) -> list[str]:
        """Return the warnings to print before the campaign runs."""
        if not self.is_whole:
            return []
        return [*self.findings.warnings, *self._combination[1], *self._warn_of_single_rolls()]

    def sources(self, step: str, name: str) -> dict[Source, list[Path]]:
        """Return the input files of the campaign that a job reads, in their order."""
        scope, kinds = STEPS[step].scope, STEPS[step].reads
        return {kind: self._files(kind, self.members(scope, name)[0]) for kind in kinds}

    def _files(self, kind: Source, exposure: ScienceExposure) -> list[Path]:
        if kind is Source.SCIENCE:
            return [exposure.science]
        if kind is Source.MASKS:
            return self._findings_of(exposure.name).masks[exposure.name]
        if kind is Source.ASSOCIATION:
            return [exposure.association] if exposure.association else []
        is_wanted = exposure.stack.is_stacked == (kind is Source.PSFSTACK)
        return [*exposure.stack.members] if is_wanted else []

    def crds_choice(self, name: str) -> CrdsChoice | None:
        """Return the choice of CRDS for an exposure; None if CRDS was not used."""
        return self._findings_of(name).crds.get(name)

    def settings_of(self, step: str, exposure: ScienceExposure) -> Json:
        """Return the settings of a job, by the names that its step records."""
        settings = dict(self._options(STEPS[step].recorded_as))
        if step == "simulate_demo":
            settings["seed"] = SEED
        elif step == "resolve_psfmask" and exposure.psfmask == UNIFORM:
            settings["bad_bits"] = self._options("clean")["bad_bits"]
        elif step in EXCLUDING:
            settings |= exclusion_of(self.settings, exposure)
        elif step == "align_psfs":
            settings["candidate"] = exposure.asn_id
            if exposure.product:
                settings["product_name"] = exposure.product
        elif step == "combine_rolls":
            star = self._options("subtract_psf")["star"]
            settings = {"star": star, **settings}
        elif STEPS[step].in_report:
            settings["style"] = self._looks
        if step == "plot_exposure":
            settings["star"] = self._options("subtract_psf")["star"]
            settings["figures"] = self.settings.figures
        return settings

    def job(self, step: str, name: str) -> Json:
        """
        Return all that a job depends on, except for files that other jobs make.

        These are the settings, the SHA-256 of each input file by path, and that of the code.
        """
        exposure = self.members(STEPS[step].scope, name)[0]
        settings, more = self.settings_of(step, exposure), Json()
        if step == "resolve_psfmask":
            choice = self.crds_choice(name)
            more = {"crds": True} if choice else {}
            settings = {"psfmask": choice.psfmask if choice else exposure.psfmask} | settings
        if self.settings.rerun_on_new_software:
            more["software"] = software_versions()
        paths = [path for paths in self.sources(step, name).values() for path in paths]
        script = self._scripts / f"{STEPS[step].recorded_as}.py"
        digests = self._digests(paths)
        return {**more, "settings": settings, "inputs": digests, "code": code_digest(script)}

    def _digests(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return the SHA-256 of inputs, except for those that the run has yet to make."""
        given = (path for path in paths if not self.facts.is_made_first(path))
        return {str(path): self.facts.digest(path) for path in given}

    def made_by(
        self, step: str, for_step: str, name: str, *, part: str = "", of_other_rolls: bool = False
    ) -> list[Path]:
        """
        Return the outputs of a step that a job of another step reads, below the output directory.

        Parameters
        ----------
        step
            The step that makes the files.
        for_step, name
            The job that reads them: its step, and the exposure, stack or association.
        part
            The name of the output; empty for the main output of `step`.
        of_other_rolls
            Whether the files are those of the other rolls of the job's exposures.
        """
        members, scope = self.members(STEPS[for_step].scope, name), STEPS[step].scope
        if of_other_rolls:
            members = [other for member in members for other in self.other_rolls(member)]
            if not members:
                return []
        if not self.has_step(step, members[0]):
            return []
        names = dict.fromkeys(member.name_in(scope) for member in members)
        return [layout.result(Path(), step, one, part) for one in names]


def _right(findings: Findings) -> Findings:
    """Return the findings, or raise all errors in them."""
    if findings.errors:
        raise ExceptionGroup("the campaign cannot run", findings.errors)
    return findings
