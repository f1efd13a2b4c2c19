"""What a method knows of what it has not seen: bands, their calibration, what arrives late, what a prior has learned."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dynode.evaluation.records import Row
from dynode.metrics.prediction_bands import LEVELS, PredictionBand
from dynode.reporting.plots.style import FULL_WIDTH, STYLE, colour


def fans(found: dict[str, PredictionBand], dense, ts, codes: torch.Tensor, observed, axes: int = 3):
    """Bands of every method at times dense (S,) on the first axes, beside the codes' own coordinates (T, K) at ts (T,).

    A column for each method, a row for each axis; dark: the band of the smaller share, light: that of the larger one.
    Straight lines between the observed codes are taken off: at the scale of the motion one would see no band.
    """
    with plt.style.context(STYLE):
        axes = min(axes, codes.shape[1])
        size = (FULL_WIDTH, 0.7 + 1.15 * axes)
        figure, grid = plt.subplots(axes, len(found), figsize=size, sharex=True, sharey="row", squeeze=False)
        for line, (name, fan) in zip(grid.T, found.items(), strict=True):
            shade = of(name)
            for k, axis in enumerate(line):
                lines, own = (np.interp(t, ts[observed], codes[observed, k]) for t in (dense, ts))
                for share, alpha in zip(reversed(LEVELS), (0.2, 0.35), strict=True):
                    low, high = fan.band(share)
                    axis.fill_between(dense, low[:, k] - lines, high[:, k] - lines, color=shade, alpha=alpha, lw=0)
                axis.plot(dense, fan.centre[:, k] - lines, color=shade, linewidth=1)
                for shown, face in ((~observed, "white"), (observed, "black")):
                    left = (codes[:, k] - own)[shown]
                    axis.plot(ts[shown], left, "o", ms=2.4, mfc=face, mec="black", mew=0.5)
            line[0].set_title(name)
            line[-1].set_xlabel("time (s)")
        for k, axis in enumerate(grid[:, 0]):
            axis.set_ylabel(f"PC {k + 1} - lines")
        shades = zip(LEVELS, ("0.6", "0.8"), strict=True)  # of the bands in grey: a light one lies under a dark one
        marks = [Patch(color=shade, lw=0, label=f"{share:.0%} band") for share, shade in shades]
        marks += [dot("o", "black", "observed"), dot("o", "white", "hidden")]
        figure.legend(handles=marks, loc="outside upper right", ncols=len(marks))
        return figure


def of(name: str) -> str:
    """The colour of a method that a name begins with."""
    return colour(name.split(",")[0]) or "0.45"


def coverage(rows: list[Row]):
    """Share of hidden codes inside each band, a panel for each nominal share: a dot a clip and group of axes.

    rows: metric "coverage", split "unobserved", variant "SHARE, GROUP".
    """
    with plt.style.context(STYLE):
        methods, groups = ordered(r.method for r in rows), ordered(r.variant.split(", ")[1] for r in rows)
        size = (FULL_WIDTH, 0.9 + 0.3 * len(methods))
        figure, axes = plt.subplots(1, len(LEVELS), figsize=size, sharey=True)
        for axis, share in zip(axes, LEVELS, strict=True):
            axis.axvline(share, color="black", linewidth=0.8)
            for place, method in enumerate(methods):
                for k, (group, shape) in enumerate(zip(groups, ("o", "D", "s"), strict=False)):
                    values = [r.value for r in rows if (r.method, r.variant) == (method, f"{share:g}, {group}")]
                    y = np.full(len(values), place + 0.22 * (k - (len(groups) - 1) / 2))
                    filled = {"mfc": of(method) if k == 0 else "white", "mec": of(method)}
                    axis.plot(values, y, shape, ms=4, **filled)
            axis.set(xlim=(-0.03, 1.03), xlabel=f"hidden codes inside the {share:.0%} band")
        axes[0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        marks = [
            dot(shape, "0.3" if k == 0 else "white", group)
            for k, (group, shape) in enumerate(zip(groups, "oDs", strict=False))
        ]
        figure.legend(handles=marks, loc="outside upper right", ncols=len(groups))
        return figure


def dot(shape: str, face: str, label: str) -> Line2D:
    """A mark for a legend."""
    return Line2D([], [], ls="", marker=shape, ms=4, mfc=face, mec="0.3", label=label)


PANELS = {"latent_mse": ("MSE in codes", 1), "mse": ("MSE x 1e3", 1e3), "lpips_alex": ("LPIPS-Alex", 1)}


def arrivals(rows: list[Row], methods):
    """Errors of what was foretold without (open) and with (filled) the observation that came last, a line for each clip.

    rows: of the metrics of PANELS, variant "before" or "after", means over arrivals.
    """
    with plt.style.context(STYLE):
        clips = ordered(r.clip for r in rows)
        at = {(r.clip, r.metric, r.method, r.variant): r.value for r in rows}
        size = (FULL_WIDTH, 0.55 + len(clips) * (0.45 + 0.17 * len(methods)))
        figure, grid = plt.subplots(len(clips), len(PANELS), figsize=size, sharey=True, squeeze=False)
        for line, clip in zip(grid, clips, strict=True):
            for axis, (metric, (title, scale)) in zip(line, PANELS.items(), strict=True):
                for place, method in enumerate(methods):
                    before, after = (scale * at[clip, metric, method, moment] for moment in ("before", "after"))
                    shade = colour(method) or "0.45"
                    axis.plot([before, after], [place, place], color=shade, linewidth=1)
                    axis.plot(before, place, "o", ms=4, mfc="white", mec=shade)
                    axis.plot(after, place, "o", ms=4, color=shade)
                axis.set_xlim(0, None)
                axis.set_title(title if clip == clips[0] else "")
            line[0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5), ylabel=clip)
        faces = {"before the observation came": "white", "after": "0.3"}
        marks = [dot("o", face, label) for label, face in faces.items()]
        figure.legend(handles=marks, loc="outside upper right", ncols=2)
        return figure


def ordered(values) -> list:
    return list(dict.fromkeys(values))


WORDS = ("motion", "drift", "jitter")


def kernels(found: dict[str, list], seconds: float = 1.0):
    """What priors have learned, a colour for each category: how motion and drift forget over time, and their shares.

    found: category -> kernels of `dynode.dynamics.baselines.motion_prior`, one for each clip that was left out.
    """
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(FULL_WIDTH, 2.1), width_ratios=(3, 2))
        shades, d = ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), torch.linspace(0, seconds, 200, dtype=torch.float64)
        for place, (category, each) in enumerate(found.items()):
            for k, kernel in enumerate(each):
                motion, drift = kernel.fading(d)
                axes[0].plot(d, motion, color=shades[place % 4], linewidth=1)
                axes[0].plot(d, drift, color=shades[place % 4], linewidth=0.8, ls=(0, (3, 2)))
                x = np.arange(3) + 0.16 * (place - (len(found) - 1) / 2)
                label = category if k == 0 else None
                axes[1].plot(x, kernel.shares, "o", ms=4, color=shades[place % 4], label=label)
        axes[0].set(xlabel="seconds apart", ylabel="correlation", ylim=(0, 1.02), xlim=(0, seconds))
        axes[0].set_title("solid: motion, dashed: drift")
        axes[1].legend(loc="upper right")
        axes[1].set(xticks=range(3), xticklabels=WORDS, ylabel="share of the variance", ylim=(-0.03, 1.03))
        return figure
