"""Quality of an inversion against seconds a frame."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from dynode.evaluation.records import Row, select
from dynode.reporting.plots.looks import colour
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

LABELS = {
    "lpips_vgg": "LPIPS-VGG",
    "lpips_alex": "LPIPS-Alex",
    "identity": "identity cosine",
    "dlib_distance": "dlib distance",
}
COLOURS = ("dynode", "linear", "trend", "hold")  # whose colours the methods have, in the order of the rows
MARKS = "osD^v"


def inversion_quality(rows: Sequence[Row]) -> Figure:
    """A panel for each metric over the measured seconds: a line for each method and clip; what has no budget is a mark.

    rows: of `dynode.experiments.inversion_benchmark`.
    """
    shown = [metric for metric in LABELS if select(rows, metric=metric)]
    methods, names = ([*dict.fromkeys(getattr(row, field) for row in rows)] for field in ("method", "clip"))
    with house_style():
        figure, axes = subplots(1, len(shown), figsize=(FULL_WIDTH, 2.3))
        for axis, metric in zip(axes, shown, strict=True):
            for method, look in zip(methods, COLOURS, strict=False):
                for name, mark in zip(names, MARKS * len(names), strict=False):
                    points = points_of(select(rows, method=method, clip=name), metric)
                    axis.plot(*points, color=colour(look), marker=mark, markersize=3, label=f"{method}, {name}")
            axis.set(xscale="log", xlabel="seconds a frame", ylabel=LABELS[metric])
            ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if axis.get_xlim()[0] <= t <= axis.get_xlim()[1]]
            axis.set_xticks(ticks, [str(t) for t in ticks])
            axis.xaxis.set_minor_formatter(NullFormatter())
        head_legend(figure, *axes[0].get_legend_handles_labels())
        return figure


def points_of(rows: Sequence[Row], metric: str) -> tuple[list[float], list[float]]:
    """Seconds and values of a metric, by the seconds."""
    seconds = {row.variant: row.value for row in select(rows, metric="seconds")}
    pairs = sorted((seconds[row.variant], row.value) for row in select(rows, metric=metric))
    return [second for second, _ in pairs], [value for _, value in pairs]
