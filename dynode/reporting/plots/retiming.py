"""Reuse of a motion: retimed, looped, solved backward, compressed."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dynode.evaluation.records import Row
from dynode.metrics import METRICS
from dynode.reporting.plots.looks import BLACK, DASHED, DOTTED, GREEN, VERMILION, colour
from dynode.reporting.plots.style import FULL_WIDTH, ROUNDING, house_style, subplots

DASHES = ("-", DASHED, DOTTED)


def retimed(
    paths: Mapping[str, tuple[torch.Tensor, torch.Tensor, float]], ylabel: str = "PC 1", columns: int = 3
) -> Figure:
    """A panel for each name: values (T,) over times (T,), all in the same limits; a dashed line where it repeats.

    paths: name -> (times, values, period in seconds or 0).
    """
    with house_style():
        rows = -(-len(paths) // columns)
        figure, grid = subplots(rows, columns, figsize=(FULL_WIDTH, 0.3 + 1.25 * rows), sharey=True, squeeze=False)
        for axis, (name, (ts, values, period)) in zip(grid.flat, paths.items(), strict=False):
            axis.plot(ts, values, color=colour("dynode"))
            turns = np.arange(float(ts[0]) + period, float(ts[-1]) - 1e-9, period) if period else []
            for turn in turns:
                axis.axvline(turn, color=VERMILION, ls=(0, (2, 1.5)), linewidth=0.8)
            axis.set_title(name)
            axis.xaxis.set_major_locator(MaxNLocator(5))
        for axis in grid.flat[len(paths) :]:
            axis.set_visible(False)
        for line in grid:
            line[0].set_ylabel(ylabel)
        for axis in grid[-1]:
            axis.set_xlabel("time (s)")
        return figure


def backward_gap(ts: torch.Tensor, gaps: Mapping[str, torch.Tensor]) -> Figure:
    """Distance over times (T,) of the path solved backward from that solved forward, on a log axis; names begin with the method."""
    with house_style():
        figure, axis = subplots(figsize=(FULL_WIDTH, 2.2))
        clips = list(dict.fromkeys(name.split(", ")[1] for name in gaps))
        for name, values in gaps.items():
            method, clip = name.split(", ")
            style = DASHES[clips.index(clip) % 3]
            shade = colour(method)
            axis.plot(ts, np.clip(values, 1e-6, None), color=shade, ls=style, label=name)
        axis.axhline(1, color="0.6", linewidth=0.6)
        axis.set(yscale="log", xlabel="time (s)", ylabel="gap (mean steps)", ylim=(1e-6, None))
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def over_time(ts: torch.Tensor, curves: Mapping[str, torch.Tensor | np.ndarray], ylabel: str) -> Figure:
    """One line for each name over times (T,)."""
    with house_style():
        figure, axis = subplots(figsize=(FULL_WIDTH, 1.9))
        for (name, values), style in zip(curves.items(), cycle(DASHES), strict=False):
            axis.plot(ts, values, ls=style, marker=".", label=name)
        axis.set(xlabel="time (s)", ylabel=ylabel)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


SHADES = {"observed codes": colour("linear"), "codes": BLACK, "components": GREEN}
SHADES |= {"dynode": colour("dynode"), "exact": colour("exact"), "video": "0.55"}


def compression(rows: list[Row]) -> Figure:
    """Image error against the bytes stored, a panel for each clip; open: 32-bit numbers, filled: 16-bit ones or a file.

    rows: metrics "bytes" and "mse" of every method and variant.  An error of 0 is a triangle at the lower edge.
    """
    with house_style():
        clips, methods = (list(dict.fromkeys(getattr(r, field) for r in rows)) for field in ("clip", "method"))
        at = {(r.clip, r.metric, r.method, r.variant): r.value for r in rows}
        mse = METRICS["mse"]
        lowest = min((v for key, v in at.items() if key[1] == "mse" and v > ROUNDING), default=1.0) / 3
        figure, axes = subplots(1, len(clips), figsize=(FULL_WIDTH, 2.6), sharey=True, squeeze=False)
        for axis, clip in zip(axes[0], clips, strict=True):
            for method in methods:
                for variant in ("float32", "float16", "file"):
                    if (clip, "bytes", method, variant) in at:
                        size, error = (at[clip, metric, method, variant] for metric in ("bytes", "mse"))
                        mark = "s" if variant == "file" else "o" if error > ROUNDING else "v"
                        y = mse.scale * (error if error > ROUNDING else lowest)
                        stored(axis, size / 1e3, y, mark, method, filled=variant != "float32")
            axis.set(xscale="log", yscale="log", title=clip, xlabel="kB stored")
        axes[0, 0].set_ylabel(mse.heading())
        marks = [Line2D([], [], ls="", marker="o", ms=4.5, color=shade, label=name) for name, shade in SHADES.items()]
        axes[0, -1].legend(handles=marks, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def stored(axis: Axes, kilobytes: float, error: float, mark: str, method: str, filled: bool) -> None:
    """One representation: its size, its error, the colour of its kind."""
    shade = next(shade for name, shade in SHADES.items() if name in method)
    axis.plot(kilobytes, error, mark, ms=4.5, mfc=shade if filled else "white", mec=shade, color=shade)
