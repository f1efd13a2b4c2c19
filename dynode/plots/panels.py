"""Errors over time in panels beside each other."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from dynode.plots.style import FULL_WIDTH, ROUNDING, STYLE, colour


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
