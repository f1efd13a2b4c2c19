"""Predictive uncertainty: prediction bands, their calibration, online updates, kernels of learned priors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dynode.dynamics.baselines.motion_prior import Kernel
from dynode.evaluation.records import Row
from dynode.metrics import METRICS
from dynode.metrics.prediction_bands import LEVELS, PredictionBand
from dynode.reporting.plots.looks import BLUE, GREEN, ORANGE, PINK, colour
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots

T = TypeVar("T")


def prediction_bands(
    bands: Mapping[str, PredictionBand],
    dense: torch.Tensor,
    ts: torch.Tensor,
    codes: torch.Tensor,
    observed: torch.Tensor,
    axes: int = 3,
) -> Figure:
    """Bands of every method at times dense (S,) on the first axes, beside the codes' own coordinates (T, K) at ts (T,).

    A column for each method, a row for each axis; dark: the band of the lower level, light: that of the higher one.
    Linear interpolation of the observed codes is subtracted: at the scale of the motion no band would be visible.
    """
    with house_style():
        axes = min(axes, codes.shape[1])
        size = (FULL_WIDTH, 0.7 + 1.15 * axes)
        figure, grid = subplots(axes, len(bands), figsize=size, sharex=True, sharey="row", squeeze=False)
        for column, (name, band) in zip(grid.T, bands.items(), strict=True):
            for k, axis in enumerate(column):
                one_axis(axis, band, k, dense, ts, codes, observed, shade_of(name))
            column[0].set_title(name)
            column[-1].set_xlabel("time (s)")
        for k, axis in enumerate(grid[:, 0]):
            axis.set_ylabel(f"PC {k + 1} - linear")
        shades = zip(LEVELS, ("0.6", "0.8"), strict=True)  # of the bands in grey: a light one lies under a dark one
        marks: list[Any] = [Patch(color=shade, lw=0, label=f"{level:.0%} band") for level, shade in shades]
        marks += [dot("o", "black", "observed"), dot("o", "white", "unobserved")]
        head_legend(figure, marks)
        return figure


def one_axis(
    axis: Axes,
    band: PredictionBand,
    k: int,
    dense: torch.Tensor,
    ts: torch.Tensor,
    codes: torch.Tensor,
    observed: torch.Tensor,
    shade: str,
) -> None:
    """The bands of one method on the k-th principal axis, and the codes, both relative to linear interpolation."""
    linear, own = (np.interp(t, ts[observed], codes[observed, k]) for t in (dense, ts))
    for level, alpha in zip(reversed(LEVELS), (0.2, 0.35), strict=True):
        low, high = band.band(level)
        axis.fill_between(dense, low[:, k] - linear, high[:, k] - linear, color=shade, alpha=alpha, lw=0)
    axis.plot(dense, band.centre[:, k] - linear, color=shade, linewidth=1)
    for frames, face in ((~observed, "white"), (observed, "black")):
        left = (codes[:, k] - own)[frames]
        axis.plot(ts[frames], left, "o", ms=2.4, mfc=face, mec="black", mew=0.5)


def shade_of(name: str) -> str:
    """The colour of a method that a name begins with."""
    return colour(name.split(",")[0])


def coverage(rows: list[Row]) -> Figure:
    """Fraction of unobserved codes inside each band, a panel for each level: a dot for each clip and group of axes.

    rows: metric "coverage", split "unobserved", variant "LEVEL, GROUP".
    """
    with house_style():
        methods, groups = ordered(r.method for r in rows), ordered(r.variant.split(", ")[1] for r in rows)
        size = (FULL_WIDTH, 0.9 + 0.3 * len(methods))
        figure, axes = subplots(1, len(LEVELS), figsize=size, sharey=True)
        for axis, level in zip(axes, LEVELS, strict=True):
            axis.axvline(level, color="black", linewidth=0.8)
            for line, method in enumerate(methods):
                for k, (group, shape) in enumerate(zip(groups, ("o", "D", "s"), strict=False)):
                    values = [r.value for r in rows if (r.method, r.variant) == (method, f"{level:g}, {group}")]
                    y = np.full(len(values), line + 0.22 * (k - (len(groups) - 1) / 2))
                    filled = {"mfc": shade_of(method) if k == 0 else "white", "mec": shade_of(method)}
                    axis.plot(values, y, shape, ms=4, **filled)
            axis.set(xlim=(-0.03, 1.03), xlabel=f"unobserved codes inside the {level:.0%} band")
        axes[0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        marks = [
            dot(shape, "0.3" if k == 0 else "white", group)
            for k, (group, shape) in enumerate(zip(groups, "oDs", strict=False))
        ]
        head_legend(figure, marks)
        return figure


def dot(shape: str, face: str, label: str) -> Line2D:
    """A mark for a legend."""
    return Line2D([], [], ls="", marker=shape, ms=4, mfc=face, mec="0.3", label=label)


PANELS = ("latent_mse", "mse", "lpips_alex")


def online_updates(rows: list[Row], methods: Sequence[str]) -> Figure:
    """Errors of forecasts before (open) and after (filled) the last observation is assimilated, a row for each clip.

    rows: of the metrics of PANELS, variant "before" or "after", means over new observations.
    """
    with house_style():
        clips = ordered(r.clip for r in rows)
        at = {(r.clip, r.metric, r.method, r.variant): r.value for r in rows}
        size = (FULL_WIDTH, 0.55 + len(clips) * (0.45 + 0.17 * len(methods)))
        figure, grid = subplots(len(clips), len(PANELS), figsize=size, sharey=True, squeeze=False)
        for line, clip in zip(grid, clips, strict=True):
            for axis, name in zip(line, PANELS, strict=True):
                for y, method in enumerate(methods):
                    scale, shade = METRICS[name].scale, colour(method)
                    before, after = (scale * at[clip, name, method, moment] for moment in ("before", "after"))
                    axis.plot([before, after], [y, y], color=shade, linewidth=1)
                    axis.plot(before, y, "o", ms=4, mfc="white", mec=shade)
                    axis.plot(after, y, "o", ms=4, color=shade)
                axis.set_xlim(0, None)
                axis.set_title(METRICS[name].heading() if clip == clips[0] else "")
            line[0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5), ylabel=clip)
        faces = {"before the new observation": "white", "after": "0.3"}
        marks = [dot("o", face, label) for label, face in faces.items()]
        head_legend(figure, marks)
        return figure


def ordered(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of its first appearance."""
    return list(dict.fromkeys(values))


KERNEL_PARTS = ("motion", "drift", "jitter")


def prior_kernels(kernels: Mapping[str, Sequence[Kernel]], seconds: float = 1.0) -> Figure:
    """Learned motion priors, a colour for each category: correlation of motion and drift over time, parts of the variance.

    kernels: category -> those of each held-out clip.
    """
    with house_style():
        figure, axes = subplots(1, 2, figsize=(FULL_WIDTH, 2.1), width_ratios=(3, 2))
        shades, d = (BLUE, ORANGE, GREEN, PINK), torch.linspace(0, seconds, 200, dtype=torch.float64)
        for c, (category, each) in enumerate(kernels.items()):
            for k, kernel in enumerate(each):
                motion, drift = kernel.correlations(d)
                axes[0].plot(d, motion, color=shades[c % 4], linewidth=1)
                axes[0].plot(d, drift, color=shades[c % 4], linewidth=0.8, ls=(0, (3, 2)))
                x = np.arange(3) + 0.16 * (c - (len(kernels) - 1) / 2)
                label = category if k == 0 else None
                axes[1].plot(x, kernel.fractions, "o", ms=4, color=shades[c % 4], label=label)
        axes[0].set(xlabel="seconds apart", ylabel="correlation", ylim=(0, 1.02), xlim=(0, seconds))
        axes[0].set_title("solid: motion, dashed: drift")
        axes[1].legend(loc="upper right")
        axes[1].set(xticks=range(3), xticklabels=KERNEL_PARTS, ylabel="fraction of the variance", ylim=(-0.03, 1.03))
        return figure
