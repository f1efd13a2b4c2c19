"""Changes that editors make, against their strength."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dynode.evaluation.records import Row, select
from dynode.reporting.plots.looks import BLUE, GREEN, GREY, PINK, VERMILION
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

METHODS = {  # Okabe-Ito, a colour for each method of editing
    "interfacegan": BLUE,
    "latent-transformer": VERMILION,
    "styleclip": GREEN,
    "flow": PINK,
    "ganspace": GREY,
}
COLUMNS, PANEL_INCHES, LINE_INCHES = 6, 0.95, 0.125
DOTS = {
    "own_change": "change of its own (std)",
    "leakage": "others' change / its own",
    "identity": "identity (cosine)",
}
BOUND = 0.6  # of the identity


def ladders(rows: list[Row]) -> Figure:
    """One panel for each attribute, a line for each editor of `editor_quality.ladder_rows`: mean change against strength.

    Strengths are in units of the one used, which is marked by a dot; all panels share their axes.
    """
    used = select(rows, metric="strength_used")
    attributes = list(dict.fromkeys((row.category, row.reference) for row in used))
    lines = -(-len(attributes) // COLUMNS)
    with house_style():
        figure, axes = subplots(
            lines, COLUMNS, figsize=(FULL_WIDTH, 0.5 + PANEL_INCHES * lines), sharex=True, sharey=True, squeeze=False
        )
        for axis in axes.flat[len(attributes) :]:
            axis.set_visible(False)
        for axis, (category, attribute) in zip(axes.flat, attributes, strict=False):
            for row in select(used, category=category, reference=attribute):
                ladder(axis, row, select(rows, category=category, method=row.method, metric="own_change"))
            axis.axhline(0, color="0.8", linewidth=0.6, zorder=0)
            axis.axvline(0, color="0.8", linewidth=0.6, zorder=0)
            name = attribute.replace("_", " ")
            axis.set_title(name if category == "face" else f"{category}:\n{name}", fontsize=6.5)
        axes[0, 0].set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
        axes[-1, COLUMNS // 2 - 1].set_xlabel("strength / strength used")
        figure.supylabel(DOTS["own_change"], fontsize=8)
        legend(figure, used)
        return figure


def ladder(axis: Axes, used: Row, rungs: list[Row]) -> None:
    """The mean change of one editor's attribute over its strengths, with a dot at the strength used."""
    x, y = np.array([float(row.variant) for row in rungs]) / used.value, [row.value for row in rungs]
    colour = METHODS[used.method.partition(":")[0]]
    axis.plot(x, y, color=colour, linewidth=1)
    at = int(np.abs(x - 1).argmin())
    axis.plot(x[at], y[at], "o", color=colour, markersize=3)


def editors(rows: list[Row]) -> Figure:
    """All editors at the strength used, one line for each: its own change, leakage, and for faces the identity.

    Dots are means over codes, bars their standard deviations; of identity the small tick is the lowest of all codes.
    """
    used = select(rows, metric="strength_used")
    present = {name: title for name, title in DOTS.items() if select(rows, metric=name)}
    with house_style():
        size = (FULL_WIDTH, 0.8 + LINE_INCHES * len(used))
        figure, axes = subplots(1, len(present), figsize=size, sharey=True, squeeze=False)
        for axis, (name, title) in zip(axes[0], present.items(), strict=True):
            for y, row in enumerate(used):
                at_used = select(rows, category=row.category, method=row.method, variant=f"{row.value:+g}")
                dot(axis, y, row, at_used, name)
            axis.set_xlabel(title)
            axis.grid(axis="y", color="0.92", linewidth=0.5)
            axis.set_axisbelow(True)
            if name == "identity":
                axis.axvline(BOUND, color="0.5", linestyle=":", linewidth=0.8)
        axes[0, 0].axvline(0, color="0.8", linewidth=0.6, zorder=0)
        axes[0, 0].set_yticks(range(len(used)), [label(row) for row in used], fontsize=6)
        axes[0, 0].set_ylim(len(used) - 0.4, -0.6)
        legend(figure, used)
        return figure


def dot(axis: Axes, y: int, used: Row, group: list[Row], name: str) -> None:
    """The mean of one metric at the strength used, with its standard deviation; of identity also the lowest value."""
    colour = METHODS[used.method.partition(":")[0]]
    for row in select(group, metric=name):
        axis.errorbar(row.value, y, xerr=row.std or 0, fmt="o", color=colour, markersize=3, elinewidth=0.8)
    for row in select(group, metric="lowest_identity") if name == "identity" else ():
        axis.plot(row.value, y, "|", color=colour, markersize=4)


def label(row: Row) -> str:
    """ "age 1.5" for an editor's line: the attribute and the strength used; a component by its number."""
    _, _, attribute = row.method.partition(":")
    name = f"component {attribute} ({row.reference})" if attribute.isdecimal() else attribute
    where = "" if row.category == "face" else f"{row.category}: "
    return f"{where}{name.replace('_', ' ')}, {row.value:g}"


def legend(figure: Figure, used: list[Row]) -> None:
    """The methods that the editors belong to."""
    methods = dict.fromkeys(row.method.partition(":")[0] for row in used)
    handles = [Line2D([], [], color=METHODS[name], marker="o", markersize=3, label=name) for name in methods]
    head_legend(figure, handles)
