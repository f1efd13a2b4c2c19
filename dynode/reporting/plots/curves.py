"""Numbers over time, frames or iterations."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from dynode.reporting.plots.style import COLOURS, FULL_WIDTH, ROUNDING, STYLE, colour

DWARFED = 100


def error_over_time(
    ts, curves: dict[str, torch.Tensor], observed, ylabel: str, xlabel: str = "time (s)", log: bool | None = None
):
    """One line per method over time; observed times are marked on the axis.  On a log axis rounding errors are not drawn.

    log None: where one method dwarfs another, whose line would lie on the axis.
    """
    log = dwarfed(curves, observed) if log is None else log
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 2.2))
        for name, values in curves.items():
            drawn = np.where(np.asarray(values) > ROUNDING, values, np.nan) if log else values
            axis.plot(ts, drawn, color=colour(name), label=name, marker=".")
        marks = np.asarray(ts)[np.asarray(observed)]
        along = {"transform": axis.get_xaxis_transform(), "clip_on": False}
        axis.plot(marks, np.zeros_like(marks), "|", color="black", markersize=7, label="observed", **along)
        axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
        axis.legend(ncols=len(curves) + 1, loc="lower left", bbox_to_anchor=(0, 1))
        return figure


def dwarfed(curves: dict[str, torch.Tensor], observed) -> bool:
    """Whether the methods' mean errors at unobserved times differ by more than a factor of DWARFED."""
    means = [float(torch.as_tensor(values)[~torch.as_tensor(observed)].nanmean()) for values in curves.values()]
    means = [mean for mean in means if mean > ROUNDING]  # no NaN either, where no time is unobserved
    return bool(means) and max(means) > DWARFED * min(means)


def frame_quality(ts, mse, lpips, bounds: tuple[float, float]):
    """Reconstruction quality of every frame: MSE and LPIPS over time, each with its bound."""
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(FULL_WIDTH, 1.9))
        labels = ("MSE  ([-1, 1], 256 px)", "LPIPS-VGG")
        for axis, values, bound, label in zip(axes, (mse, lpips), bounds, labels, strict=True):
            axis.plot(ts, values, color=COLOURS["dynode"], marker=".")
            axis.axhline(bound, color="#D55E00", linestyle="--", linewidth=0.8)
            axis.annotate(
                "bound on the mean", (float(ts[-1]), bound), va="bottom", ha="right", fontsize=7, color="#D55E00"
            )
            axis.set(xlabel="time (s)", ylabel=label, ylim=(0, None))
        return figure


def memory(frames, megabytes):
    """Peak memory of a process against the number of frames it made."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(3.25, 1.8))
        axis.plot(frames, megabytes, color=COLOURS["dynode"], marker="o")
        axis.set(xlabel="frames rendered", ylabel="peak memory (MB)", xscale="log", ylim=(0, 1.25 * max(megabytes)))
        return figure


def descent(losses: list[float], title: str):
    """A loss over the steps of an optimisation."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(3.25, 1.8))
        axis.plot(range(1, len(losses) + 1), losses, color=COLOURS["dynode"], marker="." if len(losses) < 40 else "")
        axis.set(xlabel="step", ylabel="loss", title=title)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure


def looks(errors: list[float], every: int):
    """The relative error at the observed times, looked at before a fit and every so many iterations."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(3.25, 1.8))
        iterations = np.arange(len(errors)) * every
        axis.plot(iterations, errors, color=COLOURS["dynode"], marker="." if len(errors) < 40 else "")
        axis.set(xlabel="iteration", ylabel="error / variance", title="at observed times", yscale="log")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        return figure


def reach(steps: torch.Tensor, speed: float):
    """Length of each step between neighbouring codes, and how far a field of constant speed gets in that time."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(3.25, 1.9))
        axis.bar(range(1, len(steps) + 1), steps, color=COLOURS["hold"])
        axis.axhline(speed, color=COLOURS["demo"], linewidth=1.2, label="reach of the demo's field")
        axis.legend(loc="upper left")
        axis.set(xlabel="step between codes", ylabel="length")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure


def solver_work(rows, panels: dict[str, str]):
    """The error of solvers over the evaluations of the field they need, a panel for each reading, a line for each solver.

    rows: means over seeds of `nfe` and `solver_error`; panels: title -> what comes before the solver in their variants.
    """
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(FULL_WIDTH, 2.3), sharey=True, squeeze=False)
        shades = dict(
            zip(("euler", "midpoint", "rk4", "dopri5"), ("#E69F00", "#56B4E9", "#009E73", "#0072B2"), strict=True)
        )
        for axis, (title, question) in zip(axes[0], panels.items(), strict=True):
            own = [r for r in rows if r.variant.startswith(f"{question}: ")]
            for solver, shade in shades.items():
                found = {
                    m: [r for r in own if r.metric == m and f": {solver} " in r.variant]
                    for m in ("nfe", "solver_error")
                }
                x, y = ([r.value for r in each] for each in found.values())
                spread = [[r.std or 0 for r in each] for each in found.values()]
                axis.errorbar(x, y, xerr=spread[0], yerr=spread[1], color=shade, marker="o", ms=3, label=solver)
            axis.set(xscale="log", yscale="log", xlabel="evaluations of the field", title=title)
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0, 0].set_ylabel("error / RMS of the states")
        axes[0, -1].legend()
        return figure


def error_panels(ts, panels: dict[str, dict[str, torch.Tensor]], observed, ylabel: str):
    """One line per method over time on logarithmic axes, in panels by their titles; observed times are marked.

    Frames that a method meets exactly, but for rounding, have no place on such an axis and leave gaps.
    """
    with plt.style.context(STYLE):
        size = (FULL_WIDTH, 2.9)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharex=True, sharey=True, squeeze=False)
        for axis, (title, curves) in zip(axes[0], panels.items(), strict=True):
            for name, values in curves.items():
                drawn = np.where(np.asarray(values) > ROUNDING, values, np.nan)
                axis.plot(ts, drawn, color=colour(name), label=name, marker=".")
            marks = np.asarray(ts)[np.asarray(observed)]
            along = {"transform": axis.get_xaxis_transform(), "clip_on": False}
            axis.plot(marks, np.zeros_like(marks), "|", color="black", markersize=7, **along)
            axis.set(xlabel="time (s), observed where marked", yscale="log")
            axis.legend(title=title, alignment="left", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        axes[0, 0].set_ylabel(ylabel)
        return figure
