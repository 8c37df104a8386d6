"""The results of a finished campaign, and those that the report of Snakemake shows."""

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

# A browser becomes slow with more exposures in one HTML file. The campaign page lists all of them,
# and the folder of the report contains all figures.
MOST_REPORTED = 100
REPORT_TARGET = "report_pages"  # the rule that requests only what the report shows
HERE = Path()
SCOPES = (Scope.EXPOSURE, Scope.STACK, Scope.ASSOCIATION)  # of jobs whose results are kept
Part: TypeAlias = tuple[Scope, str]  # an exposure, a stack or an association, by its name


@dataclass(frozen=True)
class Page:
    """
    A file that the report of Snakemake shows.

    Attributes
    ----------
    path
        Its path below the output directory.
    caption
        The name of the file with its caption in ``workflow/report``.
    category, subcategory
        The headings below which the report shows it.
    labels
        The columns of the report's table, and their texts.
    """

    path: Path
    caption: str
    category: str
    subcategory: str | None
    labels: dict[str, str]


def list_results(plan: Plan) -> list[Path]:
    """
    Return the paths of all results that are kept, below the output directory.

    Intermediate files that are removed after use are not among them.
    """
    return [path for part in _parts(plan) for path in results_of(plan, *part)]


def _parts(plan: Plan) -> Iterator[Part]:
    """Yield all exposures, stacks and associations that have results that are kept."""
    for scope in SCOPES:
        for name in plan.combined if scope is Scope.ASSOCIATION else plan.names(scope):
            yield scope, name


def results_of(plan: Plan, scope: Scope, name: str) -> list[Path]:
    """Return the results of an exposure, a stack or an association that are kept."""
    keep, first = plan.settings.keep_intermediates, plan.members(scope, name)[0]
    return [
        layout.result(HERE, step.name, name, part)
        for step, part, output in layout.outputs(steps_of(scope))
        if plan.settings.is_written(output)
        and (keep or not step.is_intermediate)
        and plan.has_step(step.name, first)
    ]


def find_left(plan: Plan, judgement: Judgement) -> set[Part]:
    """Return all parts with results that are missing or have to be made again."""
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
    Return all unfinished parts, and all parts that have a file in common with these.

    All other parts are finished, and no job of an unfinished part reads or writes their files, so
    that Snakemake has nothing to do for them. All parts are returned if it is not known which are
    finished: in a storage, for a plan of one exposure, and for the demo.
    """
    everything = set(_parts(plan))
    if plan.in_storage or not plan.is_whole or _has_demo(plan):
        return everything
    found, before = find_left(plan, judgement), 0
    groups = [parts_of(exposure) for exposure in plan.exposures.values()]
    while len(found) > before:
        before = len(found)
        found |= {part for parts in groups if not found.isdisjoint(parts) for part in parts}
    return found & everything


def _has_demo(plan: Plan) -> bool:
    """Return whether the run itself makes some of its inputs, whose times then matter."""
    masks = plan.findings.masks
    inputs = (path for e in plan.exposures.values() for path in (*e.inputs, *masks[e.name]))
    return any(map(plan.facts.is_made_first, inputs))


def parts_of(exposure: ScienceExposure) -> list[Part]:
    """Return an exposure with its psf stack and its association, which others may share."""
    return [(scope, exposure.name_in(scope)) for scope in SCOPES]


def list_asked(plan: Plan, parts: Collection[Part] | None = None) -> list[Path]:
    """
    Return the files to request from Snakemake so that it makes all results, or those of `parts`.

    These are the last file of each exposure and association, for which all others are made, and
    the missing files. They are few because Snakemake plans again for each requested file.
    """
    if plan.in_storage:  # what is missing there is not known
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
    """Return the existing pages and figures for the report; in storage, all possible ones."""
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
    """Return the exposures for the report: all, or if too many, those to look at first."""
    names = list(plan.exposures)
    if len(names) <= MOST_REPORTED:
        return names
    path = plan.settings.output_dir / layout.CAMPAIGN_STATES
    try:
        states = json.loads(path.read_text("utf-8"))
        found = (state["name"] for state in states["exposures"])
        names = [name for name in found if name in plan.exposures]
    except (OSError, ValueError, KeyError, TypeError):  # missing, or written by other software
        pass
    return names[:MOST_REPORTED]
