"""Errors against how sparsely a clip is observed."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dynode.evaluation.paired_comparison import compare
from dynode.evaluation.records import Row, select
from dynode.reporting.plots.looks import look
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

KINDS = {"regular": "stride, regular times", "irregular": "stride, irregular times", "": "frames beyond the last one"}
LEAST, BEYOND = (0.1, 2), 1.15  # what the axis shows at least, and how far it goes beyond the curves
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def sparsity(rows: Sequence[Row], methods: Sequence[str], banded: str = "dynode", baseline: str = "linear") -> Figure:
    """Image errors over those of linear interpolation: a line of panels for each category, a curve for each method that ran.

    rows: `mse` of all clips under all conditions; kinds of conditions without any get no panels.  banded: the method whose
    95 % interval over clips is shaded.
    """
    with house_style():
        rows = select(rows, metric="mse")
        names, ran = list(dict.fromkeys(row.category for row in rows)), {row.method for row in rows}
        methods = [method for method in methods if method in ran]
        kinds = {kind: label for kind, label in KINDS.items() if any(kind_of(row) == kind for row in rows)}
        size = (FULL_WIDTH * (0.5 if len(kinds) == 1 else 1), 0.6 + 1.25 * len(names))
        figure, axes = subplots(len(names), len(kinds), figsize=size, sharey=True, squeeze=False)
        for line, name in zip(axes, names, strict=True):
            for axis, (kind, label) in zip(line, kinds.items(), strict=True):
                own = select(rows, category=name)
                panel(axis, [row for row in own if kind_of(row) == kind], methods, banded, baseline)
                axis.set(xlabel=label if name == names[-1] else "", title="" if axis is not line[0] else name)
            line[0].set_ylabel(f"MSE / {baseline}")
        scale(axes[0, 0])
        marks = [Line2D([], [], **look(method).curve) for method in methods]
        head_legend(figure, marks, methods)
        return figure


def scale(shared: Axes) -> None:
    """Make the axis of errors, which all panels share, as long as the curves want; bands may leave it."""
    every = shared.figure.axes
    drawn = [value for axis in every for line in axis.lines for value in np.asarray(line.get_ydata())]
    low, high = min([LEAST[0], *drawn]) / BEYOND, max([LEAST[1], *drawn]) * BEYOND
    ticks = [tick for tick in TICKS if low <= tick <= high]
    shared.set(ylim=(low, high))
    shared.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    for axis in every:
        axis.minorticks_off()


def kind_of(row: Row) -> str:
    """The panel that a row belongs to."""
    return row.sampling if row.split == "unobserved" else ""


def condition_of(row: Row) -> tuple[int, str]:
    """Where it is on the axis, and the field `variant`, which differs between horizons."""
    return (row.stride if row.split == "unobserved" else int(row.variant.split()[0])), row.variant


def panel(axis: Axes, rows: list[Row], methods: Sequence[str], banded: str, baseline: str) -> None:
    """One line for each method over the conditions that these rows have."""
    points = sorted({condition_of(row) for row in rows})
    for method in methods:
        ratios = []
        for point, variant in points:
            own = [row for row in rows if condition_of(row) == (point, variant) and row.method in (method, baseline)]
            if {row.method for row in own} == {method, baseline}:
                ratios.append((point, compare(own, method, [baseline], variant=variant).ratio))
        xs, values = [point for point, _ in ratios], [ratio.value for _, ratio in ratios]
        axis.plot(xs, values, **look(method).curve)
        if method == banded:
            low, high = ([getattr(ratio, end) for _, ratio in ratios] for end in ("low", "high"))
            axis.fill_between(xs, low, high, color=look(method).colour, alpha=0.15, lw=0)
    shown = [point for point, _ in points]
    axis.set(xscale="log", yscale="log", xticks=shown)
    axis.set_xticks(shown, [str(point) for point in shown])
