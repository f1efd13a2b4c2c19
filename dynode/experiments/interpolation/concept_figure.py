"""Data of the concept figure: three moments of a clip, the paths there, and their images."""

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation import resolution_for
from dynode.experiments.interpolation.ensembles import Ensemble
from dynode.generators.protocol import Generator
from dynode.inversion.frame_sources import truth_at
from dynode.metrics import METRICS
from dynode.reporting.plots import Concept

DRAWN = ("linear", "cubic")  # beside the learned path
POINTS = 300  # of a path


def moments(clip: Clip) -> tuple[int, int, int]:
    """Three frames for a figure: an observed one, the one half-way to the next, the one five sixths of the way.

    They lie in the gap, of those with frames between, where linear interpolation has its largest error in codes.
    """
    observed = clip.observed.nonzero().flatten().tolist()
    errors = METRICS["code_distance"](methods.fit(clip, "linear")(clip.ts), clip.ws)
    gaps = [(a, b) for a, b in zip(observed, observed[1:], strict=False) if b - a > 2] or [(observed[0], observed[-1])]
    first, last = max(gaps, key=lambda gap: float(errors[gap[0] : gap[1]].max()))
    return first, (first + last) // 2, min(first + round(5 / 6 * (last - first)), last - 1)


def concept_of(
    clip: Clip,
    generator: Generator,
    path: Trajectory,
    edited: torch.Tensor,
    ensemble: Ensemble,
    coverage: float,
    edit_name: str,
) -> Concept:
    """The clip's learned path beside linear and spline interpolation, with the band of an ensemble and the edit of its
    first code.

    edited (T, L, D): every code edited.  coverage: the fraction of unobserved codes in the band.
    """
    plane, offset, frames = PrincipalAxes.of(clip.ws), edited[0] - clip.ws[0], moments(clip)
    ts, at = torch.linspace(*path.span, POINTS, dtype=torch.float64), clip.ts[list(frames)]
    paths = {name: methods.fit(clip, name) for name in DRAWN} | {"dynode": path}
    codes = {name: one(at) for name, one in paths.items()} | {"edited": path(at) + offset}
    own = {"own codes": clip.ws[list(frames)], **codes, "own code edited": edited[list(frames)]}
    size = resolution_for(generator)
    images = {"truth": truth_at(clip, at, size)} if "episode" in clip.meta else {}
    return Concept(
        clip,
        plane,
        paths={name: one(ts) for name, one in paths.items()},
        band=ensemble.band(ts, plane).outlines(),
        band_name=f"95 % band of {ensemble.name}, {100 * coverage:.0f} % of unobserved inside",
        propagated=path(ts) + offset,
        edited=edited,
        edit_name=edit_name,
        moments=frames,
        at=codes,
        images=images | {name: generators.render(generator, ws, size) for name, ws in own.items()},
    )
