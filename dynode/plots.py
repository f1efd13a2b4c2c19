"""Data -> Figure. No files are read or written here; `dynode.report.outputs` saves what these return."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from dynode.images import to_uint8

STYLE = Path(__file__).with_name("dynode.mplstyle")
COLOURS = {  # Okabe-Ito, the same for a method in every figure
    "dynode": "#0072B2",
    "linear": "#E69F00",
    "hold": "#999999",
    "cubic": "#D55E00",
    "pchip": "#56B4E9",
    "slerp": "#F0E442",
    "robust": "#009E73",
    "paper": "#CC79A7",
    "demo": "#000000",
}
FULL_WIDTH = 6.75  # inches
NOTE_INCHES = 0.14
ROUNDING = 1e-9  # errors below are zero but for the arithmetic


def note(figure, text: str) -> None:
    """A small line at the foot of a finished figure, in room made for it."""
    share = NOTE_INCHES / figure.get_size_inches()[1]
    figure.set_size_inches(figure.get_size_inches() * (1, 1 + share))
    share = NOTE_INCHES / figure.get_size_inches()[1]
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
    else:  # the axes were placed by hand: move up what there is
        for axes in figure.axes:
            box = axes.get_position()
            axes.set_position((box.x0, share + box.y0 * (1 - share), box.width, box.height * (1 - share)))
        for told in figure.texts:
            told.set_y(share + told.get_position()[1] * (1 - share))
    figure.text(0.995, 0.2 * share, text, ha="right", va="bottom", fontsize=6, color="0.4")


def colour(method: str) -> str | None:
    """The colour of a method; a shortened run such as demo[1000/20000] keeps its preset's."""
    return COLOURS.get(method.split("[")[0])


def image_rows(rows: dict[str, torch.Tensor], ts, observed=None, title: str = ""):
    """A grid of images: one row for each entry of `rows` (T, 3, H, W), a column for each time (seconds) or title.

    observed (T,) bool: observed frames get a solid frame, unobserved ones a dashed one.
    """
    with plt.style.context(STYLE):
        columns, cell = len(ts), FULL_WIDTH / (len(ts) + 0.6)
        size = (FULL_WIDTH, cell * len(rows) + 0.4)
        figure, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False)
        for (label, images), line in zip(rows.items(), axes, strict=True):
            for k, axis in enumerate(line):
                axis.imshow(to_uint8(images[k]), interpolation="antialiased")
                frame_border(axis, None if observed is None else bool(observed[k]))
            line[0].set_ylabel(label)
        for k, axis in enumerate(axes[0]):
            axis.set_title(ts[k] if isinstance(ts[k], str) else f"{float(ts[k]):.2f} s", fontsize=7, pad=3)
        if title:
            figure.suptitle(title, x=0.01, ha="left")
        return figure


def frame_border(axis, observed: bool | None) -> None:
    """No ticks; a solid border for observed frames, a dashed one for the others, none when it does not apply."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(observed is not None)
        spine.set_color("#0072B2" if observed else "#D55E00")
        spine.set_linewidth(1.6)
        spine.set_linestyle("-" if observed else (0, (2, 1.5)))


def difference(a: torch.Tensor, b: torch.Tensor, gain: float = 4.0) -> torch.Tensor:
    """|a - b| averaged over colours, `gain` times brighter, black for none: an image in [-1, 1]."""
    gap = (a - b).abs().mean(1, keepdim=True) * gain
    return (gap.clamp(0, 2) - 1).expand(-1, 3, -1, -1)


def error_over_time(
    ts, curves: dict[str, torch.Tensor], observed, ylabel: str, xlabel: str = "time (s)", log: bool = False
):
    """One line per method over time; observed times are marked on the axis.  On a log axis rounding errors are not drawn."""
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


def pca_paths(paths: dict[str, torch.Tensor], codes: torch.Tensor, observed):
    """The codes (T, L, D) on their first two principal components, and every path (S, L, D) in the same basis."""
    with plt.style.context(STYLE):
        centre = codes.mean(0)
        flat = (codes - centre).flatten(1)
        _, values, axes = torch.linalg.svd(flat, full_matrices=False)
        share = (values[:2].square() / values.square().sum() * 100).tolist()
        points = flat @ axes[:2].T
        wide, tall = (points.amax(0) - points.amin(0)).clamp(min=1e-6).tolist()
        figure, axis = plt.subplots(figsize=(FULL_WIDTH, 0.7 + min(max(4.9 * tall / wide, 1.4), 4.5)))
        for name, path in paths.items():
            axis.plot(*((path - centre).flatten(1) @ axes[:2].T).T, color=colour(name), label=name)
        axis.plot(*points[~observed].T, "o", mfc="white", mec="black", mew=0.5, label="unobserved code")
        axis.plot(*points[observed].T, "o", color="black", label="observed code")
        axis.set(xlabel=f"PC 1 ({share[0]:.0f} %)", ylabel=f"PC 2 ({share[1]:.0f} %)")
        axis.set_aspect("equal", adjustable="datalim")  # a box of fixed shape would push its labels off the page
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def frame_rates(rows: dict[str, tuple], observed, title: str = ""):
    """The same stretch of time at several frame rates: label -> (times (n,), images (n, 3, H, W)), one row each.

    Every frame stands at its time; frames at one of the `observed` times are framed solid, the others dashed.
    """
    with plt.style.context(STYLE):
        gap = min((float(torch.as_tensor(ts).diff().min()) for ts, _ in rows.values() if len(ts) > 1), default=1.0)
        begin = min(float(ts[0]) for ts, _ in rows.values())
        end = max(float(ts[-1]) for ts, _ in rows.values())
        left, cell = 0.75, (FULL_WIDTH - 0.75) / ((end - begin) / gap + 1.02)
        tall = len(rows) * (cell + 0.06) + 0.5
        figure = plt.figure(figsize=(FULL_WIDTH, tall))
        figure.set_layout_engine("none")
        for r, (label, (ts, images)) in enumerate(rows.items()):
            bottom = tall - 0.22 - (r + 1) * (cell + 0.06)
            figure.text(0.005, (bottom + cell / 2) / tall, label, va="center", fontsize=7)
            for time, image in zip(torch.as_tensor(ts).tolist(), images, strict=True):
                x = left + (time - begin) / gap * cell
                axis = figure.add_axes((x / FULL_WIDTH, bottom / tall, 0.96 * cell / FULL_WIDTH, 0.96 * cell / tall))
                axis.imshow(to_uint8(image), interpolation="antialiased")
                frame_border(axis, bool(np.isclose(np.asarray(observed), time, atol=gap / 10).any()))
                if r == len(rows) - 1:
                    axis.set_xlabel(f"{time - begin:.2f} s", fontsize=6, labelpad=2)
        figure.text(0.005, 1 - 0.03 / tall, title, va="top", fontsize=8)
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


def diagnosis(found):
    """A `Diagnosis` in four panels: reconstruction, norms, steps with cut candidates, step directions."""
    ts = found.clip.ts
    middle = (ts[1:] + ts[:-1]) / 2
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(FULL_WIDTH, 3.6))
        known = ts if found.clip.detected is None else ts[found.clip.detected]
        if found.mse:
            axes[0, 0].plot(known, found.mse, color=COLOURS["dynode"], marker=".")
        axes[0, 0].set(ylabel="MSE to the source", ylim=(0, None))
        axes[0, 1].plot(ts, found.norms, color=COLOURS["dynode"], marker=".")
        axes[0, 1].set(ylabel="|w - mean|", ylim=(0, None))
        axes[1, 0].plot(middle, found.steps, color=COLOURS["dynode"], marker=".")
        for k in found.cuts:
            axes[1, 0].axvline(float(middle[k - 1]), color="#D55E00", linestyle="--", linewidth=0.8)
        axes[1, 0].set(ylabel="step length", xlabel="time (s)", ylim=(0, None))
        steps = found.clip.ws.flatten(1).diff(dim=0)
        cosine = torch.nn.functional.cosine_similarity(steps[:-1], steps[1:], dim=1)
        axes[1, 1].plot(ts[1:-1], cosine, color=COLOURS["dynode"], marker=".")
        axes[1, 1].axhline(0, color="#999999", linewidth=0.6)
        axes[1, 1].set(ylabel="turn (cosine)", xlabel="time (s)", ylim=(-1, 1))
        figure.suptitle(f"{found.clip.name}: jitter {100 * found.jitter:.0f} %, recommended stride {found.stride}")
        return figure


def aligned_face(frame: np.ndarray, landmarks: np.ndarray, quad: np.ndarray, crop: torch.Tensor):
    """A frame (H, W, 3) with its landmarks (5, 2) and alignment square (4, 2), beside the crop (3, S, S)."""
    with plt.style.context(STYLE):
        height, width = frame.shape[:2]
        ratio = {"width_ratios": [width / height, 1]}
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(FULL_WIDTH, FULL_WIDTH / (1 + width / height)), gridspec_kw=ratio
        )
        left.imshow(frame)
        left.plot(*np.vstack([quad, quad[:1]]).T, color=COLOURS["linear"], linewidth=1.5)
        left.plot(*landmarks.T, "o", color=COLOURS["dynode"], markersize=3)
        left.set(xlim=(0, width), ylim=(height, 0), title="frame 0, landmarks and square")
        right.imshow(to_uint8(crop))
        right.set_title("aligned crop")
        for axis in (left, right):
            frame_border(axis, None)
        return figure
