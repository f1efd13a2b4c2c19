"""What the concept figure draws of a clip: three moments, the paths there, and their images."""

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import methods as by_name
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation import trajectories
from dynode.experiments.interpolation.ensembles import Ensemble
from dynode.inversion.frame_sources import truth_at
from dynode.metrics import METRICS
from dynode.reporting.plots import Concept

DRAWN = ("linear", "cubic")  # beside the learned path
POINTS = 300  # of a path


def moments(shown: Clip) -> tuple[int, int, int]:
    """Three frames for a figure: an observed one, the one half-way to the next, the one five sixths of the way.

    They lie in the gap, of those with frames between, in which straight lines miss the clip's own codes by most.
    """
    seen = shown.observed.nonzero().flatten().tolist()
    missed = METRICS["code_distance"](by_name.fit("linear", shown)(shown.ts), shown.ws)
    gaps = [(a, b) for a, b in zip(seen, seen[1:], strict=False) if b - a > 2] or [(seen[0], seen[-1])]
    first, last = max(gaps, key=lambda gap: float(missed[gap[0] : gap[1]].max()))
    return first, (first + last) // 2, min(first + round(5 / 6 * (last - first)), last - 1)


def concept_of(
    shown: Clip, generator, path: Trajectory, edited: torch.Tensor, ensemble: Ensemble, covered: float, edit_name: str
) -> Concept:
    """The clip's learned path beside chords and a spline, with the band of an ensemble and the edit of its first code.

    edited (T, L, D): every code edited.  covered: the share of hidden codes in the band, 0 to 1.
    """
    plane, offset, frames = PrincipalAxes.of(shown.ws), edited[0] - shown.ws[0], moments(shown)
    ts, at = torch.linspace(*path.span, POINTS, dtype=torch.float64), shown.ts[list(frames)]
    paths = {name: by_name.fit(name, shown) for name in DRAWN} | {"dynode": path}
    codes = {name: one(at) for name, one in paths.items()} | {"edited": path(at) + offset}
    own = {"own codes": shown.ws[list(frames)], **codes, "own code edited": edited[list(frames)]}
    size = trajectories.resolution_for(generator)
    images = {"truth": truth_at(shown, at, size)} if "episode" in shown.meta else {}
    return Concept(
        shown,
        plane,
        paths={name: one(ts) for name, one in paths.items()},
        band=ensemble.band(ts, plane).outlines(),
        band_name=f"95 % band of {ensemble.name}, {100 * covered:.0f} % of hidden codes in it",
        carried=path(ts) + offset,
        edited=edited,
        edit_name=edit_name,
        moments=frames,
        at=codes,
        images=images | {name: generators.render(generator, ws, size) for name, ws in own.items()},
    )
