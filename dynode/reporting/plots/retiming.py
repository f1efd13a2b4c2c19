"""A motion that is used again: on other clocks, in loops, in few bytes."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dynode.evaluation.records import Row
from dynode.reporting.plots.style import COLOURS, FULL_WIDTH, ROUNDING, STYLE, colour

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def tracks(found: dict[str, tuple], ylabel: str = "PC 1", columns: int = 3):
    """A panel for each name: values (T,) over times (T,), both at once in the same limits; a dotted line where it repeats.

    found: name -> (times, values, period in seconds or 0).
    """
    with plt.style.context(STYLE):
        rows = -(-len(found) // columns)
        figure, grid = plt.subplots(rows, columns, figsize=(FULL_WIDTH, 0.3 + 1.25 * rows), sharey=True, squeeze=False)
        for axis, (name, (ts, values, period)) in zip(grid.flat, found.items(), strict=False):
            axis.plot(ts, values, color=COLOURS["dynode"])
            turns = np.arange(ts[0] + period, ts[-1] - 1e-9, period) if period else []
            for turn in turns:
                axis.axvline(turn, color="#D55E00", ls=(0, (2, 1.5)), linewidth=0.8)
            axis.set_title(name)
            axis.xaxis.set_major_locator(MaxNLocator(5))
        for axis in grid.flat[len(found) :]:
            axis.set_visible(False)
        for line in grid:
            line[0].set_ylabel(ylabel)
        for axis in grid[-1]:
            axis.set_xlabel("time (s)")
        return figure


def way_back(ts, gaps: dict[str, np.ndarray]):
    """Distances over times (T,) of what was solved backward, on a log axis; names begin with the method."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 2.2))
        clips = list(dict.fromkeys(name.split(", ")[1] for name in gaps))
        for name, values in gaps.items():
            method, clip = name.split(", ")
            style = DASHES[clips.index(clip) % 3]
            shade = colour(method) or "#D55E00"
            axis.plot(ts, np.clip(values, 1e-6, None), color=shade, ls=style, label=name)
        axis.axhline(1, color="0.6", linewidth=0.6)
        axis.set(yscale="log", xlabel="time (s)", ylabel="gap (mean steps)", ylim=(1e-6, None))
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def over_time(ts, curves: dict[str, np.ndarray], ylabel: str):
    """One line for each name over times (T,)."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 1.9))
        for (name, values), style in zip(curves.items(), cycle(DASHES), strict=False):
            axis.plot(ts, values, ls=style, marker=".", label=name)
        axis.set(xlabel="time (s)", ylabel=ylabel)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


SHADES = {"observed codes": COLOURS["linear"], "codes": "#000000", "components": "#009E73"}
SHADES |= {"dynode": COLOURS["dynode"], "exact": "#CC79A7", "video": "0.55"}


def sizes(rows: list[Row]):
    """Image error against the bytes kept, a panel for each clip; open: 32-bit numbers, filled: 16-bit ones or a file.

    rows: metrics "bytes" and "mse" of every method and variant.  What makes no error is a triangle at the lower edge.
    """
    with plt.style.context(STYLE):
        clips, methods = (list(dict.fromkeys(getattr(r, field) for r in rows)) for field in ("clip", "method"))
        at = {(r.clip, r.metric, r.method, r.variant): r.value for r in rows}
        errors = [1e3 * value for key, value in at.items() if key[1] == "mse" and value > ROUNDING]
        figure, axes = plt.subplots(1, len(clips), figsize=(FULL_WIDTH, 2.6), sharey=True, squeeze=False)
        for axis, clip in zip(axes[0], clips, strict=True):
            for method in methods:
                shade = next(shade for name, shade in SHADES.items() if name in method)
                for variant, face in (("float32", "white"), ("float16", shade), ("file", shade)):
                    if (clip, "bytes", method, variant) in at:
                        x, error = (at[clip, metric, method, variant] for metric in ("bytes", "mse"))
                        y, mark = (1e3 * error, "o") if error > ROUNDING else (min(errors) / 3, "v")
                        shape = {"ms": 4.5, "mfc": face, "mec": shade, "color": shade}
                        axis.plot(x / 1e3, y, "s" if variant == "file" else mark, **shape)
            axis.set(xscale="log", yscale="log", title=clip, xlabel="kB kept")
        axes[0, 0].set_ylabel("MSE x 1e3")
        marks = [Line2D([], [], ls="", marker="o", ms=4.5, color=shade, label=name) for name, shade in SHADES.items()]
        axes[0, -1].legend(handles=marks, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure
