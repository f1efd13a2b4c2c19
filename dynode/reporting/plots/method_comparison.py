"""Methods, variants and implementations beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dynode.evaluation.records import Row, select
from dynode.reporting.plots.looks import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, VERMILION, Look, colour, look
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots


def skills(rows: list[Row], methods: Sequence[str]) -> Figure:
    """Skill over linear at unobserved times: a row of dots for each clip, sampling and stride, images beside codes."""
    with house_style():
        rows = [r for r in rows if r.split == "unobserved" and r.metric in ("skill", "skill_latent")]
        keys = list(dict.fromkeys((r.clip, r.sampling, r.stride) for r in rows))
        names = [f"{clip}, {sampling} {stride}" for clip, sampling, stride in keys]
        figure, axes = subplots(1, 2, figsize=(FULL_WIDTH, 0.5 + 0.24 * len(keys)), sharey=True)
        for axis, metric, title in zip(axes, ("skill", "skill_latent"), ("in images", "in codes"), strict=True):
            for k, method in enumerate(methods):
                at = {(r.clip, r.sampling, r.stride): r for r in rows if (r.method, r.metric) == (method, metric)}
                y = [keys.index(key) + min(0.12, 0.8 / len(methods)) * (k - len(methods) / 2 + 0.5) for key in at]
                stds = [r.std or 0 for r in at.values()]
                values = [r.value for r in at.values()]
                axis.errorbar(values, y, xerr=stds, ms=3.5, **look(method).dots, label=method)
            axis.axvline(0, color=colour("linear"), linewidth=0.8)
            axis.set(xlabel=f"skill over linear, {title}", yticks=range(len(keys)), yticklabels=names)
        axes[0].set_ylim(len(keys) - 0.5, -0.5)
        head_legend(figure, *axes[1].get_legend_handles_labels())
        return figure


def categories(
    rows: list[Row], methods: Sequence[str], splits: Sequence[str] = ("unobserved", "extrapolated")
) -> Figure:
    """Image MSE as a multiple of linear's, on a logarithmic scale: a group of dots for each category, a panel a split.

    rows: of one sampling and stride, one for each clip; a dot is a clip, a bar their mean.
    """
    with house_style():
        names = list(dict.fromkeys(r.category for r in rows))
        figure, axes = subplots(1, len(splits), figsize=(FULL_WIDTH, 2.4), sharey=True, squeeze=False)
        for axis, split in zip(axes[0], splits, strict=True):
            chosen = [r for r in rows if (r.split, r.metric) == (split, "mse")]
            unit = {r.clip: r.value for r in chosen if r.method == "linear"}
            for k, method in enumerate(methods):
                ours = [r for r in chosen if r.method == method and unit.get(r.clip)]
                step = min(0.16, 0.8 / len(methods))
                at = [names.index(r.category) + step * (k - len(methods) / 2 + 0.5) for r in ours]
                ratios = [r.value / unit[r.clip] for r in ours]
                axis.plot(at, ratios, ms=3, alpha=0.5, **look(method).dots)
                for x in dict.fromkeys(at):
                    own = [ratio for other, ratio in zip(at, ratios, strict=True) if other == x]
                    axis.plot(x, sum(own) / len(own), "_", ms=9, mew=2, color=colour(method))
            axis.axhline(1, color=colour("linear"), linewidth=0.8)
            axis.set_yscale("log", base=2)
            axis.yaxis.set_major_formatter("{x:g}")
            axis.set(xticks=range(len(names)), xticklabels=names, title=split)
        axes[0, 0].set_ylabel("MSE / MSE of linear")
        marks = [Line2D([], [], ms=3, **look(method).dots) for method in methods]
        head_legend(figure, marks, methods)
        return figure


def baselines(
    rows: list[Row], methods: Sequence[str], metric: str = "skill", limits: tuple[float, float] = (-1.0, 0.6)
) -> Figure:
    """Skill of every method, a panel for each category: a faint dot a clip and sampling, a bar their mean.

    What lies beyond the limits is drawn as a triangle at the edge.
    """
    with house_style():
        rows = [r for r in rows if (r.metric, r.split) == (metric, "unobserved") and r.method in methods]
        names = list(dict.fromkeys(r.category for r in rows))
        size = (FULL_WIDTH, 0.75 + 0.19 * len(methods))
        figure, axes = subplots(1, len(names), figsize=size, sharey=True, squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            for y, method in enumerate(methods):
                values = np.array([r.value for r in select(rows, category=name, method=method)])
                if len(values):
                    clipped_dots(axis, values, y, limits, look(method))
            axis.axvline(0, color=colour("linear"), linewidth=0.8)
            axis.set(title=name, xlim=(limits[0] - 0.05, limits[1] + 0.05), xlabel="skill over linear")
        axes[0, 0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        marks = {"|": "mean", "o": "a clip under one sampling (in its method's mark)", "<": "beyond the axis"}
        handles = [Line2D([], [], color="0.45", marker=mark, linestyle="", label=text) for mark, text in marks.items()]
        head_legend(figure, handles)
        return figure


def clipped_dots(axis: Axes, values: np.ndarray, y: float, limits: tuple[float, float], shown: Look) -> None:
    """Values (n,) as faint dots, triangles at the limits for those beyond, and a bar at their mean."""
    clipped = values.clip(*limits)
    for mark, chosen in ((shown.mark, clipped == values), ("<", values < limits[0]), (">", values > limits[1])):
        axis.plot(clipped[chosen], np.full(chosen.sum(), y), mark, ms=3, alpha=0.45, color=shown.colour)
    axis.plot(values.mean().clip(*limits), y, "|", ms=10, mew=2, color=shown.colour)


CLIP_MARKS = ("o", "s", "D", "^", "v", "P", "X")
CLIP_COLOURS = (BLUE, SKY, GREEN, ORANGE, PINK, VERMILION, BLACK)


def ablations(
    rows: list[Row],
    panels: Mapping[str, Mapping[str, str]],
    clips: Sequence[str],
    metric: str = "skill_latent",
    ylabel: str = "",
    columns: int = 3,
) -> Figure:
    """A panel for each ablation: its variants on x, on y a metric of every clip, mean ± std over seeds.

    panels: ablation -> label -> the `variant` of its rows.  The bar is the mean over clips; their order gives them their
    colours.
    """
    with house_style():
        rows, lines = [r for r in rows if r.metric == metric], -(-len(panels) // columns)
        size = (FULL_WIDTH, 0.3 + 1.9 * lines)
        figure, axes = subplots(lines, min(columns, len(panels)), figsize=size, squeeze=False)
        for axis, (title, variants) in zip(axes.flat, panels.items(), strict=False):
            ablation_panel(axis, rows, variants, clips)
            axis.set_title(title, loc="left")
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel(ylabel)
        marks = [Line2D([], [], ls="", marker=m, color=c) for m, c in zip(CLIP_MARKS, CLIP_COLOURS, strict=True)]
        head_legend(figure, marks[: len(clips)], clips)
        return figure


def ablation_panel(axis: Axes, rows: list[Row], variants: Mapping[str, str], clips: Sequence[str]) -> None:
    """The variants of one ablation side by side, each clip a little further right."""
    measured = [clip for clip in clips if any(r.clip == clip and r.variant in variants.values() for r in rows)]
    for x, variant in enumerate(variants.values()):
        own = {r.clip: r for r in rows if r.variant == variant}
        for k, clip in enumerate(measured):
            at, c = x + 0.14 * (k - (len(measured) - 1) / 2), clips.index(clip)
            style = {"marker": CLIP_MARKS[c % 7], "color": CLIP_COLOURS[c % 7], "ms": 3, "lw": 0.8}
            if clip in own:
                axis.errorbar(at, own[clip].value, yerr=own[clip].std or 0, **style)
        if own:
            mean = sum(r.value for r in own.values()) / len(own)
            axis.plot([x - 0.42, x + 0.42], [mean, mean], color="0.6", lw=0.8, zorder=0)
    axis.axhline(0, color=colour("linear"), linewidth=0.8, zorder=0)
    axis.set(xticks=range(len(variants)), xlim=(-0.6, len(variants) - 0.4))
    crowded = sum(map(len, variants)) > 20
    turned: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axis.set_xticklabels(variants, **turned)


def conditions(
    rows: list[Row],
    panels: Mapping[str, Mapping[str, Mapping[str, str]]],
    metric: str = "skill_latent",
    lowest: float = -1.0,
) -> Figure:
    """A row of panels for each ablation, a panel for each clip: conditions on x, the metric on y, a line for each variant.

    panels: ablation -> label -> condition -> the `variant` of its rows.  What is lower than `lowest` is cut off.
    """
    with house_style():
        rows = [r for r in rows if r.metric == metric]
        named = {v for lines in panels.values() for line in lines.values() for v in line.values()}
        clips = list(dict.fromkeys(r.clip for r in rows if r.variant in named))
        labels = dict.fromkeys(label for lines in panels.values() for label in lines)
        size = (FULL_WIDTH, 0.4 + 1.15 * len(panels))
        figure, axes = subplots(len(panels), len(clips), figsize=size, squeeze=False, sharey="row")
        for line, (title, lines) in zip(axes, panels.items(), strict=True):
            for axis, clip in zip(line, clips, strict=True):
                condition_panel(axis, {r.variant: r for r in rows if r.clip == clip}, lines)
            low, high = line[0].get_ylim()
            line[0].set_ylim(max(low, lowest), high)
            line[0].set_ylabel(title)
        for axis, clip in zip(axes[0], clips, strict=True):
            axis.set_title(clip)
        head_legend(figure, [Line2D([], [], **look(label).curve) for label in labels], labels)
        return figure


def condition_panel(axis: Axes, rows: Mapping[str, Row], lines: Mapping[str, Mapping[str, str]]) -> None:
    """One clip: a line for each label over its conditions; rows by their `variant`."""
    names: list[str] = []
    for label, variants in lines.items():
        names = list(variants)
        means = [rows.get(variant) for variant in variants.values()]
        values, stds = [r.value if r else np.nan for r in means], [(r.std if r else 0) or 0 for r in means]
        axis.errorbar(range(len(means)), values, yerr=stds, **look(label).curve, label=label)
    axis.axhline(0, color=colour("linear"), linewidth=0.8, zorder=0)
    axis.set(xticks=range(len(names)), xticklabels=names, xlim=(-0.3, len(names) - 0.7))


def bench(comparisons: Sequence[Any]) -> Figure:
    """Seconds of ours, of the other implementation and of the floor on a logarithmic scale, a line for each comparison.

    comparisons: of `dynode.experiments.benchmarks`.
    """
    with house_style():
        figure, axis = subplots(figsize=(FULL_WIDTH, 0.7 + 0.42 * len(comparisons)))
        for y, one in enumerate(comparisons):
            axis.plot([one.ours, one.other], [y, y], color="0.8", linewidth=1, zorder=0)
            axis.text(max(one.ours, one.other) * 1.15, y, f"{one.ratio:.1f} x", va="center", fontsize=7)
        lines = range(len(comparisons))
        axis.plot([one.other for one in comparisons], lines, "o", color=colour("hold"), label="other implementation")
        axis.plot([one.ours for one in comparisons], lines, "o", color=colour("dynode"), label="ours")
        floors = [(one.floor, y) for y, one in enumerate(comparisons) if one.floor is not None]
        axis.plot(*zip(*floors, strict=True) if floors else ([], []), "|", ms=10, color="black", label="floor")
        names = [f"{one.name}\nbeside {one.other_name}" for one in comparisons]
        unit = "seconds" if all(one.unit == "s" for one in comparisons) else "seconds, GB of memory"
        axis.set(xscale="log", xlabel=unit, yticks=lines, yticklabels=names)
        axis.set_ylim(len(comparisons) - 0.5, -0.5)
        low, high = axis.get_xlim()
        axis.set_xlim(low, high * (high / low) ** 0.1)  # room for the ratios
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        return figure
