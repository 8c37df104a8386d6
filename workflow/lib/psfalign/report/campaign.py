"""Write the page of a campaign: what succeeded, how well, and what to look at."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from ..campaign.layout import CAMPAIGN_PAGE, CAMPAIGN_STATES, outputs, result
from ..campaign.words import plural, some_of
from ..files.provenance.records import Record, list_mixture, versions_of
from ..steps.registry import STEPS
from ..system.atomic_file import publish_bytes
from .html import Cell, Row, Table, render
from .reasons import explain
from .states import Cost, ExposureState, State, StepRun, as_json, cost_of

NOTHING = "–"
DOUBTS = ("suspicious", "doubtful")
MOST_LINES = 50  # exposures that are listed on the terminal
MOST_PICTURES = 12  # images of associations on the page, of 200 kB each
MOST_NAMES = 6  # names of psf exposures in a cell
HEADS = (
    *("exposure", "state", "look at", "pairs", "failed fits", "suspicious", "doubtful"),
    *("median shift (pix)", "its uncertainty (pix)", "misfit", "chi2", "residual ÷", "time (s)"),
    *("CPU (s)", "memory (MB)"),
)
PAIR_HEADS = ("exposure", "integration", "psf", "dx (pix)", "dy (pix)", "closure (pix)", "why")
INPUT_HEADS = ("exposure", "integrations", "psfs", "rows × columns", "psf exposures")
MASK_HEADS = ("exposure", "mask", "why", "1 means", "decided by", "notes")
DURATION_HEADS = (
    *("step", "jobs", "median (s)", "longest (s)", "total (s)"),
    *("CPU, total (s)", "largest memory (MB)"),
)
Links = Mapping[str, str]


def write_campaign_page(output: Path, states: Sequence[ExposureState]) -> None:
    """
    Write the page and the states of all exposures, failed ones included.

    Parameters
    ----------
    output
        The output directory of the campaign.
    states
        The states of its exposures.
    """
    publish_bytes(output / CAMPAIGN_STATES, as_json(states))
    renew_campaign_page(output, states)


def renew_campaign_page(output: Path, states: Sequence[ExposureState]) -> None:
    """Write the page only, during a run; the parameters are those of `write_campaign_page`."""
    pages = {state.name: find_pages(output, state.name) for state in states}
    publish_bytes(
        output / CAMPAIGN_PAGE, campaign_page(states, _read_pictures(output, states), pages)
    )


def campaign_page(
    states: Sequence[ExposureState],
    pictures: Mapping[str, bytes] = MappingProxyType({}),
    pages: Mapping[str, Links] = MappingProxyType({}),
) -> bytes:
    """
    Return the page as HTML.

    Images come first. Tables keep the order of ``states``, in which failures come first.

    Parameters
    ----------
    states
        The states of the exposures, in the order of `survey_states`.
    pictures
        PNG files by association.
    pages
        Links of each exposure: paths relative to the page by the text of the link.
    """
    known = [(state.name, state.summary) for state in states if state.summary]
    failed = [(s.name, s.failure.name, s.failure.error) for s in states if s.failure is not None]
    looked_at = [[s.name, *_pair(pair)] for s in states for pair in s.summary.get("look_at", [])]
    versions = [_versions_of(state) for state in states]
    return render(
        "campaign.html",
        title="Campaign",
        summary=count(states),
        cost=_say_cost(cost_of(states)),
        pictures={name: b64encode(png).decode("ascii") for name, png in pictures.items()},
        exposures=Table("exposures", HEADS, [_row(s, pages.get(s.name, {})) for s in states]),
        failures=Table("failures", ("exposure", "step", "error"), failed),
        pairs=Table("pairs", PAIR_HEADS, looked_at),
        reasons=explain(pair["why"] for s in states for pair in s.summary.get("look_at", [])),
        n_look_at=sum(summary.get("n_look_at", 0) for _, summary in known),
        inputs=Table("inputs", INPUT_HEADS, [_inputs(name, s) for name, s in known]),
        masks=Table("masks", MASK_HEADS, [[name, *_mask(s)] for name, s in known]),
        durations=Table("durations", DURATION_HEADS, _durations(states)),
        versions=_join_versions(versions),
        mixture=list_mixture(versions),
    )


def find_pages(output: Path, name: str) -> Links:
    """Return the links to the figures and the table of an exposure, by their text."""
    page = output / CAMPAIGN_PAGE
    return {
        entry.label.split(maxsplit=1)[-1]: path.relative_to(page.parent).as_posix()
        for step, part, entry in outputs([STEPS["plot_exposure"]])
        if entry.label and (path := result(output, step.name, name, part)).is_file()
    }


def _read_pictures(output: Path, states: Sequence[ExposureState]) -> dict[str, bytes]:
    """Return the existing images of associations by name, at most `MOST_PICTURES`."""
    names = dict.fromkeys(state.association for state in states if state.association)
    paths = {name: result(output, "plot_association", name) for name in names}
    there = [name for name, path in paths.items() if path.is_file()]
    return {name: paths[name].read_bytes() for name in there[:MOST_PICTURES]}


def count(states: Sequence[ExposureState]) -> str:
    """Return a summary of the campaign in two sentences."""
    numbers = {state: sum(s.state is state for s in states) for state in State}
    words = ", ".join(f"{n} {state}" for state, n in numbers.items() if n)
    pairs = sum(s.summary.get("pairs", 0) for s in states)
    return (
        f"{plural(len(states), 'exposure')}: {words}. "
        f"{plural(pairs, 'pair')} of integration and psf image: "
        f"{sum(_n_failed(s.summary) for s in states)} fits failed, "
        f"{sum(s.summary.get('suspicious', 0) for s in states)} suspicious, "
        f"{sum(s.summary.get('doubtful', 0) for s in states)} doubtful."
    )


def _say_cost(cost: Cost) -> str:
    """Return a sentence on the time and memory of a campaign; empty before a step has finished."""
    if not cost.cpu_seconds:
        return ""
    most = f", at most {cost.megabytes:,} MB in one of them" if cost.megabytes else ""
    return f"All steps together: {cost.cpu_seconds:,.1f} CPU seconds{most}."


def closing_lines(output: Path, states: Sequence[ExposureState]) -> list[str]:
    """Return the lines that a run prints at its end: one for each exposure, and the paths."""
    width = max((len(s.name) for s in states), default=0)
    lines = [f"  {s.name:<{width}}  {_line(s)}" for s in states[:MOST_LINES]]
    if len(states) > MOST_LINES:
        lines.append(f"  and {len(states) - MOST_LINES} more, on the campaign page")
    places = result(output, "align_psfs", "<exposure>")
    return [
        *("", count(states), *lines, ""),
        f"Products:      {places}",
        f"Campaign page: {output / CAMPAIGN_PAGE}",
    ]


def _line(state: ExposureState) -> str:
    if state.failure is not None:
        return f"FAILED in {state.failure.name}: {state.failure.error}"
    if state.state is not State.DONE:
        return str(state.state)
    s = state.summary
    if not s["pairs"]:
        return f"not aligned: {s['reason']}"
    doubts = "".join(f", {s[word]} {word}" for word in DOUBTS if s[word])
    middle = s["medians"]
    return (
        f"{plural(s['pairs'], 'pair')}, shift {_number(middle['shift'], '.3f')} "
        f"± {_number(middle['uncertainty'], '.4f')} pix, "
        f"residual ÷ {_number(s['gain'], '.2f')}, "
        f"{_n_failed(s)} failed{doubts}, {state.seconds:.1f} s"
    )


def _row(state: ExposureState, pages: Links) -> Row:
    s = state.summary
    word = Cell(state.state, "good" if state.state is State.DONE else "bad")
    links = Cell("" if pages else NOTHING, links=pages)
    if not s:
        return [state.name, word, links, *[NOTHING] * (len(HEADS) - 6), *_costs(state)]
    middle = s["medians"]
    return [
        state.name,
        word,
        links,
        s["pairs"],
        _doubt(_n_failed(s)),
        *(_doubt(s[doubt]) for doubt in DOUBTS),
        _number(middle["shift"], ".4f"),
        _number(middle["uncertainty"], ".5f"),
        _number(middle["misfit"], ".4f"),
        _number(middle["chi2"], ".3g"),
        _number(s["gain"], ".2f"),
        *_costs(state),
    ]


def _pair(pair: dict[str, Any]) -> Row:
    numbers = [_number(pair[name], ".4f") for name in ("dx", "dy", "closure")]
    return [pair["integration"], pair["psf"], *numbers, Cell(pair["why"], "bad")]


def _inputs(name: str, summary: dict[str, Any]) -> list[str | int]:
    integrations, psfs, rows, columns = summary["shape"]
    return [name, integrations, psfs, f"{rows} × {columns}", some_of(summary["psfs"], MOST_NAMES)]


def _mask(summary: dict[str, Any]) -> list[str]:
    words = [summary[key] for key in ("psfmask", "reason", "convention", "decided_by")]
    return [*(word or NOTHING for word in words), "; ".join(summary["notes"]) or NOTHING]


def _durations(states: Sequence[ExposureState]) -> list[list[str | int]]:
    found: dict[str, list[StepRun]] = defaultdict(list)
    # A step of a stack that several exposures share counts once.
    for step in dict.fromkeys(step for s in states for step in s.steps if step.seconds is not None):
        found[step.name].append(step)
    return [[name, *_duration(steps)] for name, steps in found.items()]


def _duration(steps: Sequence[StepRun]) -> list[str | int]:
    seconds = [step.seconds or 0.0 for step in steps]
    times = [f"{value:.1f}" for value in (median(seconds), max(seconds), sum(seconds))]
    cost = Cost.of(steps)
    cpu = f"{cost.cpu_seconds:.1f}" if cost.cpu_seconds else NOTHING
    return [len(steps), *times, cpu, cost.megabytes or NOTHING]


def _join_versions(versions: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Return all versions of each software that occur."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name, version in chain.from_iterable(versions):
        found[name][version] = None
    return [(name, ", ".join(ones)) for name, ones in found.items()]


def _versions_of(state: ExposureState) -> list[tuple[str, str]]:
    """Return the versions of the software of all steps of an exposure."""
    records = [Record(*entry) for entry in state.summary.get("provenance", [])]
    return versions_of(records) or list(state.summary.get("versions", {}).items())


def _n_failed(summary: dict[str, Any]) -> int:
    return sum(summary.get("failed", {}).values())


def _doubt(number: int) -> int | Cell:
    return Cell(str(number), "bad") if number else number


def _costs(state: ExposureState) -> list[str]:
    """Return time, CPU seconds and memory of the steps that an exposure does not share."""
    cost = Cost.of(state.own)
    seconds = (state.seconds, cost.cpu_seconds)
    return [
        *(f"{value:.1f}" if value else NOTHING for value in seconds),
        str(cost.megabytes or NOTHING),
    ]


def _number(value: float | None, spec: str) -> str:
    return NOTHING if value is None else format(value, spec)
