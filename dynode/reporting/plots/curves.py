"""Numbers over time, frames or iterations."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from dynode.evaluation.records import Row
from dynode.reporting.plots.looks import BLUE, GREEN, ORANGE, SKY, VERMILION, colour, look
from dynode.reporting.plots.style import FULL_WIDTH, ROUNDING, head_legend, house_style, subplots

WIDELY = 100
SHADES = (BLUE, VERMILION, GREEN, ORANGE, SKY)  # of curves that are no method's


def error_over_time(
    ts: torch.Tensor,
    curves: Mapping[str, torch.Tensor],
    observed: torch.Tensor,
    ylabel: str,
    xlabel: str = "time (s)",
    log: bool | None = None,
) -> Figure:
    """One line per method over times (T,); observed times are marked on the axis.  A log axis leaves out rounding errors.

    log None: where errors differ so much that the lower line would lie on the axis.
    """
    log = differ_widely(curves, observed) if log is None else log
    with house_style():
        figure, axis = subplots(figsize=(FULL_WIDTH, 2.2))
        for name, values in curves.items():
            drawn = np.where(np.asarray(values) > ROUNDING, values, np.nan) if log else values
            axis.plot(ts, drawn, **look(name).curve, label=name)
        marks = np.asarray(ts)[np.asarray(observed)]
        along = {"transform": axis.get_xaxis_transform(), "clip_on": False}
        axis.plot(marks, np.zeros_like(marks), "|", color="black", markersize=7, label="observed", **along)
        axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
        head_legend(figure, *axis.get_legend_handles_labels())
        return figure


def differ_widely(curves: Mapping[str, torch.Tensor], observed: torch.Tensor) -> bool:
    """Whether the methods' mean errors at unobserved times differ by more than a factor of WIDELY."""
    means = [float(torch.as_tensor(values)[~torch.as_tensor(observed)].nanmean()) for values in curves.values()]
    means = [mean for mean in means if mean > ROUNDING]  # no NaN either, where no time is unobserved
    return bool(means) and max(means) > WIDELY * min(means)


def frame_quality(ts: torch.Tensor, mse: torch.Tensor, lpips: torch.Tensor, bounds: tuple[float, float]) -> Figure:
    """Reconstruction quality of every frame: MSE and LPIPS over time, each with its bound."""
    with house_style():
        figure, axes = subplots(1, 2, figsize=(FULL_WIDTH, 1.9))
        labels = ("MSE  ([-1, 1], 256 px)", "LPIPS-VGG")
        for axis, values, bound, label in zip(axes, (mse, lpips), bounds, labels, strict=True):
            axis.plot(ts, values, color=colour("dynode"), marker=".")
            axis.axhline(bound, color=VERMILION, linestyle="--", linewidth=0.8)
            axis.annotate(
                "bound on the mean", (float(ts[-1]), bound), va="bottom", ha="right", fontsize=7, color=VERMILION
            )
            axis.set(xlabel="time (s)", ylabel=label, ylim=(0, None))
        return figure


def memory(frames: Sequence[int], megabytes: Sequence[float]) -> Figure:
    """Peak memory of a process against the number of frames it made."""
    with house_style():
        figure, axis = subplots(figsize=(3.25, 1.8))
        axis.plot(frames, megabytes, color=colour("dynode"), marker="o")
        axis.set(xlabel="frames rendered", ylabel="peak memory (MB)", xscale="log", ylim=(0, 1.25 * max(megabytes)))
        return figure


def loss_curves(curves: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Losses over the steps of optimisations, by the name of each."""
    with house_style():
        figure, axis = subplots(figsize=(3.25, 1.8))
        for shade, (name, losses) in zip(SHADES, curves.items(), strict=False):
            steps, mark = range(1, len(losses) + 1), "." if len(losses) < 40 else ""
            axis.plot(steps, losses, color=shade, marker=mark, label=name)
        axis.set(xlabel="step", ylabel="loss", title=title)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(curves) > 1:
            axis.legend(fontsize=7)
        return figure


def training_curve(errors: Sequence[float], every: int) -> Figure:
    """The relative error at the observed times, before a fit and after every `every` iterations."""
    with house_style():
        figure, axis = subplots(figsize=(3.25, 1.8))
        iterations = np.arange(len(errors)) * every
        axis.plot(iterations, errors, color=colour("dynode"), marker="." if len(errors) < 40 else "")
        axis.set(xlabel="iteration", ylabel="error / variance", title="at observed times", yscale="log")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        return figure


def step_lengths(steps: torch.Tensor, speed: float) -> Figure:
    """Length of each step between neighbouring codes, beside the distance that a field of constant speed covers."""
    with house_style():
        figure, axis = subplots(figsize=(3.25, 1.9))
        axis.bar(range(1, len(steps) + 1), steps, color=colour("hold"))
        axis.axhline(speed, color=colour("demo"), linewidth=1.2, label="reach of the demo's field")
        axis.legend(loc="upper left")
        axis.set(xlabel="step between codes", ylabel="length")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure


def solver_work(rows: Sequence[Row], panels: Mapping[str, str]) -> Figure:
    """The error of solvers over their evaluations of the field: a panel for each way of solving, a line for each solver.

    rows: means over seeds of `nfe` and `solver_error`; panels: title -> the part before the solver in their variants.
    """
    with house_style():
        figure, axes = subplots(1, len(panels), figsize=(FULL_WIDTH, 2.3), sharey=True, squeeze=False)
        shades = dict(zip(("euler", "midpoint", "rk4", "dopri5"), (ORANGE, SKY, GREEN, BLUE), strict=True))
        for axis, (title, name) in zip(axes[0], panels.items(), strict=True):
            own = [r for r in rows if r.variant.startswith(f"{name}: ")]
            for solver, shade in shades.items():
                mine = [r for r in own if f": {solver} " in r.variant]
                (x, dx), (y, dy) = (values_and_stds(mine, metric) for metric in ("nfe", "solver_error"))
                axis.errorbar(x, y, xerr=dx, yerr=dy, color=shade, marker="o", ms=3, label=solver)
            axis.set(xscale="log", yscale="log", xlabel="evaluations of the field", title=title)
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0, 0].set_ylabel("error / RMS of the states")
        axes[0, -1].legend()
        return figure


def values_and_stds(rows: Sequence[Row], metric: str) -> tuple[list[float], list[float]]:
    """Values of a metric, and their standard deviations, 0 where there is none."""
    own = [row for row in rows if row.metric == metric]
    return [row.value for row in own], [row.std or 0 for row in own]


def error_panels(
    ts: torch.Tensor, panels: Mapping[str, Mapping[str, torch.Tensor]], observed: torch.Tensor, ylabel: str
) -> Figure:
    """One line per method over time on logarithmic axes, in panels by their titles; observed times are marked.

    Frames that a method interpolates exactly, but for rounding, leave gaps on such an axis.
    """
    with house_style():
        lines = -(-max(map(len, panels.values())) // 2)  # of a legend in two columns
        size = (FULL_WIDTH, max(2.9, 1.5 + 0.16 * lines))
        figure, axes = subplots(1, len(panels), figsize=size, sharex=True, sharey=True, squeeze=False)
        for axis, (title, curves) in zip(axes[0], panels.items(), strict=True):
            for name, values in curves.items():
                drawn = np.where(np.asarray(values) > ROUNDING, values, np.nan)
                axis.plot(ts, drawn, **look(name).curve, label=name)
            marks = np.asarray(ts)[np.asarray(observed)]
            along = {"transform": axis.get_xaxis_transform(), "clip_on": False}
            axis.plot(marks, np.zeros_like(marks), "|", color="black", markersize=7, **along)
            axis.set(xlabel="time (s), observed where marked", yscale="log")
            axis.legend(title=title, alignment="left", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        axes[0, 0].set_ylabel(ylabel)
        return figure
