"""The records that each result of a campaign would contain if a run made it now."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..files.fits.structure import plain_text
from ..files.provenance.code import PACKAGE, code_digest
from ..psfmask.resolved import UNIFORM
from ..simulate import TRUTH
from ..steps.registry import STEPS, Scope, Step, led_to, steps_of
from . import layout
from .exposures import ScienceExposure
from .facts import FactsStore

TELLING = (".fits", ".ecsv", ".json", ".png")  # endings of files that record how they were made
Job = tuple[str, str]  # a step, and its exposure, stack or association
Inputs = tuple[tuple[str, str], ...]
Versions = tuple[tuple[str, str], ...]  # name and version of software
# The settings of a step for an exposure, by the names that it records; None if it never runs.
SettingsOf = Callable[[str, ScienceExposure], Mapping[str, Any] | None]
# The other rolls that are references of an exposure.
RollsOf = Callable[[ScienceExposure], Sequence[ScienceExposure]]
# The step that reads files of other rolls, and the step that makes these.
USES_ROLLS, OF_ROLLS = "subtract_psf", "fit_shifts"


@dataclass(frozen=True)
class Made:
    """
    A step that contributed to a result, as the result should record it.

    Attributes
    ----------
    step
        The name of the step in the records.
    code
        SHA-256 of its sources.
    parameters
        Its settings as JSON.
    inputs
        Name and SHA-256 of its input files, in their order; None if they are not known before the
        run.
    source
        The source of the mask, for the step that chooses it: ``configuration``, ``catalogue`` or
        ``crds``.
    software
        Name and version of the required software; empty if any version is accepted.
    """

    step: str
    code: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs | None = ()
    source: str = ""
    software: Versions = ()

    @cached_property
    def text(self) -> str:
        """All attributes in one line, computed once for all results that depend on the step."""
        return json.dumps(vars(self), sort_keys=True)


@dataclass(frozen=True)
class Result:
    """
    A file that a run would make.

    Attributes
    ----------
    path
        Its path.
    job
        The job that makes it.
    made
        The steps that contributed to it; its own is the last.
    later
        The jobs that depend on it, directly or indirectly.
    masks
        The mask files that a psfmask.json may name.
    """

    path: Path
    job: Job
    made: tuple[Made, ...] = ()
    later: frozenset[Job] = frozenset()
    masks: tuple[Path, ...] = ()


def tells(step: Step) -> bool:
    """Return whether the main output of a step records how it was made."""
    return any(output.ending.endswith(TELLING) for output in list(step.outputs.values())[:1])


@cache
def code_of(step: str) -> str:
    """Return the SHA-256 of the sources of a step."""
    path = PACKAGE.joinpath(*STEPS[step].module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return code_digest(file.resolve())


@cache
def rest_on(step: str) -> tuple[str, ...]:
    """Return the steps that depend on a step, directly or indirectly."""
    return tuple(after for after in STEPS if step in led_to(after))


class Expectations:
    """
    The results that a campaign should have.

    Parameters
    ----------
    folder
        The output directory.
    settings_of
        Returns the settings of a job.
    masks
        The candidates for the mask of each exposure by its name.
    facts
        The facts about the inputs.
    unknown
        Inputs that the run itself may make again.
    with_crds
        Whether CRDS chooses the masks of exposures for which none is named.
    software
        Name and version of the required software; empty if any version is accepted.
    rolls_of
        Returns the other rolls that are references of an exposure.
    """

    def __init__(
        self,
        folder: Path,
        settings_of: SettingsOf,
        masks: Mapping[str, Sequence[Path]],
        facts: FactsStore,
        *,
        unknown: Collection[str] = (),
        with_crds: bool = False,
        software: Versions = (),
        rolls_of: RollsOf = lambda _: (),
    ) -> None:
        self._folder = folder
        self._settings_of = settings_of
        self._masks = masks
        self._facts = facts
        self._unknown = unknown
        self._chooser = "crds" if with_crds else "catalogue"
        self._software = software
        self._rolls_of = rolls_of
        self._known: dict[Job, Made] = {}

    def results(self, exposures: Iterable[ScienceExposure]) -> Iterator[Result]:
        """List the results of exposures and of their psf stacks, each once."""
        groups: dict[tuple[Scope, str], list[ScienceExposure]] = {}
        for exposure in exposures:
            for scope in (Scope.EXPOSURE, Scope.STACK, Scope.ASSOCIATION):
                groups.setdefault((scope, exposure.name_in(scope)), []).append(exposure)
        for (scope, _), members in groups.items():
            for step in steps_of(scope):
                if self._runs(step.name, members[0]):
                    yield self._result(step.name, members)

    def _runs(self, step: str, exposure: ScienceExposure) -> bool:
        if not tells(STEPS[step]):
            return False
        return (step, exposure.name) in self._known or self._settings_of(step, exposure) is not None

    def _result(self, step: str, exposures: Sequence[ScienceExposure]) -> Result:
        scope = STEPS[step].scope
        name = exposures[0].name_in(scope)
        # Exposures with the same stack share all steps before it; those of an association do not.
        sources = exposures if scope is Scope.ASSOCIATION else exposures[:1]
        before = [
            self._made(name, other)
            for exposure in sources
            for name, other in self._led_to(step, exposure)
            if self._runs(name, other)
        ]
        own = self._made(step, exposures[0])
        if STEPS[step].recorded_as != step:
            own = replace(own, step=STEPS[step].recorded_as)
        later = (job for exposure in exposures for job in self._later(step, exposure))
        masks = tuple(self._masks[exposures[0].name]) if step == "resolve_psfmask" else ()
        if self._are_unknown(masks):
            masks = ()  # the paths recorded by a module with a prefix do not contain the prefix
        # Snakemake chooses the path of a file that it fetches, so only its digest is compared.
        here = tuple(mask for mask in masks if not self._facts.manifest.address_of(mask))
        path = layout.result(self._folder, step, name)
        return Result(path, (step, name), (*before, own), frozenset(later), here)

    def _led_to(
        self, step: str, exposure: ScienceExposure
    ) -> Iterator[tuple[str, ScienceExposure]]:
        """List the steps that a job depends on, with their exposures."""
        yield from ((name, exposure) for name in led_to(step))
        if USES_ROLLS in (step, *led_to(step)):
            for other in self._rolls_of(exposure):
                yield from ((name, other) for name in (*led_to(OF_ROLLS), OF_ROLLS))

    def _later(self, step: str, exposure: ScienceExposure) -> Iterator[Job]:
        """List the jobs that depend on a job."""
        for after in rest_on(step):
            yield after, exposure.name_in(STEPS[after].scope)
        if step in (*led_to(OF_ROLLS), OF_ROLLS):
            # An exposure is another roll of each of its other rolls.
            for other in self._rolls_of(exposure):
                for after in (USES_ROLLS, *rest_on(USES_ROLLS)):
                    yield after, other.name_in(STEPS[after].scope)

    def _made(self, step: str, exposure: ScienceExposure) -> Made:
        """Return the expected records of a step, computed once for all results that need them."""
        job = step, exposure.name
        if job not in self._known:
            self._known[job] = self._work_out(step, exposure)
        return self._known[job]

    def _work_out(self, step: str, exposure: ScienceExposure) -> Made:
        settings = dict(_as_json(self._settings_of(step, exposure) or {}))
        made_of_it = step == "resolve_psfmask" and exposure.psfmask == UNIFORM
        if made_of_it and str(exposure.science) not in self._unknown:
            settings["science_sha256"] = json.dumps(self._facts.digest(exposure.science))
        named = "configuration" if exposure.psfmask is not None else self._chooser
        source = named if step == "resolve_psfmask" else ""
        inputs = self._inputs(step, exposure)
        return Made(step, code_of(step), settings, inputs, source, self._software)

    def _inputs(self, step: str, exposure: ScienceExposure) -> Inputs | None:
        masks, stack = self._masks[exposure.name], exposure.stack
        if step == "clean_psfs" and not stack.is_stacked:
            return None  # they are in the records of stack_psfs
        if step == "resolve_psfmask" and len(masks) > 1:
            return None  # the demo has yet to make these masks; their headers decide
        paths: dict[str, Sequence[Path]] = {
            "resolve_psfmask": masks,
            "stack_psfs": stack.members,
            "clean_psfs": stack.members,
            "clean_science": (exposure.science,),
            "align_psfs": (exposure.association,) if exposure.association else (),
        }
        found = self._tables(exposure) if step == "plot_association" else paths.get(step, ())
        if self._are_unknown(found):
            return None
        return tuple((plain_text(path.name), self._facts.digest(path)) for path in found)

    def _tables(self, exposure: ScienceExposure) -> Sequence[Path]:
        """Return the table of noise if it exists; it does not record how it was made."""
        name = exposure.name_in(Scope.ASSOCIATION)
        path = layout.result(self._folder, "combine_rolls", name, "contrast")
        return [path] if path.exists() else []

    def _are_unknown(self, paths: Iterable[Path]) -> bool:
        return any(str(path) in self._unknown for path in paths)


def simulation_of(
    folder: Path, files: Iterable[str], seed: int, *, software: Versions = ()
) -> list[Result]:
    """Return the results that the demo makes, with the records that they should have."""
    truth = [Path(name) for name in files if Path(name).name == TRUTH]
    settings = {"seed": json.dumps(seed)}
    made = Made("simulate_demo", code_of("simulate_demo"), settings, software=software)
    return [Result(path, ("simulate_demo", folder.name), (made,)) for path in truth]


def _as_json(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write settings as the records do, with one entry for each value of a mapping."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _as_json(value)
        else:
            yield name, json.dumps(value)
