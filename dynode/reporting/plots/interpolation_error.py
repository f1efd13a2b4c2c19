"""How far paths lie from the truth between observations, and how much of a path a picture shows."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from dynode.evaluation.records import Row, averaged, select
from dynode.reporting.plots.style import COLOURS, FULL_WIDTH, STYLE, colour

PANELS = {"codes": ("code_distance", "curve_distance"), "MSE x 1e3": ("mse",), "LPIPS-Alex": ("lpips_alex",)}
SCALES = {"mse": 1e3}
MARKS = {"code_distance": "o", "curve_distance": "D", "mse": "o", "lpips_alex": "o"}


def distances(rows: list[Row], methods, judged: dict[str, str]):
    """Every method's distances between observations: a line of panels for each clip, codes and images.

    Filled: regular sampling; open: irregular, mean and standard deviation over draws.  Dashed: what no path among the
    observed codes passes, and in images the clip's own codes.  judged: clip -> what its images are compared with.
    """
    with plt.style.context(STYLE):
        rows, clips = averaged(rows), list(dict.fromkeys(row.clip for row in rows))
        size = (FULL_WIDTH, 0.55 + len(clips) * (0.55 + 0.17 * len(methods)))
        figure, axes = plt.subplots(len(clips), 3, figsize=size, sharey=True, squeeze=False)
        for line, clip in zip(axes, clips, strict=True):
            own = select(rows, clip=clip)
            for axis, (title, metrics) in zip(line, PANELS.items(), strict=True):
                for metric in metrics:
                    dots(axis, select(own, metric=metric), methods)
                floors(axis, own, metrics[0])
                axis.set_xlabel("distance (steps)" if title == "codes" else f"{title}, {judged[clip]}")
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
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
        return figure


def mark(shape: str, label: str, filling: str = "0.4"):
    return Line2D([], [], color="0.4", marker=shape, mfc=filling, ls="", ms=4, label=label)


def dots(axis, rows: list[Row], methods) -> None:
    """One metric of every method; on a logarithmic axis for images, whose errors differ by more."""
    for place, method in enumerate(methods):
        shade = colour(method) or "0.45"
        for row in select(rows, method=method, split="unobserved"):
            scale, regular = SCALES.get(row.metric, 1), row.sampling == "regular"
            look = {"color": shade, "fmt": MARKS[row.metric], "ms": 4 if row.metric != "curve_distance" else 3.2}
            look |= {"mfc": shade if regular else "white", "mew": 0.9, "elinewidth": 0.8, "zorder": 2 + regular}
            at = place + (-0.16 if regular else 0.16)
            axis.errorbar(scale * row.value, at, xerr=scale * (row.std or 0) or None, **look)
    if rows and rows[0].space == "image":
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())


def floors(axis, rows: list[Row], metric: str) -> None:
    """What no path can pass: the span of the observed codes at regular sampling, the images of a clip's own codes."""
    chosen = [row for row in rows if row.metric == metric and row.method in ("nearest in the span", "own codes")]
    for row in chosen:
        if row.sampling in ("", "regular"):
            axis.axvline(SCALES.get(metric, 1) * row.value, color="0.4", linestyle="--", linewidth=0.8, zorder=0)


def variance(planes: dict):
    """Share of a path's variance that its first so many principal components hold, a line for each clip."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(3.25, 2.0))
        for (name, plane), shade in zip(
            planes.items(), plt.rcParams["axes.prop_cycle"].by_key()["color"], strict=False
        ):
            summed = 100 * np.cumsum(plane.share.numpy())[:20]
            axis.plot(range(1, len(summed) + 1), summed, marker="o", ms=2.5, color=shade, label=name)
        for level in (90, 99):
            axis.axhline(level, color=COLOURS["hold"], linewidth=0.7, linestyle=":")
            axis.annotate(
                f"{level} %", (1, level), (0.99, level), ("axes fraction", "data"), ha="right", va="top", fontsize=6.5
            )
        axis.set(xlabel="principal components", ylabel="variance explained (%)", ylim=(None, 101.5))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(loc="lower right")
        return figure
