"""Methods beside each other."""

import matplotlib.pyplot as plt
import numpy as np

from dynode.plots.style import COLOURS, FULL_WIDTH, STYLE, colour


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
        axes[1].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(methods))
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
        size = (FULL_WIDTH, 0.6 + 0.19 * len(methods))
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
        return figure


def bench(found):
    """Seconds of ours, of the other way and of the floor on a logarithmic scale, a line for each comparison."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 0.7 + 0.42 * len(found)))
        for place, one in enumerate(found):
            axis.plot([one.ours, one.other], [place, place], color="0.8", linewidth=1, zorder=0)
            axis.text(one.other * 1.12, place, f"{one.other_name}, {one.ratio:.1f} x", va="center", fontsize=7)
        places = range(len(found))
        axis.plot([one.other for one in found], places, "o", color=COLOURS["hold"], label="the other way")
        axis.plot([one.ours for one in found], places, "o", color=COLOURS["dynode"], label="ours")
        floors = [(one.floor, place) for place, one in enumerate(found) if one.floor is not None]
        axis.plot(*zip(*floors, strict=True) if floors else ([], []), "|", ms=10, color="black", label="floor")
        axis.set(xscale="log", xlabel="seconds", yticks=places, yticklabels=[one.name for one in found])
        axis.set_ylim(len(found) - 0.5, -0.5)
        low, high = axis.get_xlim()
        axis.set_xlim(low, high * (high / low) ** 0.45)  # room for the names of the other ways
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        return figure
