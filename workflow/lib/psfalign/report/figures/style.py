"""What all figures share: one style, one width, one way to become a PNG of bounded size."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ...errors import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

Canvas: TypeAlias = "Figure | SubFigure"
Draw: TypeAlias = Callable[[Canvas], None]
Place = dict[str, Any]  # left, right, bottom and top of axes, in shares of the canvas

# What drawing imports when it draws, for processes that import ahead.
LOADED_LATER = ("matplotlib.backends.backend_agg", "matplotlib.style", "PIL.PngImagePlugin")
STYLE = Path(__file__).with_name("psfalign.mplstyle")
WIDTH = 8.0  # inches; 1200 pixels
TITLE = 0.13  # inches from the upper edge to the middle of a title
LONGEST = 90  # characters of a text that fit into the width
LARGEST = 300_000  # bytes of a figure
# Colours of the colour map and greys, for text; tried until the figure is small enough.
PALETTES = ((192, 24), (96, 24), (48, 12), (24, 8), (12, 6), (6, 4))
N_TINTS = 5  # of each colour of lines, for their edges on white
# Of the cycle in the style file, for what is not one of many.
GOOD, BAD, QUIET = "#0072B2", "#D55E00", "#767676"


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the project, whatever the user's own is."""
    from matplotlib import style

    with style.context(["default", STYLE]):
        yield


def drawn(text: str) -> str:
    """
    Return what draws a text of a header or a file's name as it is.

    Matplotlib takes what stands between dollars for a formula, and leaves names that begin with an
    underscore out of legends.
    """
    text = shorten(visible(text), LONGEST)
    return f"{' ' if text.startswith('_') else ''}{text}".replace("$", r"\$")


def shorten(text: str, longest: int) -> str:
    """Return as much of a text as some characters hold."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def inside(
    canvas: Canvas, left: float, right: float, bottom: float, top: float
) -> dict[str, float]:
    """
    Return where axes lie that leave margins of some inches, as a grid takes it.

    A layout engine, which measures every label twice, takes half of the time of a figure.
    """
    width, height = _size(canvas)
    edges = {"left": left / width, "right": 1 - right / width}
    return {**edges, "bottom": bottom / height, "top": 1 - top / height}


def write_title(canvas: Canvas, title: str) -> None:
    """Write a title above all axes, whatever it holds."""
    canvas.suptitle(drawn(title), y=1 - TITLE / _size(canvas)[1], va="center")


def _size(canvas: Canvas) -> tuple[float, float]:
    """Return width and height in inches of a figure, or of a part of one."""
    return canvas.bbox.width / canvas.figure.dpi, canvas.bbox.height / canvas.figure.dpi


def draw_png(draw: Draw, *, height: float, is_laid_out: bool = True) -> bytes:
    """
    Draw a figure of `WIDTH` and some height in inches, and give it as PNG.

    What draws says where its axes are; else, matplotlib lays them out.

    A palette of the colour map, greys and tints of the line colours tells as much as all colours,
    and takes a third of the bytes; it is made smaller where that is more than `LARGEST`.
    """
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    layout: Literal["constrained"] | None = None if is_laid_out else "constrained"
    with styled():
        figure = Figure(figsize=(WIDTH, height), dpi=rcParams["savefig.dpi"], layout=layout)
        canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        draw(figure)
        canvas.draw()  # savefig would lay out and draw twice
        palettes = [_palette(*numbers) for numbers in PALETTES]
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    for palette in palettes:
        content = io.BytesIO()
        colours = Image.new("P", (1, 1))
        colours.putpalette(palette)
        reduced = picture.quantize(palette=colours, dither=Image.Dither.NONE)
        reduced.save(content, format="png")
        if content.tell() <= LARGEST:
            break
    return content.getvalue()


def _palette(n_colours: int, n_greys: int) -> bytes:
    """Return red, green and blue of 256 colours, of which some are there twice."""
    from matplotlib import colormaps, rcParams
    from matplotlib.colors import to_rgb

    lines = [np.array(to_rgb(c)) for c in rcParams["axes.prop_cycle"].by_key()["color"]]
    colours = [
        *colormaps[rcParams["image.cmap"]](np.linspace(0, 1, n_colours))[:, :3],
        *np.linspace(0, 1, n_greys)[:, None].repeat(3, axis=1),
        *(t * line + 1 - t for line in lines for t in np.linspace(0, 1, N_TINTS + 1)[1:]),
    ]
    colours += [colours[0]] * (256 - len(colours))
    return bytes(np.rint(255 * np.array(colours)).astype(np.uint8).ravel())


def draw_stacked(parts: list[tuple[Draw, float]]) -> bytes:
    """Draw several figures, each with its height in inches, below each other into one PNG."""
    heights = [height for _, height in parts]

    def draw(canvas: Canvas) -> None:
        rows = canvas.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)
        for (part, _), row in zip(parts, rows[:, 0], strict=True):
            part(row)

    return draw_png(draw, height=sum(heights))
