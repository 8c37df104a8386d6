"""Draw a notice in place of a figure that cannot be drawn."""

from .style import BAD, Canvas, drawn

NOTICE_HEIGHT = 1.5  # inches


def draw_notice(canvas: Canvas, *, title: str, text: str) -> None:
    """Draw the title and the reason why there is no figure."""
    canvas.text(0.5, 0.65, drawn(title), ha="center", fontsize=10)
    canvas.text(0.5, 0.3, drawn(text), ha="center", color=BAD)
