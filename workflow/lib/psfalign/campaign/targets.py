"""The results of a finished campaign, and those that the engine's report shows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..steps.registry import Scope, steps_of
from . import layout
from .plan import Plan

# A browser becomes slow with more exposures in one HTML file. The page of the campaign has all; the
# figures of all are in the folder of the report.
MOST_REPORTED = 100
HERE = Path()
SCOPES = (Scope.EXPOSURE, Scope.STACK, Scope.ASSOCIATION)  # of jobs whose results stay


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


def _parts(plan: Plan) -> Iterator[tuple[Scope, str]]:
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


def list_asked(plan: Plan) -> list[Path]:
    """
    Return what to ask the engine for, so that it makes all results.

    Those are the last file of each exposure and association, for which all others are made, and
    what is missing of these: for each file that it is asked for, the engine plans again.
    """
    if plan.in_storage:  # nobody sees there what is missing
        return list_results(plan)
    folder = plan.settings.output_dir
    asked: list[Path] = []
    for scope, name in _parts(plan):
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
