"""Divide the unfinished part of a campaign into cluster jobs for many exposures each."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from ..steps.registry import Scope, Step, steps_of
from . import layout, resources
from .exposures import ScienceExposure
from .judgement import Judgement
from .plan import Plan
from .sizes import Sizes
from .targets import Part, find_left, parts_of, results_of

SHARED = "shared"  # the name of the batch that makes the files that several others need
MOST_MINUTES = 120  # the time limit of several exposures; clusters start such short jobs soon
START = 1.0  # CPU seconds of an exposure and of a stack besides the work itself
# Snakemake in a batch plans the whole campaign, and keeps a process with all libraries. The two
# Snakemake processes around it do not read the campaign.
ENGINE_MB, ENGINE_MB_PER_EXPOSURE = 600, 0.15
Groups: TypeAlias = defaultdict[Any, list[ScienceExposure]]


@dataclass(frozen=True)
class Batch:
    """
    The work of one job of a cluster.

    Attributes
    ----------
    targets
        The files that Snakemake makes in the job.
    megabytes
        The memory of its largest step.
    seconds
        Expected CPU time.
    after
        The names of batches that must be finished before.
    """

    targets: tuple[Path, ...]
    megabytes: int
    seconds: float
    after: tuple[str, ...] = ()

    def memory_mb(self, exposures: int, cores: int) -> int:
        """Return the memory in MB that a job requests, by its cores and exposures."""
        return round(ENGINE_MB + ENGINE_MB_PER_EXPOSURE * exposures + cores * self.megabytes)

    def minutes(self, cores: int) -> int:
        """Return the time limit of a job in minutes, for its cores."""
        return round(resources.LEAST_MINUTES + _limit(self.seconds) / cores)


class Work:
    """
    The memory and time that exposures of a campaign need.

    Parameters
    ----------
    plan
        The campaign.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._sizes = Sizes(plan)
        self.seconds = cache(self._sum_seconds)

    def parts(self, exposure: ScienceExposure) -> list[Part]:
        """Return the exposure, its stack and, if its rolls are combined, its association."""
        return [
            (scope, name)
            for scope, name in parts_of(exposure)
            if scope is not Scope.ASSOCIATION or self.plan.is_combined(name)
        ]

    def megabytes(self, part: Part) -> int:
        """Return the memory of the largest step of a part."""
        return max(
            self._sizes.memory_mb(step.name, part[1], threads=1, attempt=1, on_cluster=False)
            for step in self._steps(part)
        )

    def share(self, exposure: ScienceExposure) -> float:
        """Return the CPU seconds of an exposure, with its share of the work for several."""
        parts = self.parts(exposure)
        return sum(self.seconds(part) / len(self.plan.members(*part)) for part in parts)

    def _sum_seconds(self, part: Part) -> float:
        steps = self._steps(part)
        return START + sum(self._sizes.work_seconds(step.name, part[1]) for step in steps)

    def _steps(self, part: Part) -> list[Step]:
        first = self.plan.members(*part)[0]
        return [step for step in steps_of(part[0]) if self.plan.has_step(step.name, first)]


def plan_batches(plan: Plan, judgement: Judgement, *, most: int) -> dict[str, Batch]:
    """
    Return batches of the exposures that are not finished, by name.

    Exposures with the same psf images are in one batch, unless they are too many for one. Exposures
    that are combined in one image are always in one batch, because the steps of one may read files
    of others. Psf stacks that several batches need are made by a separate batch, which runs first.

    Parameters
    ----------
    plan, judgement
        The campaign, and what is known of its results.
    most
        The number of exposures in a batch; large exposures are fewer, so that a batch ends in time.
    """
    work, folder = Work(plan), plan.settings.output_dir
    batches = _fill(work, exposures_left(work, judgement), most)
    stacks = Counter(name for batch in batches for name in {e.stack.name for e in batch})
    shared = [name for name, count in stacks.items() if count > 1]
    inputs = (path for batch in batches[1:] for e in batch for path in e.inputs)
    made_first = dict.fromkeys(path for path in inputs if plan.facts.is_made_first(path))
    cleaned = [layout.result(folder, "clean_psfs", name) for name in shared]
    found: dict[str, Batch] = {}
    if cleaned or made_first:
        found[SHARED] = _batch((*made_first, *cleaned), [(Scope.STACK, n) for n in shared], work)
    after = tuple(found)
    for number, batch in enumerate(batches, 1):
        parts = dict.fromkeys(part for exposure in batch for part in work.parts(exposure))
        # The last file of each, before which all others are made.
        results = (results_of(plan, *part) for part in parts if part[0] is not Scope.STACK)
        targets = (folder / paths[-1] for paths in results)
        found[str(number)] = _batch(targets, parts, work, after)
    return found


def write_batches(
    batches: Mapping[str, Batch],
    folder: Path,
    *,
    place: Path,
    command: Sequence[str],
    exposures: int,
    cores: int,
) -> Path:
    """
    Write the configuration of ``workflow/batches.smk``, and return where it is.

    Parameters
    ----------
    batches
        What the jobs make, by name.
    folder
        Where to write, until the jobs have ended.
    place
        The folder for the logs of batches.
    command
        What runs in each job, before the files that it is asked for.
    exposures
        How many the campaign has.
    cores
        Of each job.
    """
    listed: dict[str, Any] = {}
    for name, batch in batches.items():
        targets = folder / f"{name}.txt"
        targets.write_text("".join(f"{path}\n" for path in batch.targets), encoding="utf-8")
        listed[name] = {
            "targets": str(targets),
            "mem_mb": batch.memory_mb(exposures, cores),
            "runtime": batch.minutes(cores),
            "after": batch.after,
        }
    config = folder / "batches.json"
    content = {"batches": listed, "place": str(place), "command": command}
    config.write_text(json.dumps(content), encoding="utf-8")
    return config


def exposures_left(work: Work, judgement: Judgement) -> list[ScienceExposure]:
    """Return the exposures with results that are missing or have to be made again."""
    left, exposures = find_left(work.plan, judgement), work.plan.exposures.values()
    return [exposure for exposure in exposures if not left.isdisjoint(work.parts(exposure))]


def _fill(work: Work, left: Iterable[ScienceExposure], most: int) -> list[list[ScienceExposure]]:
    """Fill batches with exposures, up to the largest number or the longest time of a batch."""

    def fits(exposures: Sequence[ScienceExposure]) -> bool:
        return len(exposures) <= most and _limit(sum(map(work.share, exposures))) <= MOST_MINUTES

    batches: list[list[ScienceExposure]] = [[]]
    for unit in _units(work, left, fits):
        if fits([*batches[-1], *unit]):
            batches[-1] += unit
        else:
            batches.append([*unit])
    return [batch for batch in batches if batch]


def _units(
    work: Work,
    left: Iterable[ScienceExposure],
    fits: Callable[[Sequence[ScienceExposure]], bool],
) -> Iterator[list[ScienceExposure]]:
    """Yield the exposures to keep together: with equal psf images, or else combined ones."""
    stacks: Groups = defaultdict(list)
    for exposure in left:
        stacks[exposure.stack.name].append(exposure)
    for group in stacks.values():
        if fits(group):
            yield group
            continue
        pictures: Groups = defaultdict(list)
        for exposure in group:
            own, _, *picture = work.parts(exposure)
            pictures[picture[0] if picture else own].append(exposure)
        yield from pictures.values()


def _limit(seconds: float) -> float:
    """Return the minutes to allow for some work."""
    return resources.PATIENCE * seconds / 60


def _batch(
    targets: Iterable[Path], parts: Collection[Part], work: Work, after: tuple[str, ...] = ()
) -> Batch:
    memory = max(map(work.megabytes, parts), default=0)
    return Batch(tuple(targets), memory, sum(map(work.seconds, parts)), after)
