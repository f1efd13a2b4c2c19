"""Interpolation error between observations, and the variance that principal components explain."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.evaluation.records import Row, averaged, select
from dynode.metrics import METRICS, describe
from dynode.reporting.plots.looks import colour
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

PANELS = (("code_distance", "curve_distance"), ("mse",), ("lpips_alex",))
DIAMONDS = ("curve_distance",)  # others are discs


def interpolation_errors(rows: list[Row], methods: Sequence[str], references: Mapping[str, str]) -> Figure:
    """Every method's errors between observations: a row of panels for each clip, codes and images.

    Filled: regular sampling; open: irregular, mean and standard deviation over draws.  Dashed: the lower bound of paths
    in the span of the observed codes, and in images the clip's own codes.  references: clip -> what its images are
    compared with.
    """
    with house_style():
        rows, clips = averaged(rows), list(dict.fromkeys(row.clip for row in rows))
        size = (FULL_WIDTH, 0.55 + len(clips) * (0.55 + 0.17 * len(methods)))
        figure, axes = subplots(len(clips), 3, figsize=size, sharey=True, squeeze=False)
        for line, clip in zip(axes, clips, strict=True):
            own = select(rows, clip=clip)
            for axis, metrics in zip(line, PANELS, strict=True):
                for metric in metrics:
                    dots(axis, select(own, metric=metric), methods)
                floors(axis, own, metrics[0])
                metric = METRICS[metrics[0]]
                in_codes = metric.space == "latent"
                axis.set_xlabel("distance (steps)" if in_codes else f"{metric.heading()}, {references[clip]}")
            line[0].set_title(clip, loc="left")
            line[0].set(
                yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5), xlim=(-0.2, None)
            )
        handles = [mark(shape, label) for shape, label in (("o", "at the same time"), ("D", "to the curve"))]
        handles += [
            mark("o", "regular"),
            mark("o", "irregular", "white"),
            Line2D([], [], color="0.4", ls="--", label="floor, regular"),
        ]
        head_legend(figure, handles)
        return figure


def mark(shape: str, label: str, filling: str = "0.4") -> Line2D:
    """A mark for the legend."""
    return Line2D([], [], color="0.4", marker=shape, mfc=filling, ls="", ms=4, label=label)


def dots(axis: Axes, rows: list[Row], methods: Sequence[str]) -> None:
    """One metric of every method; on a logarithmic axis for images, whose errors differ by more."""
    for y, method in enumerate(methods):
        shade = colour(method)
        for row in select(rows, method=method, split="unobserved"):
            scale, regular, diamond = describe(row.metric).scale, row.sampling == "regular", row.metric in DIAMONDS
            style = {"color": shade, "fmt": "D" if diamond else "o", "ms": 3.2 if diamond else 4}
            style |= {"mfc": shade if regular else "white", "mew": 0.9, "elinewidth": 0.8, "zorder": 2 + regular}
            at = y + (-0.16 if regular else 0.16)
            axis.errorbar(scale * row.value, at, xerr=scale * (row.std or 0) or None, **style)
    if rows and rows[0].space == "image":
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())


def floors(axis: Axes, rows: list[Row], metric: str) -> None:
    """Lower bounds: of the span of the observed codes at regular sampling, and the images of a clip's own codes."""
    chosen = [row for row in rows if row.metric == metric and row.method in ("nearest in the span", "own codes")]
    for row in chosen:
        if row.sampling in ("", "regular"):
            axis.axvline(describe(metric).scale * row.value, color="0.4", linestyle="--", linewidth=0.8, zorder=0)


def variance(planes: Mapping[str, PrincipalAxes]) -> Figure:
    """Variance of a path explained by its first k principal components, a line for each clip."""
    with house_style():
        figure, axis = subplots(figsize=(3.25, 2.0))
        for (name, plane), shade in zip(planes.items(), rcParams["axes.prop_cycle"].by_key()["color"], strict=False):
            summed = 100 * np.cumsum(plane.fractions.numpy())[:20]
            axis.plot(range(1, len(summed) + 1), summed, marker="o", ms=2.5, color=shade, label=name)
        for level in (90, 99):
            axis.axhline(level, color=colour("hold"), linewidth=0.7, linestyle=":")
            axis.annotate(
                f"{level} %", (1, level), (0.99, level), ("axes fraction", "data"), ha="right", va="top", fontsize=6.5
            )
        axis.set(xlabel="principal components", ylabel="variance explained (%)", ylim=(None, 101.5))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(loc="lower right")
        return figure
