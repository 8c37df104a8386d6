"""Define the paths of the results of a campaign in its output directory."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..steps.registry import STEPS, Output, Scope, Step, steps_of

STACKS, COMBINED, REPORT, LOGS = "psfstacks", "combined", "report", "logs"
FOLDERS = (STACKS, COMBINED, REPORT, LOGS)  # that results of several exposures share
CAMPAIGN_PAGE = f"{REPORT}/campaign.html"
CAMPAIGN_STATES = f"{REPORT}/campaign.json"
BATCHES = f"{LOGS}/batches"
PROGRESS = f"{REPORT}/progress.jsonl"
SHARED = (Scope.STACK, Scope.ASSOCIATION)  # whose results serve several exposures
# Paths of files of each scope, without their endings.
PLACES = {
    Scope.EXPOSURE: "{exposure}/{exposure}",
    Scope.STACK: f"{STACKS}/{{stack}}",
    Scope.ASSOCIATION: f"{COMBINED}/{{association}}",
    Scope.CAMPAIGN: "",
}


def result_pattern(step: str, part: str = "") -> str:
    """Return the path of a main or another output, relative to the output directory."""
    entry = STEPS[step]
    output = entry.outputs[part or next(iter(entry.outputs))]
    place = f"{PLACES[entry.scope]}{output.ending}"
    return f"{REPORT}/{place}" if entry.in_report else place


def result(folder: Path, step: str, name: str, part: str = "") -> Path:
    """Return the path of a main or another output for an exposure, stack or association."""
    return folder / result_pattern(step, part).format(**{STEPS[step].scope: name})


def log_pattern(step: str) -> str:
    """Return the path of the log of a step, relative to the output directory."""
    scope = STEPS[step].scope
    return f"{LOGS}/{step}.log" if scope is Scope.CAMPAIGN else f"{LOGS}/{step}/{{{scope}}}.log"


def log(folder: Path, step: str, name: str) -> Path:
    """Return the log of a step."""
    return folder / log_pattern(step).format(**{STEPS[step].scope: name})


def outputs(steps: Iterable[Step]) -> Iterator[tuple[Step, str, Output]]:
    """Return all outputs of some steps, with the names that rules have for them."""
    return ((step, part, output) for step in steps for part, output in step.outputs.items())


def exposure_endings() -> list[str]:
    """Return the endings of all files in the folder of an exposure."""
    own = [step for step in steps_of(Scope.EXPOSURE) if not step.in_report]
    return [output.ending for _, _, output in outputs(own)]


def shared_results(folder: Path, scope: Scope) -> list[Path]:
    """Return the existing results of all psf stacks, or of all associations."""
    found = (
        folder.glob(result_pattern(step.name, part).format(**{scope: "*"}))
        for step, part, _ in outputs(steps_of(scope))
    )
    return sorted({path for paths in found for path in paths})
