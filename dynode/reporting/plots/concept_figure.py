"""The concept figure: a clip as a path in a plane, what methods draw between its codes, and what that looks like."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.collections import PolyCollection

from dynode.clips import Clip
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.io.images import to_uint8
from dynode.reporting.plots.image_grids import frame_border
from dynode.reporting.plots.style import COLOURS, FULL_WIDTH, STYLE

LETTERS = "abc"
TINT = "#D5E7F3"  # of a band: dynode's blue on white
NAMES = {"linear": "chords (latent morphing)", "cubic": "natural cubic spline", "dynode": "learned path"}
TITLES = {
    "own codes": "own code",
    "linear": "chord",
    "cubic": "spline",
    "dynode": "learned",
    "edited": "learned + edit",
}
LEFT, HEAD, FOOT, GAP, BESIDE = 0.5, 0.56, 0.7, 0.12, 0.16  # inches; beside the edited path stand letters
HEIGHTS = (1.7, 3.5)  # of the views, inches
DASHES = (0, (4, 1.5))


@dataclass(frozen=True)
class Concept:
    """What the figure shows.

    plane: of the clip's codes, with two axes at least.  paths: method -> codes (S, L, D), densely along the clip.
    band (S, C, 2): the ellipses of an ensemble in the plane, as polygons.
    carried (S, L, D): the learned path with the edit of the first code added.  edited (T, L, D): every code edited.
    moments: three frames.  at: name of a path, "edited" among them -> its codes (3, L, D) there.
    images: path's name, or another -> (3, 3, R, R).
    """

    clip: Clip
    plane: PrincipalAxes
    paths: dict[str, torch.Tensor]
    band: torch.Tensor
    band_name: str
    carried: torch.Tensor
    edited: torch.Tensor
    edit_name: str
    moments: tuple[int, int, int]
    at: dict[str, torch.Tensor]
    images: dict[str, torch.Tensor]

    def seen(self, ws: torch.Tensor) -> torch.Tensor:
        """Coordinates (..., 3) of codes (..., L, D): on two principal axes, and on what the edit adds to them."""
        offset = self.edited[0] - self.clip.ws[0]
        axes = torch.cat([self.plane.axes[:2], self.plane.beside(offset)])
        return PrincipalAxes.along(ws - self.plane.centre, axes)


def concept(shown: Concept):
    """Above, the codes from the front (two principal axes) and from the side (along the axis of the edit), in one scale;
    below, a row of frames for each of three moments, which carry their letters in both."""
    with plt.style.context(STYLE):
        spans, scale = fitting(*extents(shown))
        high, cell = float(spans[1].diff()) * scale, (FULL_WIDTH - LEFT - 0.02) / len(shown.images)
        lowest = len(LETTERS) * cell + FOOT
        figure = plt.figure(figsize=(FULL_WIDTH, lowest + high + HEAD))
        figure.set_layout_engine("none")
        wide = [float(span.diff()) * scale for span in (spans[0], spans[2])]
        axes = [
            view(figure, place, lowest, each, high)
            for place, each in ((LEFT, wide[0]), (LEFT + wide[0] + GAP, wide[1]))
        ]
        for axis, span in zip(axes, (spans[0], spans[2]), strict=True):
            axis.set(xlim=span.tolist(), ylim=spans[1].tolist())
        front(axes[0], shown)
        side(axes[1], shown)
        legend(figure, axes)
        frames(figure, shown, cell)
        return figure


def view(figure, left: float, bottom: float, wide: float, high: float):
    """Axes at a place of the page, in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, wide / across, high / up))


def extents(shown: Concept) -> list[torch.Tensor]:
    """What is to be seen of both principal axes and of the edit's, (2,) each."""
    points = torch.cat([shown.seen(ws) for ws in (shown.clip.ws, shown.edited, shown.carried, *shown.paths.values())])
    flat = torch.cat([shown.band.flatten(0, 1), points[:, :2]])
    found = []
    for values in (flat[:, 0], flat[:, 1], points[:, 2]):
        low, high = values.min(), values.max()
        room = 0.06 * max(float(high - low), 1e-6)
        found.append(torch.stack([low - room, high + room]))
    return found


def fitting(front, height, side) -> tuple[list[torch.Tensor], float]:
    """Spans (2,) of the front, the height and the side, widened until they fill the page, and inches a unit."""
    room = FULL_WIDTH - LEFT - GAP - BESIDE - 0.04
    scale = min(room / float(front.diff() + side.diff()), HEIGHTS[1] / float(height.diff()))
    spare = room / scale - float(front.diff() + side.diff())
    lack = max(0.0, HEIGHTS[0] / scale - float(height.diff()))
    both = torch.tensor([-0.5, 0.5])
    return [front + spare * both, height + lack * both, side + torch.tensor([0.0, BESIDE / scale])], scale


def legend(figure, axes) -> None:
    """One for both views, at the head of the page; what both show is named once."""
    found = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes]
    named = {label: handle for each in found for handle, label in each}
    corner = (LEFT / FULL_WIDTH - 0.012, 1)
    tight = {"columnspacing": 1.0, "handlelength": 1.7, "handletextpad": 0.6, "borderaxespad": 0.2}
    figure.legend(named.values(), named, loc="upper left", ncols=3, bbox_to_anchor=corner, **tight)


def front(axis, shown: Concept) -> None:
    """The plane of two principal axes: band, paths, codes, and the three moments on each path."""
    axis.add_collection(PolyCollection(shown.band.numpy(), facecolors=TINT, edgecolors=TINT, label=shown.band_name))
    for name, path in shown.paths.items():
        axis.plot(*shown.seen(path)[:, :2].T, color=COLOURS[name], label=NAMES.get(name, name))
    axis.plot(*shown.seen(shown.carried)[:, :2].T, color=COLOURS["edited"], linewidth=0.9, linestyle=DASHES)
    codes(axis, shown, (0, 1))
    own = shown.seen(shown.clip.ws[list(shown.moments)])
    for name, ws in shown.at.items():
        points = shown.seen(ws)
        for k in range(len(LETTERS)) if name != "edited" else ():
            axis.plot(*torch.stack([own[k], points[k]])[:, :2].T, color=COLOURS[name], linewidth=0.6, zorder=2)
        axis.plot(*points[:, :2].T, "o", ms=4.5, color=COLOURS[name], mec="white", mew=0.5, zorder=4)
    every = shown.seen(shown.clip.ws)[:, :2]
    letters(axis, own[:, :2], every.mean(0))
    ends = [f"{float(shown.clip.ts[k]):.1f} s" for k in (0, -1)]
    letters(axis, every[[0, -1]], every[[2, -3]], ends, weight="normal", fontsize=6.5, color="0.35")
    share = [100 * float(value) for value in shown.plane.share[:2]]
    axis.set(xlabel=f"PC 1 ({share[0]:.0f} % of the variance)", ylabel=f"PC 2 ({share[1]:.0f} %)")


def side(axis, shown: Concept) -> None:
    """The same height against the axis of the edit: the learned path, and beside it the path that the edit is carried along."""
    axis.plot(*shown.seen(shown.paths["dynode"])[:, [2, 1]].T, color=COLOURS["dynode"])
    axis.plot(
        *shown.seen(shown.carried)[:, [2, 1]].T, color=COLOURS["edited"], linestyle=DASHES,
        label="learned path, first edit carried",
    )  # fmt: skip
    axis.plot(
        *shown.seen(shown.edited)[:, [2, 1]].T, "s", ms=2.6, mfc="white", mec=COLOURS["edited"], mew=0.6,
        label="every code edited", zorder=3,
    )  # fmt: skip
    codes(axis, shown, (2, 1))
    start, end = shown.seen(torch.stack([shown.clip.ws[0], shown.edited[0]]))[:, [2, 1]].tolist()
    axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.25", "shrinkA": 4, "shrinkB": 4})
    points = shown.seen(shown.at["edited"])[:, [2, 1]]
    axis.plot(*points.T, "o", ms=4.5, color=COLOURS["edited"], mec="white", mew=0.5, zorder=4)
    letters(axis, points, points - torch.tensor([1.0, 0.0]))
    axis.set(xlabel=f"edit axis\n{shown.edit_name}")
    axis.tick_params(labelleft=False)


def codes(axis, shown: Concept, which: tuple[int, int]) -> None:
    """The clip's own codes: filled where observed."""
    points = shown.seen(shown.clip.ws)[:, list(which)]
    seen = shown.clip.observed
    axis.plot(*points[~seen].T, "o", ms=3, mfc="white", mec="black", mew=0.5, label="hidden code", zorder=3)
    axis.plot(*points[seen].T, "o", ms=4, color="black", label="observed code", zorder=5)


def letters(axis, points: torch.Tensor, away: torch.Tensor, told=LETTERS, **look) -> None:
    """a, b, c, or what else is told, beside points (n, 2), on the side that looks away from places (2,) or (n, 2)."""
    look = {"weight": "bold", "fontsize": 9, "ha": "center", "va": "center", "zorder": 6} | look
    asides = torch.nn.functional.normalize(points - away, dim=1)
    for letter, point, aside in zip(told, points.tolist(), asides.tolist(), strict=True):
        axis.annotate(letter, point, [10 * each for each in aside], textcoords="offset points", **look)


def frames(figure, shown: Concept, cell: float) -> None:
    """A row of frames for each moment, a column for each path, its title in the path's colour."""
    tall = figure.get_size_inches()[1]
    for k, (letter, moment) in enumerate(zip(LETTERS, shown.moments, strict=True)):
        bottom = (len(LETTERS) - 1 - k) * cell + 0.02
        told = f"{float(shown.clip.ts[moment]):.2f} s"
        figure.text(0.01, (bottom + 0.58 * cell) / tall, letter, weight="bold", fontsize=10)
        figure.text(0.01, (bottom + 0.36 * cell) / tall, told, fontsize=6.5)
        for c, (name, images) in enumerate(shown.images.items()):
            axis = view(figure, LEFT + c * cell, bottom, 0.96 * cell, 0.96 * cell)
            axis.imshow(to_uint8(images[k]), interpolation="antialiased")
            frame_border(axis, bool(shown.clip.observed[moment]))
            if not k:
                axis.set_title(TITLES.get(name, name), fontsize=7, pad=3, color=COLOURS.get(name, "black"))
