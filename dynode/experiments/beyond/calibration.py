"""How sure methods are of codes they have not seen, along the principal axes of those they have, and whether rightly."""

from collections.abc import Iterator
from itertools import product

import torch

from dynode.dynamics.baselines.gaussian_process import GaussianProcess
from dynode.dynamics.baselines.motion_prior import PriorPath
from dynode.dynamics.baselines.sequence_models import RelativePath
from dynode.dynamics.state_spaces import Subspace
from dynode.evaluation.records import Row
from dynode.metrics.prediction_bands import LEVELS, Fan

FIRST = 3  # axes that are told apart from the rest
GROUPS = {f"first {FIRST} axes": slice(FIRST), "other axes": slice(FIRST, None)}


def coordinates(space: Subspace, ws: torch.Tensor) -> torch.Tensor:
    """Coordinates (..., K) of codes (..., L, D) along the axes of a space, in the codes' own units."""
    return space.encode(ws.flatten(0, -3)).flatten(1).unflatten(0, ws.shape[:-2]) * space.sigma


def fans(sde: RelativePath, gp: GaussianProcess, prior: PriorPath, ts, paths: int) -> dict[str, Fan]:
    """The bands of a neural SDE's samples, a Gaussian process and a motion prior at times ts (T,), all of one clip.

    "path" is where a method expects the smooth path, "code" where it expects a code, with the noise it takes codes to
    have.  paths: how many samples.
    """
    space, draws = prior.space, torch.Generator().manual_seed(sde.meta["seed"])
    samples = coordinates(space, sde.samples(ts, paths))
    noise = sde.settings.noise * space.sigma * torch.randn(samples.shape, generator=draws)
    process, spread = coordinates(space, gp(ts)), gp.std(ts)[:, None] * gp.scale / gp.spread  # of states, not numbers
    white = gp.noise * gp.scale**2
    told = prior.states(ts) * space.sigma
    return {
        "sde, path": Fan.of_samples(samples),
        "sde, code": Fan.of_samples(samples + noise),
        "gp, path": Fan.of_normal(process, spread),
        "gp, code": Fan.of_normal(process, (spread.square() + white).sqrt()),
        "prior, path": Fan.of_normal(told, prior.spread(ts, jitter=False)),
        "prior, code": Fan.of_normal(told, prior.spread(ts)),
    }


def coverage_rows(found: dict[str, Fan], space: Subspace, ws: torch.Tensor, **identity) -> Iterator[Row]:
    """How many coordinates of the hidden codes ws (T, L, D) lie inside the bands, for each method, share, group of axes;
    and the error that a method expects of whole codes over the one it makes, root mean squares ("error_ratio").

    What of a code lies outside the axes counts in the latter alone: bands along axes know nothing of it.
    """
    true, told = coordinates(space, ws), {"split": "unobserved", "space": "latent", **identity}
    outside = (ws - space.decode(space.encode(ws))).double().square().sum()
    for name, fan in found.items():
        for share, (group, axes) in product(LEVELS, GROUPS.items()):
            inside = fan.coverage(true, share)[axes]
            if len(inside):
                yield Row("coverage", float(inside.mean()), method=name, variant=f"{share:g}, {group}", **told)
        error = ((fan.centre - true).square().sum() + outside).sqrt()
        yield Row("error_ratio", float(fan.spread.square().sum().sqrt() / error), method=name, unit="ratio", **told)
