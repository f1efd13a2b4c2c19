"""Methods beside each other."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from dynode.reporting.plots.style import COLOURS, FULL_WIDTH, STYLE, colour


def skills(rows, methods):
    """Skill over linear at unobserved times: a row of dots for each clip, sampling and stride, images beside codes."""
    with plt.style.context(STYLE):
        keys = list(dict.fromkeys((r.clip, r.sampling, r.stride) for r in rows))
        names = [f"{clip}, {sampling} {stride}" for clip, sampling, stride in keys]
        rows = [r for r in rows if r.split == "unobserved"]
        figure, axes = plt.subplots(1, 2, figsize=(FULL_WIDTH, 0.5 + 0.24 * len(keys)), sharey=True)
        for axis, metric, title in zip(axes, ("skill", "skill_latent"), ("in images", "in codes"), strict=True):
            for k, method in enumerate(methods):
                at = {(r.clip, r.sampling, r.stride): r for r in rows if (r.method, r.metric) == (method, metric)}
                places = [keys.index(key) + 0.12 * (k - len(methods) / 2 + 0.5) for key in at]
                spread = [r.std or 0 for r in at.values()]
                values = [r.value for r in at.values()]
                axis.errorbar(values, places, xerr=spread, fmt="o", ms=3.5, color=colour(method), label=method)
            axis.axvline(0, color=COLOURS["linear"], linewidth=0.8)
            axis.set(xlabel=f"skill over linear, {title}", yticks=range(len(keys)), yticklabels=names)
        axes[0].set_ylim(len(keys) - 0.5, -0.5)
        figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=len(methods))
        return figure


def categories(rows, methods, splits=("unobserved", "extrapolated")):
    """Image MSE as a multiple of linear's, on a logarithmic scale: a group of dots for each category, a panel a split.

    rows: of one sampling and stride, one for each clip; a dot is a clip, a bar their mean.
    """
    with plt.style.context(STYLE):
        names = list(dict.fromkeys(r.category for r in rows))
        figure, axes = plt.subplots(1, len(splits), figsize=(FULL_WIDTH, 2.4), sharey=True, squeeze=False)
        for axis, split in zip(axes[0], splits, strict=True):
            chosen = [r for r in rows if (r.split, r.metric) == (split, "mse")]
            unit = {r.clip: r.value for r in chosen if r.method == "linear"}
            for k, method in enumerate(methods):
                ours = [r for r in chosen if r.method == method and unit.get(r.clip)]
                at = [names.index(r.category) + 0.16 * (k - len(methods) / 2 + 0.5) for r in ours]
                ratios = [r.value / unit[r.clip] for r in ours]
                axis.plot(at, ratios, "o", ms=3, alpha=0.5, color=colour(method))
                for place in dict.fromkeys(at):
                    own = [ratio for x, ratio in zip(at, ratios, strict=True) if x == place]
                    label = method if place == at[0] else None
                    axis.plot(place, sum(own) / len(own), "_", ms=9, mew=2, color=colour(method), label=label)
            axis.axhline(1, color=COLOURS["linear"], linewidth=0.8)
            axis.set_yscale("log", base=2)
            axis.yaxis.set_major_formatter("{x:g}")
            axis.set(xticks=range(len(names)), xticklabels=names, title=split)
        axes[0, 0].set_ylabel("MSE / MSE of linear")
        axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
        return figure


def rivals(rows, methods, metric: str = "skill", limits=(-1.0, 0.6)):
    """Skill of every method, a panel for each category: a faint dot a clip and sampling, a bar their mean.

    What lies beyond the limits is drawn as a triangle at the edge.
    """
    with plt.style.context(STYLE):
        rows = [r for r in rows if (r.metric, r.split) == (metric, "unobserved") and r.method in methods]
        names = list(dict.fromkeys(r.category for r in rows))
        size = (FULL_WIDTH, 0.75 + 0.19 * len(methods))
        figure, axes = plt.subplots(1, len(names), figsize=size, sharey=True, squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            for place, method in enumerate(methods):
                values = np.array([r.value for r in rows if (r.category, r.method) == (name, method)])
                if not len(values):
                    continue
                drawn, shade = values.clip(*limits), colour(method) or "0.45"
                for mark, chosen in (("o", drawn == values), ("<", values < limits[0]), (">", values > limits[1])):
                    axis.plot(drawn[chosen], np.full(chosen.sum(), place), mark, ms=3, alpha=0.45, color=shade)
                axis.plot(values.mean().clip(*limits), place, "|", ms=10, mew=2, color=shade)
            axis.axvline(0, color=COLOURS["linear"], linewidth=0.8)
            axis.set(title=name, xlim=(limits[0] - 0.05, limits[1] + 0.05), xlabel="skill over linear")
        axes[0, 0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        marks = {"|": "mean", "o": "a clip under one sampling", "<": "beyond the axis"}
        handles = [Line2D([], [], color="0.45", marker=mark, linestyle="", label=told) for mark, told in marks.items()]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        return figure


CLIP_MARKS = ("o", "s", "D", "^", "v", "P", "X")
CLIP_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#D55E00", "#000000")


def ablations(
    rows, panels: dict[str, dict[str, str]], clips, metric: str = "skill_latent", ylabel: str = "", columns: int = 3
):
    """A panel for each question: its variants on x, on y a metric of every clip, mean ± std over seeds.

    panels: question -> label -> what the rows of that variant say.  The bar is the mean over clips; their order gives
    them their colours.
    """
    with plt.style.context(STYLE):
        rows, lines = [r for r in rows if r.metric == metric], -(-len(panels) // columns)
        size = (FULL_WIDTH, 0.3 + 1.9 * lines)
        figure, axes = plt.subplots(lines, min(columns, len(panels)), figsize=size, squeeze=False)
        for axis, (title, variants) in zip(axes.flat, panels.items(), strict=False):
            ablation_panel(axis, rows, variants, clips)
            axis.set_title(title, loc="left")
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel(ylabel)
        marks = [plt.Line2D([], [], ls="", marker=m, color=c) for m, c in zip(CLIP_MARKS, CLIP_COLOURS, strict=True)]
        figure.legend(marks[: len(clips)], clips, loc="outside upper right", ncols=len(clips))
        return figure


def ablation_panel(axis, rows, variants: dict[str, str], clips) -> None:
    """The variants of one question side by side, each clip a little further right."""
    asked = [clip for clip in clips if any(r.clip == clip and r.variant in variants.values() for r in rows)]
    for place, variant in enumerate(variants.values()):
        found = {r.clip: r for r in rows if r.variant == variant}
        for k, clip in enumerate(asked):
            at, c = place + 0.14 * (k - (len(asked) - 1) / 2), clips.index(clip)
            style = {"marker": CLIP_MARKS[c % 7], "color": CLIP_COLOURS[c % 7], "ms": 3, "lw": 0.8}
            if clip in found:
                axis.errorbar(at, found[clip].value, yerr=found[clip].std or 0, **style)
        if found:
            mean = sum(r.value for r in found.values()) / len(found)
            axis.plot([place - 0.42, place + 0.42], [mean, mean], color="0.6", lw=0.8, zorder=0)
    axis.axhline(0, color=COLOURS["linear"], linewidth=0.8, zorder=0)
    axis.set(xticks=range(len(variants)), xlim=(-0.6, len(variants) - 0.4))
    crowded = sum(map(len, variants)) > 20
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axis.set_xticklabels(variants, **turned)


def observers(rows, panels: dict[str, dict[str, dict[str, str]]], metric: str = "skill_latent", lowest: float = -1.0):
    """A line of panels for each question, a panel for each clip: conditions on x, the metric on y, a line for each way.

    panels: question -> way -> condition -> what the rows of that variant say.  What is lower than `lowest` runs off.
    """
    with plt.style.context(STYLE):
        rows = [r for r in rows if r.metric == metric]
        named = [v for ways in panels.values() for way in ways.values() for v in way.values()]
        clips = list(dict.fromkeys(r.clip for r in rows if r.variant in named))
        every = dict.fromkeys(way for ways in panels.values() for way in ways)
        spare = iter(("#56B4E9", "#009E73", "#CC79A7", "#F0E442"))
        shades = {way: colour(way) or next(spare) for way in every}
        size = (FULL_WIDTH, 0.4 + 1.15 * len(panels))
        figure, axes = plt.subplots(len(panels), len(clips), figsize=size, squeeze=False, sharey="row")
        for line, (title, ways) in zip(axes, panels.items(), strict=True):
            for axis, clip in zip(line, clips, strict=True):
                for way, variants in ways.items():
                    found = {r.variant: r for r in rows if r.clip == clip}
                    told = [found.get(v) for v in variants.values()]
                    values, spread = [r.value if r else np.nan for r in told], [(r.std if r else 0) or 0 for r in told]
                    axis.errorbar(
                        range(len(told)), values, yerr=spread, marker="o", ms=2.5, color=shades[way], label=way
                    )
                axis.axhline(0, color=COLOURS["linear"], linewidth=0.8, zorder=0)
                axis.set(xticks=range(len(variants)), xticklabels=variants, xlim=(-0.3, len(variants) - 0.7))
            low, high = line[0].get_ylim()
            line[0].set_ylim(max(low, lowest), high)
            line[0].set_ylabel(title)
        for axis, clip in zip(axes[0], clips, strict=True):
            axis.set_title(clip)
        lines = [plt.Line2D([], [], marker="o", ms=2.5, color=shade) for shade in shades.values()]
        figure.legend(lines, shades, loc="outside upper center", ncols=len(shades))
        return figure


def bench(found):
    """Seconds of ours, of the other way and of the floor on a logarithmic scale, a line for each comparison."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 0.7 + 0.42 * len(found)))
        for place, one in enumerate(found):
            axis.plot([one.ours, one.other], [place, place], color="0.8", linewidth=1, zorder=0)
            axis.text(max(one.ours, one.other) * 1.15, place, f"{one.ratio:.1f} x", va="center", fontsize=7)
        places = range(len(found))
        axis.plot([one.other for one in found], places, "o", color=COLOURS["hold"], label="the other way")
        axis.plot([one.ours for one in found], places, "o", color=COLOURS["dynode"], label="ours")
        floors = [(one.floor, place) for place, one in enumerate(found) if one.floor is not None]
        axis.plot(*zip(*floors, strict=True) if floors else ([], []), "|", ms=10, color="black", label="floor")
        names = [f"{one.name}\nbeside {one.other_name}" for one in found]
        axis.set(xscale="log", xlabel="seconds", yticks=places, yticklabels=names)
        axis.set_ylim(len(found) - 0.5, -0.5)
        low, high = axis.get_xlim()
        axis.set_xlim(low, high * (high / low) ** 0.1)  # room for the ratios
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        return figure
