"""Common to all figures: colours, sizes, a line at the foot."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

STYLE = Path(__file__).with_name("dynode.mplstyle")
COLOURS = {  # Okabe-Ito, the same for a method in every figure
    "dynode": "#0072B2",
    "linear": "#E69F00",
    "hold": "#999999",
    "cubic": "#D55E00",
    "pchip": "#56B4E9",
    "slerp": "#F0E442",
    "robust": "#009E73",
    "visible": "#009E73",
    "paper": "#CC79A7",
    "demo": "#000000",
    "gp": "#009E73",
    "sde": "#CC79A7",
    "cde": "#CC79A7",
    "prior": "#000000",
    "edited": "#CC79A7",
    "pixel_ode[own]": "#CC79A7",
    "pixel_ode[own_warp]": "#F0E442",
    "pixel_ode[taught]": "#56B4E9",
    "pixel_ode[taught_warp]": "#009E73",
    "own codes": "#000000",
}
FULL_WIDTH = 6.75  # inches
NOTE_INCHES = 0.14
ROUNDING = 1e-9  # errors below are zero but for the arithmetic


def note(figure: Figure, text: str) -> None:
    """A small line at the foot of a finished figure, in room made for it."""
    wide, tall = figure.get_size_inches()
    figure.set_size_inches(wide, tall * (1 + NOTE_INCHES / tall))
    fraction = NOTE_INCHES / figure.get_size_inches()[1]
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, fraction, 1, 1 - fraction))
    else:  # the axes were placed by hand: move up what there is
        for axes in figure.axes:
            box = axes.get_position()
            axes.set_position((box.x0, fraction + box.y0 * (1 - fraction), box.width, box.height * (1 - fraction)))
        for text_line in figure.texts:
            text_line.set_y(fraction + text_line.get_position()[1] * (1 - fraction))
    figure.text(0.995, 0.2 * fraction, text, ha="right", va="bottom", fontsize=6, color="0.4")


def colour(method: str) -> str | None:
    """The colour of a method; a shortened run such as demo[1000/20000], or the same on pixels, keeps its preset's."""
    return COLOURS.get(method.replace(",changed]", "]")) or COLOURS.get(method.split("[")[0])
