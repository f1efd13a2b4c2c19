"""Where the paper's settings train, as heat maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dynode.evaluation.records import Row, select
from dynode.reporting.plots.style import FULL_WIDTH, house_style, subplots

LOWEST = 0.1  # share of the variance, at the dark end of the colours
LARGEST = 99  # that is written as a number


def paper_grid(rows: Sequence[Row], iterations: int) -> Figure:
    """A row of panels for each width of the field, a panel for each scale of codes: DEPTH on x, unit of time and start on y.

    A cell has the error at the observed codes as a share of their variance, coloured where it survived all iterations
    and is better than the mean code; else how many iterations it survived, in grey.
    rows: of `dynode.experiments.ablations.paper_grid`.
    """
    parts = {row.variant: row.variant.partition(": ")[2].split("; ") for row in rows}
    widths, codes, *_, depths = ([*dict.fromkeys(each)] for each in zip(*parts.values(), strict=True))
    lines = [*dict.fromkeys((time, start) for _, _, time, start, _ in parts.values())]
    with house_style():
        size = (FULL_WIDTH, 0.5 + 1.35 * len(widths))
        figure, axes = subplots(len(widths), len(codes), figsize=size, squeeze=False, sharex=True, sharey=True)
        for panels, width in zip(axes, widths, strict=True):
            for axis, scale in zip(panels, codes, strict=True):
                for variant, (own_width, own_scale, time, start, depth) in parts.items():
                    if (own_width, own_scale) == (width, scale):
                        at = depths.index(depth), lines.index((time, start))
                        draw_cell(axis, at, select(rows, variant=variant), iterations)
                axis.set_title(f"{scale}, {width}", loc="left")
                axis.set(xlim=(-0.5, len(depths) - 0.5), ylim=(len(lines) - 0.5, -0.5))
                axis.set_xticks(range(len(depths)), [depth.removeprefix("DEPTH ") for depth in depths])
                axis.set_yticks(range(len(lines)), [f"{time}, {start}" for time, start in lines])
        for axis in axes[-1]:
            axis.set_xlabel("DEPTH")
        return figure


def draw_cell(axis: Axes, at: tuple[int, int], rows: Sequence[Row], iterations: int) -> None:
    """One cell of a panel, at (column, line)."""
    own = {row.metric: row.value for row in rows}
    survived, error = own["iterations_survived"], own.get("share_of_variance", np.inf)
    trains = survived >= iterations and error < 1
    reached = f"{error:.2f}" if error < LARGEST else f"> {LARGEST}"
    text = reached if survived >= iterations else f"{survived:.0f} it."
    fill = colormaps["viridis"](LogNorm(LOWEST, 1)(max(error, LOWEST))) if trains else (0.9, 0.9, 0.9, 1.0)
    axis.add_patch(Rectangle((at[0] - 0.5, at[1] - 0.5), 1, 1, facecolor=fill, edgecolor="white"))
    dark = trains and sum(fill[:3]) < 1.6
    axis.text(*at, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
