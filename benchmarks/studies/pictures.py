"""How pictures look, and where they go."""

from pathlib import Path

from matplotlib.figure import Figure

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"  # for colour-blind readers


def save(figure: Figure, name: str) -> None:
    """Keep a picture; the same numbers give the same bytes."""
    figure.savefig(IMAGES / f"accuracy_{name}.png", metadata={"Software": None})
