"""Images side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynode.io.images import to_uint8
from dynode.reporting.plots.looks import BLUE, VERMILION, colour
from dynode.reporting.plots.style import FULL_WIDTH, house_style, new_figure, subplots

WIDTH_OF_LETTER = 0.6  # of its height


def fitting(label: str, inches: float) -> float:
    """The largest size of a font, in points, at which the longest line of a label is no longer than that; at most the usual."""
    longest = max(map(len, label.splitlines()), default=1)
    return min(float(rcParams["axes.labelsize"]), 72 * inches / (WIDTH_OF_LETTER * longest))


def image_rows(
    rows: Mapping[str, torch.Tensor],
    ts: torch.Tensor | np.ndarray | Sequence[float | str],
    observed: torch.Tensor | None = None,
    title: str = "",
) -> Figure:
    """A grid of images: one row for each entry of `rows` (T, 3, H, W), a column for each time (seconds) or title.

    observed (T,) bool: observed frames get a solid frame, unobserved ones a dashed one.
    """
    with house_style():
        columns, cell = len(ts), FULL_WIDTH / (len(ts) + 0.6)
        size = (FULL_WIDTH, cell * len(rows) + 0.4)
        figure, axes = subplots(len(rows), columns, figsize=size, squeeze=False)
        letters = min(fitting(label, cell) for label in rows)
        for (label, images), line in zip(rows.items(), axes, strict=True):
            for k, axis in enumerate(line):
                axis.imshow(to_uint8(images[k]), interpolation="antialiased")
                frame_border(axis, None if observed is None else bool(observed[k]))
            line[0].set_ylabel(label, fontsize=letters)
        titles = [each if isinstance(each, str) else f"{float(each):.2f} s" for each in ts]
        letters = min(7.0, *(fitting(each, cell) for each in titles))
        for text, axis in zip(titles, axes[0], strict=True):
            axis.set_title(text, fontsize=letters, pad=3)
        if title:
            figure.suptitle(title, x=0.01, ha="left", wrap=True)
        return figure


def frame_border(axis: Axes, observed: bool | None) -> None:
    """No ticks; a solid border for observed frames, a dashed one for the others, none when it does not apply."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(observed is not None)
        spine.set_color(BLUE if observed else VERMILION)
        spine.set_linewidth(1.6)
        spine.set_linestyle("-" if observed else (0, (2, 1.5)))


def difference(a: torch.Tensor, b: torch.Tensor, gain: float = 4.0) -> torch.Tensor:
    """|a - b| averaged over colours, `gain` times brighter, black for none: an image in [-1, 1]."""
    gap = (a - b).abs().mean(1, keepdim=True) * gain
    return (gap.clamp(0, 2) - 1).expand(-1, 3, -1, -1)


def frame_rates(
    rows: Mapping[str, tuple[torch.Tensor, torch.Tensor]], observed: torch.Tensor, title: str = ""
) -> Figure:
    """The same stretch of time at several frame rates: label -> (times (n,), images (n, 3, H, W)), one row each.

    Every frame stands at its time; frames at one of the `observed` times are framed solid, the others dashed.
    """
    with house_style():
        gap = min((float(torch.as_tensor(ts).diff().min()) for ts, _ in rows.values() if len(ts) > 1), default=1.0)
        begin = min(float(ts[0]) for ts, _ in rows.values())
        end = max(float(ts[-1]) for ts, _ in rows.values())
        left, cell = 0.75, (FULL_WIDTH - 0.75) / ((end - begin) / gap + 1.02)
        tall = len(rows) * (cell + 0.06) + 0.5
        figure = new_figure(figsize=(FULL_WIDTH, tall))
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


def aligned_face(frame: np.ndarray, landmarks: np.ndarray, quad: np.ndarray, crop: torch.Tensor) -> Figure:
    """A frame (H, W, 3) with its landmarks (5, 2) and alignment square (4, 2), beside the crop (3, S, S)."""
    with house_style():
        height, width = frame.shape[:2]
        ratio = {"width_ratios": [width / height, 1]}
        figure, (left, right) = subplots(
            1, 2, figsize=(FULL_WIDTH, FULL_WIDTH / (1 + width / height)), gridspec_kw=ratio
        )
        left.imshow(frame)
        left.plot(*np.vstack([quad, quad[:1]]).T, color=colour("linear"), linewidth=1.5)
        left.plot(*landmarks.T, "o", color=colour("dynode"), markersize=3)
        left.set(xlim=(0, width), ylim=(height, 0), title="frame 0, landmarks and square")
        right.imshow(to_uint8(crop))
        right.set_title("aligned crop")
        for axis in (left, right):
            frame_border(axis, None)
        return figure
