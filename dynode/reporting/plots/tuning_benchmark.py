"""Quality against minutes of tuning a generator."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from dynode.evaluation.records import Row, select
from dynode.evaluation.tuning_quality import AFTER, BEFORE, NEIGHBOURS, SPLITS
from dynode.reporting.plots.looks import BLUE, GREEN, GREY, ORANGE
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

LABELS = {
    "lpips_vgg": "LPIPS-VGG",
    "lpips_alex": "LPIPS-Alex",
    "identity": "identity cosine",
    "dlib_distance": "dlib distance",
}
COLOURS = (BLUE, ORANGE, GREEN)  # of kinds of update, in the order of the rows
LINES = {"observed": "-", "unobserved": "--"}


def tuning_quality(rows: Sequence[Row]) -> Figure:
    """A row of panels for each clip, one for each metric over the minutes: a line for each kind of update and split.

    All lines begin with the untuned generator at 0 minutes; the dotted one is that of neighbouring frames of the footage.
    rows: of `dynode.experiments.tuning_benchmark`.
    """
    shown = [metric for metric in LABELS if select(rows, metric=metric)]
    names = [*dict.fromkeys(row.clip for row in rows)]
    with house_style():
        size = (FULL_WIDTH, 0.5 + 1.6 * len(names))
        figure, axes = subplots(len(names), len(shown), figsize=size, squeeze=False, sharex=True)
        for line, name in zip(axes, names, strict=True):
            line[0].set_title(name, loc="left")
            for axis, metric in zip(line, shown, strict=True):
                panel(axis, select(rows, clip=name, metric=metric))
                axis.set_ylabel(LABELS[metric])
        for axis in axes[-1]:
            axis.set_xlabel("minutes of tuning")
        head_legend(figure, axes[0, 0].get_legend_handles_labels()[0])
        return figure


def panel(axis: Any, rows: Sequence[Row]) -> None:
    """The lines of one metric of one clip."""
    tuned = select(rows, method=AFTER)
    for kind, colour in zip(dict.fromkeys(kind_of(row) for row in tuned), COLOURS, strict=False):
        for split, words in SPLITS.items():
            points = [(0.0, row.value) for row in select(rows, method=BEFORE, split=split)]
            points += sorted((minutes_of(row), row.value) for row in select(tuned, split=split) if kind_of(row) == kind)
            look = {"color": colour, "linestyle": LINES[split], "marker": "o", "markersize": 2}
            axis.plot(*zip(*points, strict=True), **look, label=f"{kind}, {words}") if points else None
    for row in select(rows, method=NEIGHBOURS, split="observed"):
        axis.axhline(row.value, color=GREY, linestyle=":", label=row.method)


def kind_of(row: Row) -> str:
    """The kind of update of a row after a tuning, whose variant is "KIND, N minutes"."""
    return row.variant.partition(", ")[0]


def minutes_of(row: Row) -> float:
    return float(row.variant.partition(", ")[2].partition(" ")[0])
