"""Find the state of each exposure of a campaign, from its results and the logs of its steps."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..campaign import layout
from ..campaign.exposures import ScienceExposure
from ..errors import DONE, ERROR, system_error
from ..files.fits.structure import looks_complete
from ..steps.registry import STEPS, Scope, steps_of

# Steps of a single exposure; those of its psf stack and its association are shared with others.
OWN_STEPS = tuple(step.name for step in steps_of(Scope.EXPOSURE))
FINISHED = re.compile(rf"{DONE}([0-9.]+) s(?:, CPU ([0-9.]+) s)?(?:, at most ([0-9]+) MB)?")
TRACEBACK = "Traceback (most recent call last):"
TAIL = 1 << 14  # bytes that are read from the end of a log


class State(StrEnum):
    """The state of an exposure, in the order in which exposures are listed."""

    FAILED = "failed"
    UNFINISHED = "unfinished"
    NOT_STARTED = "not started"
    DONE = "done"


@dataclass(frozen=True)
class StepRun:
    """
    The last run of a step.

    Attributes
    ----------
    name
        Name of the rule.
    seconds, cpu_seconds, megabytes
        Elapsed time, CPU time, and peak memory; None if the step has not finished.
    error
        The error message, if the step failed.
    log
        Path of its log.
    """

    name: str
    log: str
    seconds: float | None = None
    megabytes: int | None = None
    error: str = ""
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class ExposureState:
    """
    The present state of an exposure of the campaign.

    Attributes
    ----------
    name
        Name of the exposure.
    state
        Its state.
    steps
        The last runs of its steps that have logs.
    summary
        The content of its `psfalign.report.summary.Summary`; empty if there is none.
    association
        Name of the association in which it is combined with others.
    """

    name: str
    state: State
    steps: list[StepRun] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    association: str = ""

    @property
    def failure(self) -> StepRun | None:
        """The first step that failed."""
        return next((step for step in self.steps if step.error), None)

    @property
    def own(self) -> list[StepRun]:
        """The runs of steps that are not shared with other exposures."""
        return [step for step in self.steps if step.name in OWN_STEPS]

    @property
    def seconds(self) -> float:
        """Elapsed time of its own steps, in seconds."""
        return sum(step.seconds or 0.0 for step in self.own)

    @property
    def deserves_a_look(self) -> tuple[int, int]:
        """Sort key that puts failed exposures first, then those with pairs to look at."""
        return list(State).index(self.state), -self.summary.get("n_look_at", 0)


def survey_states(
    output: Path, exposures: Iterable[ScienceExposure], *, has_pictures: bool = True
) -> list[ExposureState]:
    """
    Return the states of exposures from their results and logs, with failures first.

    Without pictures of associations, those of earlier runs are ignored.
    """
    states = (_look(output, exposure) for exposure in exposures)
    if not has_pictures:
        states = (replace(state, association="") for state in states)
    return sorted(states, key=lambda state: state.deserves_a_look)


@dataclass(frozen=True)
class Cost:
    """
    The time and memory that steps took.

    Attributes
    ----------
    cpu_seconds
        Total CPU time.
    megabytes
        Largest peak memory of a single step.
    """

    cpu_seconds: float
    megabytes: int

    @classmethod
    def of(cls, steps: Iterable[StepRun]) -> "Cost":
        """Return the cost of steps; equal runs count once, and unfinished ones not at all."""
        runs = list(dict.fromkeys(steps))
        seconds = sum(step.cpu_seconds or 0.0 for step in runs)
        return cls(round(seconds, 2), max((step.megabytes or 0 for step in runs), default=0))


def cost_of(states: Iterable[ExposureState]) -> Cost:
    """Return the cost of all steps of a campaign, including those of stacks and associations."""
    return Cost.of(step for state in states for step in state.steps)


def as_json(states: Sequence[ExposureState]) -> bytes:
    """Return the states as JSON, with the cost of each exposure and of the campaign."""
    entries = [
        {key: value for key, value in asdict(state).items() if key != "summary"}
        | asdict(Cost.of(state.own))
        for state in states
    ]
    content = {"campaign": asdict(cost_of(states)), "exposures": entries}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _look(output: Path, exposure: ScienceExposure) -> ExposureState:
    logs = _logs(output, exposure)
    steps = [read_log(step, path) for step, path in logs.items() if path.is_file()]
    path = layout.result(output, "plot_exposure", exposure.name)
    try:
        summary = _read_summary(path)
    except OSError as error:
        summary, unread = {}, str(system_error(error, path))
        steps.append(StepRun("plot_exposure", str(path), error=unread))
    complete = bool(summary) and all(map(os.path.isfile, _expected(output, exposure, summary)))
    steps += _damaged(output, exposure)
    association = exposure.name_in(Scope.ASSOCIATION)
    state = _judge(steps, complete=complete)
    return ExposureState(exposure.name, state, steps, summary, association)


def _logs(output: Path, exposure: ScienceExposure) -> dict[str, Path]:
    """Return the logs of all steps that an exposure needs, in the order of the workflow."""
    steps = [step for step in STEPS.values() if step.scope is not Scope.CAMPAIGN]
    logs = {
        step.name: layout.log(output, step.name, exposure.name_in(step.scope)) for step in steps
    }
    if exposure.stack.is_stacked:
        del logs["stack_psfs"]
    return logs


def _expected(output: Path, exposure: ScienceExposure, summary: dict[str, Any]) -> Iterator[Path]:
    """Yield the files of a complete exposure, with the figures that its summary lists."""
    kept = (s for s in steps_of(Scope.EXPOSURE) if not (s.is_intermediate or s.is_optional))
    for step, part, entry in layout.outputs(kept):
        path = layout.result(output, step.name, exposure.name, part)
        if not entry.is_figure or path.name in summary.get("sizes", {}):
            yield path


def _damaged(output: Path, exposure: ScienceExposure) -> Iterator[StepRun]:
    """Yield an error for each FITS file of an exposure that is empty, cut or no FITS file."""
    for step, part, entry in layout.outputs(steps_of(Scope.EXPOSURE)):
        path = layout.result(output, step.name, exposure.name, part)
        if entry.ending.endswith(".fits") and path.is_file() and not looks_complete(path):
            error = f"{path}: is damaged; run the workflow again"
            yield StepRun(step.name, str(path), error=error)


def _judge(steps: list[StepRun], *, complete: bool) -> State:
    if any(step.error for step in steps):
        return State.FAILED
    if complete:
        return State.DONE
    return State.UNFINISHED if any(s.name in OWN_STEPS for s in steps) else State.NOT_STARTED


def read_log(step: str, path: Path) -> StepRun:
    """Return how a step ended, from its log."""
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else ""
    if found := FINISHED.fullmatch(last):
        cpu = float(found[2]) if found[2] else None
        return StepRun(step, str(path), float(found[1]), int(found[3] or 0), cpu_seconds=cpu)
    if last.startswith(ERROR):
        return StepRun(step, str(path), error=last.removeprefix(ERROR))
    if TRACEBACK in lines:
        return StepRun(step, str(path), error=f"{last} (see {path})")
    return StepRun(step, str(path))


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
