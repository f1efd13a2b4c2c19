"""Trajectories in latent space."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure

from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.evaluation.diagnosis import Diagnosis
from dynode.reporting.plots.looks import BLUE, GREEN, GREY, VERMILION, colour, look
from dynode.reporting.plots.style import FULL_WIDTH, head_legend, house_style, subplots


def pca_paths(paths: Mapping[str, torch.Tensor], codes: torch.Tensor, observed: torch.Tensor) -> Figure:
    """The codes (T, L, D) on their first two principal components, and every path (S, L, D) in the same basis."""
    with house_style():
        plane = PrincipalAxes.of(codes)
        percent = [*(100 * plane.fractions[:2]).tolist(), 0.0]
        points = plane.scores(codes)
        wide, tall = (points.amax(0) - points.amin(0)).clamp(min=1e-6).tolist()
        figure, axis = subplots(figsize=(FULL_WIDTH, 0.7 + min(max(4.9 * tall / wide, 1.4), 4.5)))
        for name, path in paths.items():
            axis.plot(*plane.scores(path).T, color=colour(name), linestyle=look(name).line, label=name)
        axis.plot(*points[~observed].T, "o", mfc="white", mec="black", mew=0.5, label="unobserved code")
        axis.plot(*points[observed].T, "o", color="black", label="observed code")
        axis.set(xlabel=f"PC 1 ({percent[0]:.0f} %)", ylabel=f"PC 2 ({percent[1]:.0f} %)")
        axis.set_aspect("equal", adjustable="datalim")  # a box of fixed shape would push its labels off the page
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def known_paths(
    ts: torch.Tensor,
    truths: Mapping[str, torch.Tensor],
    observed: torch.Tensor,
    paths: Mapping[str, Mapping[str, torch.Tensor]],
) -> Figure:
    """Paths in a plane, a panel for each: the truth (T, 2) in grey, observed points black, and the paths of methods.

    paths: name -> method -> points (T, 2) at times ts (T,).  What leaves the panel is cut at its edge.  Below, the
    distance from the truth over time, in units of the path's size.
    """
    with house_style():
        size = (FULL_WIDTH, 3.3)
        figure, axes = subplots(2, len(truths), figsize=size, squeeze=False, height_ratios=(3, 2), sharey="row")
        for (axis, below), (name, truth) in zip(axes.T, truths.items(), strict=True):
            low, high = truth.amin(0), truth.amax(0)
            middle, reach = (low + high) / 2, 0.75 * float((high - low).max())
            axis.plot(*(truth - middle).T / reach, color="0.8", linewidth=4, label="the path")
            for (method, points), shade in zip(paths[name].items(), (GREEN, VERMILION, BLUE), strict=False):
                axis.plot(*(points - middle).T / reach, color=shade, label=method)
                below.plot(ts, (points - truth).norm(dim=-1) / reach, color=shade)
            axis.plot(*(truth - middle)[observed].T / reach, "o", color="black", label="observed")
            axis.set(xlim=(-1, 1), ylim=(-1, 1), title=name, aspect="equal")
            axis.set_axis_off()
            below.set(xlabel="time (s)", ylim=(-0.05, 1.5))
        axes[1, 0].set_ylabel("distance")
        head_legend(figure, *axes[0, 0].get_legend_handles_labels())
        return figure


def diagnosis(result: Diagnosis) -> Figure:
    """A `Diagnosis` in four panels: reconstruction, norms, steps with cut candidates, step directions."""
    ts = result.clip.ts
    middle = (ts[1:] + ts[:-1]) / 2
    with house_style():
        figure, axes = subplots(2, 2, figsize=(FULL_WIDTH, 3.6))
        known = ts if result.clip.detected is None else ts[result.clip.detected]
        if result.mse:
            axes[0, 0].plot(known, result.mse, color=colour("dynode"), marker=".")
        axes[0, 0].set(ylabel="MSE to the source", ylim=(0, None))
        axes[0, 1].plot(ts, result.norms, color=colour("dynode"), marker=".")
        axes[0, 1].set(ylabel="|w - mean|", ylim=(0, None))
        axes[1, 0].plot(middle, result.steps, color=colour("dynode"), marker=".")
        for k in result.cuts:
            axes[1, 0].axvline(float(middle[k - 1]), color=VERMILION, linestyle="--", linewidth=0.8)
        axes[1, 0].set(ylabel="step length", xlabel="time (s)", ylim=(0, None))
        steps = result.clip.ws.flatten(1).diff(dim=0)
        cosine = torch.nn.functional.cosine_similarity(steps[:-1], steps[1:], dim=1)
        axes[1, 1].plot(ts[1:-1], cosine, color=colour("dynode"), marker=".")
        axes[1, 1].axhline(0, color=GREY, linewidth=0.6)
        axes[1, 1].set(ylabel="turn (cosine)", xlabel="time (s)", ylim=(-1, 1))
        figure.suptitle(f"{result.clip.name}: jitter {result.noise}, recommended stride {result.stride}")
        return figure
