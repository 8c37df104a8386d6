"""Draw all figures in one style and width, as PNG files of limited size."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ...errors import visible
from ...files.png import note_chunk

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

Canvas: TypeAlias = "Figure | SubFigure"
Draw: TypeAlias = Callable[[Canvas], None]
Place = dict[str, Any]  # left, right, bottom and top of axes, in shares of the canvas

STYLE = Path(__file__).with_name("psfalign.mplstyle")
WIDTH = 8.0  # inches; 1200 pixels
TITLE = 0.13  # inches from the upper edge to the middle of a title
LONGEST = 90  # characters of a text that fit into the width
LARGEST = 300_000  # bytes of a figure
# Numbers of colours of the colour map, and of greys for text; tried until the file is small enough.
PALETTES = ((192, 24), (96, 24), (48, 12), (24, 8), (12, 6), (6, 4))
N_TINTS = 5  # tints of each line colour, for antialiased edges on white
# Colours of the cycle in the style file, and a grey.
GOOD, BAD, QUIET = "#0072B2", "#D55E00", "#767676"


def load_ahead() -> None:
    """Draw something, so that forks of this process find modules, fonts and style loaded."""
    draw_png(_draw_example, height=1.0)


def _draw_example(canvas: Canvas) -> None:
    canvas.suptitle("A title")
    canvas.subplots().contour(np.eye(2))


@contextmanager
def styled() -> Iterator[None]:
    """Use the style of the project instead of the user's own."""
    from matplotlib import style

    with style.context(["default", STYLE]):
        yield


def drawn(text: str) -> str:
    """
    Escape a text from a header or a file name, so that Matplotlib draws it unchanged.

    Matplotlib takes text between dollars for a formula, and leaves names that begin with an
    underscore out of legends.
    """
    text = shorten(visible(text), LONGEST)
    return f"{' ' if text.startswith('_') else ''}{text}".replace("$", r"\$")


def shorten(text: str, longest: int) -> str:
    """Return a text, cut to at most ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def inside(
    canvas: Canvas, left: float, right: float, bottom: float, top: float
) -> dict[str, float]:
    """
    Return the edges of axes with margins in inches, as keyword arguments of a grid.

    A layout engine would measure every label twice, which takes half of the time of a figure.
    """
    width, height = _size(canvas)
    edges = {"left": left / width, "right": 1 - right / width}
    return {**edges, "bottom": bottom / height, "top": 1 - top / height}


def write_title(canvas: Canvas, title: str) -> None:
    """Write a title above all axes; any text is allowed."""
    canvas.suptitle(drawn(title), y=1 - TITLE / _size(canvas)[1], va="center")


def _size(canvas: Canvas) -> tuple[float, float]:
    """Return width and height in inches of a figure, or of a part of one."""
    return canvas.bbox.width / canvas.figure.dpi, canvas.bbox.height / canvas.figure.dpi


def draw_png(draw: Draw, *, height: float, is_laid_out: bool = True, note: str = "") -> bytes:
    """
    Draw a figure of `WIDTH` and a height in inches, and return it as PNG.

    A palette of the colour map, greys and tints of the line colours looks the same as all colours,
    and takes a third of the bytes. It is reduced if the file is larger than `LARGEST`.

    Parameters
    ----------
    draw
        The function that draws into the figure.
    height
        Height in inches.
    is_laid_out
        Whether ``draw`` sets the positions of its axes. Otherwise, matplotlib lays them out.
    note
        Text to store in the file, see `psfalign.files.png`.
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
        reduced.save(content, format="png", pnginfo=note_chunk(note) if note else None)
        if content.tell() <= LARGEST:
            break
    return content.getvalue()


def _palette(n_colours: int, n_greys: int) -> bytes:
    """Return red, green and blue of 256 colours; the first one fills up the palette."""
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
    """Draw figures of given heights in inches below each other, and return one PNG."""
    heights = [height for _, height in parts]

    def draw(canvas: Canvas) -> None:
        rows = canvas.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)
        for (part, _), row in zip(parts, rows[:, 0], strict=True):
            part(row)

    return draw_png(draw, height=sum(heights))
