"""The files of the demo, which a run makes first, and the facts that planning needs of them."""

from pathlib import Path
from typing import Any

from .. import simulate
from .settings import Settings

FOLDER = "simulated"  # in the output directory
SEED = 9999


def list_demo_files(settings: Settings) -> list[str]:
    """Return the paths of the files that the demo makes in an output directory."""
    return [f"{settings.output_dir}/{FOLDER}/{name}" for name in simulate.FILES]


def describe_demo_file(path: Path) -> dict[str, Any]:
    """Return those facts of `psfalign.campaign.facts.FactsStore.exposure` that planning needs."""
    integrations, *shape = simulate.SHAPES[path.name]
    turn = simulate.ROLLS.get(path.name)  # of the columns; north is turned the other way
    roll = None if turn is None else -turn
    known = {"integrations": integrations, "shape": shape, "roll": roll}
    return {**known, "north": "", "star": "", "target": ""}
