"""The concept figure: a clip as a path in a plane, the paths of methods between its codes, and their frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from dynode.clips import Clip
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.io.images import to_uint8
from dynode.reporting.plots.image_grids import frame_border
from dynode.reporting.plots.looks import DASHED, LOOKS, colour
from dynode.reporting.plots.style import FULL_WIDTH, house_style, new_figure

LETTERS = "abc"
TINT = "#D5E7F3"  # of a band: dynode's blue on white
NAMES = {"linear": "linear (latent morphing)", "cubic": "natural cubic spline", "dynode": "learned path"}
TITLES = {
    "own codes": "own code",
    "linear": "linear",
    "cubic": "spline",
    "dynode": "learned",
    "edited": "learned + edit",
}
LEFT, HEAD, FOOT, GAP, BESIDE = 0.5, 0.56, 0.7, 0.12, 0.16  # inches; beside the edited path stand letters
HEIGHTS = (1.7, 3.5)  # of the views, inches


@dataclass(frozen=True)
class Concept:
    """The content of the figure.

    plane: of the clip's codes, with two axes at least.  paths: method -> codes (S, L, D), densely along the clip.
    band (S, C, 2): the ellipses of an ensemble in the plane, as polygons.
    propagated (S, L, D): the learned path with the edit of the first code added.  edited (T, L, D): every code edited.
    moments: three frames.  at: name of a path, "edited" among them -> its codes (3, L, D) there.
    images: path's name, or another -> (3, 3, R, R).
    """

    clip: Clip
    plane: PrincipalAxes
    paths: dict[str, torch.Tensor]
    band: torch.Tensor
    band_name: str
    propagated: torch.Tensor
    edited: torch.Tensor
    edit_name: str
    moments: tuple[int, int, int]
    at: dict[str, torch.Tensor]
    images: dict[str, torch.Tensor]

    def coordinates(self, ws: torch.Tensor) -> torch.Tensor:
        """Coordinates (..., 3) of codes (..., L, D): on two principal axes, and on what the edit adds to them."""
        offset = self.edited[0] - self.clip.ws[0]
        axes = torch.cat([self.plane.axes[:2], self.plane.residual_axis(offset)])
        return PrincipalAxes.coordinates(ws - self.plane.centre, axes)


def concept(content: Concept) -> Figure:
    """Above, the codes from the front (two principal axes) and from the side (along the axis of the edit), in one scale;
    below, a row of frames for each of three moments, which have the same letters in both."""
    with house_style():
        spans, scale = fitting(*extents(content))
        high, cell = float(spans[1].diff()) * scale, (FULL_WIDTH - LEFT - 0.02) / len(content.images)
        lowest = len(LETTERS) * cell + FOOT
        figure = new_figure(figsize=(FULL_WIDTH, lowest + high + HEAD))
        figure.set_layout_engine("none")
        wide = [float(span.diff()) * scale for span in (spans[0], spans[2])]
        axes = [
            view(figure, left, lowest, each, high) for left, each in ((LEFT, wide[0]), (LEFT + wide[0] + GAP, wide[1]))
        ]
        for axis, span in zip(axes, (spans[0], spans[2]), strict=True):
            axis.set(xlim=span.tolist(), ylim=spans[1].tolist())
        front(axes[0], content)
        side(axes[1], content)
        legend(figure, axes)
        frames(figure, content, cell)
        return figure


def view(figure: Figure, left: float, bottom: float, wide: float, high: float) -> Axes:
    """Axes at a position on the page, in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, wide / across, high / up))


def extents(content: Concept) -> list[torch.Tensor]:
    """The visible span of both principal axes and of the edit's, (2,) each."""
    points = torch.cat(
        [
            content.coordinates(ws)
            for ws in (content.clip.ws, content.edited, content.propagated, *content.paths.values())
        ]
    )
    flat = torch.cat([content.band.flatten(0, 1), points[:, :2]])
    spans = []
    for values in (flat[:, 0], flat[:, 1], points[:, 2]):
        low, high = values.min(), values.max()
        room = 0.06 * max(float(high - low), 1e-6)
        spans.append(torch.stack([low - room, high + room]))
    return spans


def fitting(front: torch.Tensor, height: torch.Tensor, side: torch.Tensor) -> tuple[list[torch.Tensor], float]:
    """Spans (2,) of the front, the height and the side, widened until they fill the page, and inches a unit."""
    room = FULL_WIDTH - LEFT - GAP - BESIDE - 0.04
    scale = min(room / float(front.diff() + side.diff()), HEIGHTS[1] / float(height.diff()))
    spare = room / scale - float(front.diff() + side.diff())
    lack = max(0.0, HEIGHTS[0] / scale - float(height.diff()))
    both = torch.tensor([-0.5, 0.5])
    return [front + spare * both, height + lack * both, side + torch.tensor([0.0, BESIDE / scale])], scale


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One for both views, at the head of the page; what is in both is named once."""
    labelled = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes]
    named = {label: handle for each in labelled for handle, label in each}
    corner = (LEFT / FULL_WIDTH - 0.012, 1)
    tight: dict[str, Any] = {
        "columnspacing": 1.0,
        "handlelength": 1.7,
        "handletextpad": 0.6,
        "borderaxespad": 0.2,
        "fontsize": 6.5,
    }
    figure.legend(named.values(), named, loc="upper left", ncols=3, bbox_to_anchor=corner, **tight)


def front(axis: Axes, content: Concept) -> None:
    """The plane of two principal axes: band, paths, codes, and the three moments on each path."""
    axis.add_collection(
        PolyCollection(list(content.band.numpy()), facecolors=TINT, edgecolors=TINT, label=content.band_name)
    )
    for name, path in content.paths.items():
        axis.plot(*content.coordinates(path)[:, :2].T, color=colour(name), label=NAMES.get(name, name))
    axis.plot(
        *content.coordinates(content.propagated)[:, :2].T, color=colour("edited"), linewidth=0.9, linestyle=DASHED
    )
    codes(axis, content, (0, 1))
    own = content.coordinates(content.clip.ws[list(content.moments)])
    for name, ws in content.at.items():
        points = content.coordinates(ws)
        for k in range(len(LETTERS)) if name != "edited" else ():
            axis.plot(*torch.stack([own[k], points[k]])[:, :2].T, color=colour(name), linewidth=0.6, zorder=2)
        axis.plot(*points[:, :2].T, "o", ms=4.5, color=colour(name), mec="white", mew=0.5, zorder=4)
    every = content.coordinates(content.clip.ws)[:, :2]
    letters(axis, own[:, :2], every.mean(0))
    ends = [f"{float(content.clip.ts[k]):.1f} s" for k in (0, -1)]
    letters(axis, every[[0, -1]], every[[2, -3]], ends, weight="normal", fontsize=6.5, color="0.35")
    percent = [100 * float(value) for value in content.plane.fractions[:2]]
    axis.set(xlabel=f"PC 1 ({percent[0]:.0f} % of the variance)", ylabel=f"PC 2 ({percent[1]:.0f} %)")


def side(axis: Axes, content: Concept) -> None:
    """The same height against the axis of the edit: the learned path, and beside it the path with the edit propagated."""
    axis.plot(*content.coordinates(content.paths["dynode"])[:, [2, 1]].T, color=colour("dynode"))
    axis.plot(
        *content.coordinates(content.propagated)[:, [2, 1]].T, color=colour("edited"), linestyle=DASHED,
        label="first edit propagated",
    )  # fmt: skip
    axis.plot(
        *content.coordinates(content.edited)[:, [2, 1]].T, "s", ms=2.6, mfc="white", mec=colour("edited"), mew=0.6,
        label="every code edited", zorder=3,
    )  # fmt: skip
    codes(axis, content, (2, 1))
    start, end = content.coordinates(torch.stack([content.clip.ws[0], content.edited[0]]))[:, [2, 1]].tolist()
    axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.25", "shrinkA": 4, "shrinkB": 4})
    points = content.coordinates(content.at["edited"])[:, [2, 1]]
    axis.plot(*points.T, "o", ms=4.5, color=colour("edited"), mec="white", mew=0.5, zorder=4)
    letters(axis, points, points - torch.tensor([1.0, 0.0]))
    axis.set(xlabel=f"edit axis\n{content.edit_name}")
    axis.tick_params(labelleft=False)


def codes(axis: Axes, content: Concept, which: tuple[int, int]) -> None:
    """The clip's own codes: filled where observed."""
    points = content.coordinates(content.clip.ws)[:, list(which)]
    observed = content.clip.observed
    axis.plot(*points[~observed].T, "o", ms=3, mfc="white", mec="black", mew=0.5, label="unobserved code", zorder=3)
    axis.plot(*points[observed].T, "o", ms=4, color="black", label="observed code", zorder=5)


def letters(axis: Axes, points: torch.Tensor, away: torch.Tensor, texts: Sequence[str] = LETTERS, **style: Any) -> None:
    """a, b, c, or other texts, beside points (n, 2), on the side away from other points (2,) or (n, 2)."""
    style = {"weight": "bold", "fontsize": 9, "ha": "center", "va": "center", "zorder": 6} | style
    asides = torch.nn.functional.normalize(points - away, dim=1)
    for letter, point, (right, up) in zip(texts, points.tolist(), asides.tolist(), strict=True):
        axis.annotate(letter, point, (10 * right, 10 * up), textcoords="offset points", **style)


def frames(figure: Figure, content: Concept, cell: float) -> None:
    """A row of frames for each moment, a column for each path, its title in the path's colour."""
    tall = figure.get_size_inches()[1]
    for k, (letter, moment) in enumerate(zip(LETTERS, content.moments, strict=True)):
        bottom = (len(LETTERS) - 1 - k) * cell + 0.02
        seconds = f"{float(content.clip.ts[moment]):.2f} s"
        figure.text(0.01, (bottom + 0.58 * cell) / tall, letter, weight="bold", fontsize=10)
        figure.text(0.01, (bottom + 0.36 * cell) / tall, seconds, fontsize=6.5)
        for c, (name, images) in enumerate(content.images.items()):
            axis = view(figure, LEFT + c * cell, bottom, 0.96 * cell, 0.96 * cell)
            axis.imshow(to_uint8(images[k]), interpolation="antialiased")
            frame_border(axis, bool(content.clip.observed[moment]))
            if not k:
                axis.set_title(
                    TITLES.get(name, name), fontsize=7, pad=3, color=colour(name) if name in LOOKS else "black"
                )
