"""The page of a campaign: did it work, how well, and where to look."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from ..campaign.layout import CAMPAIGN_PAGE, REPORT, result
from ..campaign.words import plural, some_of
from ..files.provenance.records import Record, list_mixture, versions_of
from ..system.atomic_file import publish_bytes
from .html import Cell, Marked, facts, heading, page, paragraph, picture, table
from .states import ExposureState, State, StepRun, as_json

NOTHING = "–"
DOUBTS = ("suspicious", "doubtful")
MOST_LINES = 50  # of exposures on a screen
MOST_PICTURES = 12  # of associations, at 200 kB each
MOST_NAMES = 6  # of psf exposures in a cell
TABLE_HEADS = (
    *("exposure", "state", "pairs", "failed fits", "suspicious", "doubtful", "median shift (pix)"),
    *("its uncertainty (pix)", "misfit", "chi2", "residual ÷", "time (s)"),
)


def write_campaign_page(output: Path, states: Sequence[ExposureState]) -> None:
    """
    Write the page and the states of all exposures, whatever has failed.

    Parameters
    ----------
    output
        The output directory of the campaign.
    states
        Of its exposures.
    """
    publish_bytes(output / REPORT / "campaign.json", as_json(states))
    publish_bytes(output / CAMPAIGN_PAGE, campaign_page(states, _read_pictures(output, states)))


def campaign_page(
    states: Sequence[ExposureState], pictures: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """Return the page, pictures by association first; what went wrong leads each table."""
    return page(
        "Campaign",
        paragraph(count(states)),
        *(picture(content, f"{name}, north up") for name, content in pictures.items()),
        table("exposures", TABLE_HEADS, map(_row, states), caption=TABLE_CAPTION),
        *_failures(states),
        *_pairs(states),
        *_inputs(states),
        *_durations(states),
        *_versions(states),
    )


def _read_pictures(output: Path, states: Sequence[ExposureState]) -> dict[str, bytes]:
    """Return the pictures of associations that are there, by name; of many, the first ones."""
    names = dict.fromkeys(state.association for state in states)
    paths = {name: result(output, "plot_association", name) for name in names}
    there = [name for name, path in paths.items() if path.is_file()]
    return {name: paths[name].read_bytes() for name in there[:MOST_PICTURES]}


MIXTURE = "Several versions of software made these results, by number of exposures"
TABLE_CAPTION = (
    "One row for each exposure; a heading sorts by its column. Shift: median length over the pairs "
    "that may be used; uncertainty: median of hypot(sigma_dx, sigma_dy). Residual: by which factor "
    "alignment divides the weighted RMS of science minus mean psf in one integration. Suspicious: "
    "closure beyond five sigma. Doubtful: the shift hangs on a small part of the image, or most of "
    "the psf stays unexplained. Misfit: median share of the energy of the psf that fits leave; "
    "chi2: of what they leave over what the errors let expect. Time: of the exposure's own steps."
)


def count(states: Sequence[ExposureState]) -> str:
    """Say in a sentence or two how the campaign went."""
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


def closing_lines(output: Path, states: Sequence[ExposureState]) -> list[str]:
    """Return what a run says at its end: a line for each exposure, and where everything is."""
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


def _row(state: ExposureState) -> list[Cell]:
    s = state.summary
    word = Marked(state.state, "good" if state.state is State.DONE else "bad")
    if not s:
        return [state.name, word, *[NOTHING] * (len(TABLE_HEADS) - 3), _time(state)]
    return [
        state.name,
        word,
        s["pairs"],
        _doubt(_n_failed(s)),
        *(_doubt(s[word]) for word in DOUBTS),
        _number(s["medians"]["shift"], ".4f"),
        _number(s["medians"]["uncertainty"], ".5f"),
        _number(s["medians"]["misfit"], ".4f"),
        _number(s["medians"]["chi2"], ".3g"),
        _number(s["gain"], ".2f"),
        _time(state),
    ]


def _failures(states: Sequence[ExposureState]) -> Iterator[str]:
    rows = [(s.name, s.failure.name, s.failure.error) for s in states if s.failure is not None]
    if rows:
        yield heading("Failed exposures")
        yield table("failures", ("exposure", "step", "error"), rows)


def _pairs(states: Sequence[ExposureState]) -> Iterator[str]:
    rows = [[s.name, *_pair(pair)] for s in states for pair in s.summary.get("look_at", [])]
    yield heading("Failed, suspicious and doubtful pairs")
    if not rows:
        yield paragraph("None.")
        return
    total = sum(s.summary.get("n_look_at", 0) for s in states)
    heads = ("exposure", "integration", "psf", "dx (pix)", "dy (pix)", "closure (pix)", "why")
    yield table(
        "pairs", heads, rows, caption=f"{len(rows)} of {total}; all in the tables of shifts"
    )


def _pair(pair: dict[str, Any]) -> list[Cell]:
    numbers = [_number(pair[name], ".4f") for name in ("dx", "dy", "closure")]
    return [pair["integration"], pair["psf"], *numbers, Marked(pair["why"], "bad")]


def _inputs(states: Sequence[ExposureState]) -> Iterator[str]:
    known = [(s.name, s.summary) for s in states if s.summary]
    if not known:
        return
    yield heading("Exposures and psfs")
    yield table(
        "inputs",
        ("exposure", "integrations", "psfs", "rows × columns", "psf exposures"),
        [
            (
                name,
                s["shape"][0],
                s["shape"][1],
                "{2} × {3}".format(*s["shape"]),
                some_of(s["psfs"], MOST_NAMES),
            )
            for name, s in known
        ],
    )
    yield heading("Masks")
    heads = ("exposure", "mask", "why", "1 means", "decided by", "notes")
    yield table("masks", heads, [(name, *_mask(s)) for name, s in known])


def _mask(summary: dict[str, Any]) -> list[Cell]:
    words = [summary[key] for key in ("psfmask", "reason", "convention", "decided_by")]
    return [*(word or NOTHING for word in words), "; ".join(summary["notes"]) or NOTHING]


def _durations(states: Sequence[ExposureState]) -> Iterator[str]:
    found: dict[str, list[StepRun]] = defaultdict(list)
    # A step of a stack that serves several exposures counts once.
    for step in dict.fromkeys(step for s in states for step in s.steps if step.seconds is not None):
        found[step.name].append(step)
    rows = [(name, *_duration(steps)) for name, steps in found.items()]
    if rows:
        yield heading("Durations")
        heads = ("step", "jobs", "median (s)", "longest (s)", "total (s)", "largest memory (MB)")
        yield table("durations", heads, rows)


def _duration(steps: Sequence[StepRun]) -> tuple[Cell, ...]:
    seconds = [step.seconds or 0.0 for step in steps]
    longest = (f"{value:.1f}" for value in (median(seconds), max(seconds), sum(seconds)))
    return len(steps), *longest, max(step.megabytes or 0 for step in steps)


def _versions(states: Sequence[ExposureState]) -> Iterator[str]:
    versions = [_versions_of(state) for state in states]
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name, version in chain.from_iterable(versions):
        found[name][version] = None
    if found:
        yield heading("Versions")
        mixture = list_mixture(versions)
        if mixture:
            yield paragraph(f"{MIXTURE}: {'; '.join(mixture)}.")
        yield facts((name, ", ".join(ones)) for name, ones in found.items())


def _versions_of(state: ExposureState) -> list[tuple[str, str]]:
    """Return the software of all steps that led to the figures of an exposure."""
    records = [Record(*entry) for entry in state.summary.get("provenance", [])]
    return versions_of(records) or list(state.summary.get("versions", {}).items())


def _n_failed(summary: dict[str, Any]) -> int:
    return sum(summary.get("failed", {}).values())


def _doubt(number: int) -> Cell:
    return Marked(str(number), "bad") if number else number


def _time(state: ExposureState) -> Cell:
    return f"{state.seconds:.1f}" if state.seconds else NOTHING


def _number(value: float | None, spec: str) -> str:
    return NOTHING if value is None else format(value, spec)
