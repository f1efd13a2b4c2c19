"""Common to all figures: their style and size, a legend at the head, a line at the foot."""

import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

STYLE = Path(__file__).with_name("dynode.mplstyle")
FULL_WIDTH = 6.75  # inches
NOTE_INCHES, NOTE_POINTS = 0.14, 6  # of a note: height of a line, of its letters
NOTE_LETTER = 0.55  # width of a letter, of its height
ROUNDING = 1e-9  # errors below are zero but for the arithmetic


def house_style() -> AbstractContextManager[None]:
    """The style of all figures; no setting that surrounds it, from a matplotlibrc or of a session, has a part in it."""
    return style.context(STYLE, after_reset=True)


def new_figure(figsize: tuple[float, float]) -> Figure:
    """A figure of this size in inches that belongs to no window: pyplot's need the backend that the user chose."""
    figure = Figure(figsize=figsize)
    FigureCanvasAgg(figure)
    return figure


def subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **grid: Any) -> tuple[Figure, Any]:
    """Such a figure and its axes; grid: as of `Figure.subplots`."""
    figure = new_figure(figsize)
    return figure, figure.subplots(rows, columns, **grid)


def head_legend(figure: Figure, handles: Iterable[Artist], labels: Iterable[str] | None = None) -> None:
    """A legend above all axes, in as many columns as fit the page; labels: by default the handles' own."""
    handles = list(handles)
    labels = [str(handle.get_label()) for handle in handles] if labels is None else list(labels)
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles, labels, loc="outside upper left", ncols=columns)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            return
        legend.remove()


def note(figure: Figure, text: str) -> None:
    """A small line at the foot of a finished figure, in room made for it; a long text gets several lines."""
    wide, tall = figure.get_size_inches()
    lines = textwrap.wrap(text, int(72 * wide / (NOTE_LETTER * NOTE_POINTS)))
    room = NOTE_INCHES + (len(lines) - 1) * 1.3 * NOTE_POINTS / 72
    figure.set_size_inches(wide, tall + room)
    fraction = room / figure.get_size_inches()[1]
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, fraction, 1, 1 - fraction))
    else:  # the axes were placed by hand: move up what there is
        for axes in figure.axes:
            box = axes.get_position()
            axes.set_position((box.x0, fraction + box.y0 * (1 - fraction), box.width, box.height * (1 - fraction)))
        for text_line in figure.texts:
            text_line.set_y(fraction + text_line.get_position()[1] * (1 - fraction))
    small: dict[str, Any] = {"fontsize": NOTE_POINTS, "color": "0.4", "linespacing": 1.2}
    figure.text(0.995, 0.2 * NOTE_INCHES / (tall + room), "\n".join(lines), ha="right", va="bottom", **small)
