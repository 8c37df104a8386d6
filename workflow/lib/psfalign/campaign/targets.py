"""The results of a finished campaign, and those that the engine's report shows."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..steps.registry import Scope, steps_of
from . import layout
from .exposures import ScienceExposure
from .judgement import Judgement
from .plan import Plan

# A browser becomes slow with more exposures in one HTML file. The page of the campaign has all; the
# figures of all are in the folder of the report.
MOST_REPORTED = 100
REPORT_TARGET = "report_pages"  # the rule that asks for no more than what the report shows
HERE = Path()
SCOPES = (Scope.EXPOSURE, Scope.STACK, Scope.ASSOCIATION)  # of jobs whose results stay
Part: TypeAlias = tuple[Scope, str]  # an exposure, a stack or an association by its name


@dataclass(frozen=True)
class Page:
    """
    A file that the engine's report shows.

    Attributes
    ----------
    path
        Where it is, below the output directory.
    caption
        The name of its caption in ``workflow/report``.
    category, subcategory
        Where the report shows it.
    labels
        What the report says beside it.
    """

    path: Path
    caption: str
    category: str
    subcategory: str | None
    labels: dict[str, str]


def list_results(plan: Plan) -> list[Path]:
    """
    Return all results that stay, below the output directory.

    What goes when it was used is not asked for.
    """
    return [path for part in _parts(plan) for path in results_of(plan, *part)]


def _parts(plan: Plan) -> Iterator[Part]:
    """Yield all exposures, stacks and associations that have results that stay."""
    for scope in SCOPES:
        for name in plan.combined if scope is Scope.ASSOCIATION else plan.names(scope):
            yield scope, name


def results_of(plan: Plan, scope: Scope, name: str) -> list[Path]:
    """Return the results that stay of an exposure, a stack or an association."""
    keep, first = plan.settings.keep_intermediates, plan.members(scope, name)[0]
    return [
        layout.result(HERE, step.name, name, part)
        for step, part, output in layout.outputs(steps_of(scope))
        if plan.settings.is_written(output)
        and (keep or not step.is_intermediate)
        and plan.has_step(step.name, first)
    ]


def find_left(plan: Plan, judgement: Judgement) -> set[Part]:
    """Return all of which results are missing, or have to be made again."""
    folder, outdated = plan.settings.output_dir, set(judgement.outdated)

    def is_left(path: Path) -> bool:
        return path in outdated or not path.exists()

    return {
        part
        for part in _parts(plan)
        if any(is_left(folder / path) for path in results_of(plan, *part))
    }


def find_unfinished(plan: Plan, judgement: Judgement) -> set[Part]:
    """
    Return all that is left, and all that has a file in common with it.

    What is not returned is finished, and no job of what is left reads or writes any of its files:
    the engine would do nothing for it. Where nobody can say what is finished, all is returned.
    """
    everything = set(_parts(plan))
    if plan.in_storage or not plan.is_whole or _has_demo(plan):
        return everything
    found, before = find_left(plan, judgement), 0
    groups = [_sharing(exposure) for exposure in plan.exposures.values()]
    while len(found) > before:
        before = len(found)
        found |= {part for parts in groups if not found.isdisjoint(parts) for part in parts}
    return found & everything


def _has_demo(plan: Plan) -> bool:
    """Return whether the run itself makes some of its inputs, whose times count."""
    masks = plan.findings.masks
    inputs = (path for e in plan.exposures.values() for path in (*e.inputs, *masks[e.name]))
    return any(map(plan.facts.is_made_first, inputs))


def _sharing(exposure: ScienceExposure) -> list[Part]:
    """Return an exposure, and what it shares with others: psf images, and rolls of its target."""
    return [(scope, exposure.name_in(scope)) for scope in SCOPES]


def list_asked(plan: Plan, parts: Collection[Part] | None = None) -> list[Path]:
    """
    Return what to ask the engine for, so that it makes all results, or those of some parts.

    Those are the last file of each exposure and association, for which all others are made, and
    what is missing of these: for each file that it is asked for, the engine plans again.
    """
    if plan.in_storage:  # nobody sees there what is missing
        return list_results(plan)
    folder = plan.settings.output_dir
    asked: list[Path] = []
    for scope, name in (part for part in _parts(plan) if parts is None or part in parts):
        paths = results_of(plan, scope, name)
        missing = [path for path in paths if not (folder / path).exists()]
        last = [] if scope is Scope.STACK else paths[-1:]
        asked += dict.fromkeys([*missing, *last])
    return asked


def list_pages(plan: Plan) -> list[Page]:
    """Return the pages and figures that are there for the report; in storage, all that may be."""
    if plan.in_storage:
        return [page for page in _pages(plan) if page.path != Path(layout.CAMPAIGN_PAGE)]
    folder = plan.settings.output_dir
    return [page for page in _pages(plan) if (folder / page.path).exists()]


def _pages(plan: Plan) -> Iterator[Page]:
    labels = {"page": "Did it work, and how well?"}
    yield Page(Path(layout.CAMPAIGN_PAGE), "campaign", "Campaign", None, labels)
    kinds = (
        (Scope.ASSOCIATION, "North up", plan.combined[:MOST_REPORTED]),
        (Scope.EXPOSURE, "Exposures", exposures_to_report(plan)),
    )
    for scope, category, names in kinds:
        for name in names:
            for step, part, output in layout.outputs(steps_of(scope)):
                if output.label and plan.settings.is_written(output):
                    path = layout.result(HERE, step.name, name, part)
                    yield Page(path, part, category, name, {"figure": output.label})


def exposures_to_report(plan: Plan) -> list[str]:
    """Return the exposures for the report: all, or the first of those that deserve a look."""
    names = list(plan.exposures)
    if len(names) <= MOST_REPORTED:
        return names
    path = plan.settings.output_dir / layout.CAMPAIGN_STATES
    try:
        states = json.loads(path.read_text("utf-8"))
        found = (state["name"] for state in states["exposures"])
        names = [name for name in found if name in plan.exposures]
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or not ours
        pass
    return names[:MOST_REPORTED]
