"""Ensembles of paths: the uncertainty band of a method between its observations, and its coverage."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.baselines.gaussian_process import GaussianProcess
from dynode.dynamics.baselines.sequence_models import SequencePath
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.metrics.latent import mean_step
from dynode.metrics.prediction_bands import PredictionEllipses


def bootstrapped(clip: Clip, seed: int) -> Clip:
    """The clip with as many observations drawn, with replacement, as it has; both ends of every shot stay.

    An observation that is drawn twice counts once, so about a third of the inner ones is left out (Efron 1979).
    """
    rng = torch.Generator().manual_seed(runtime.legal_seed(seed))
    shots = torch.zeros(len(clip), dtype=torch.long) if clip.shots is None else clip.shots
    observed = torch.zeros_like(clip.observed)
    for shot in shots.unique():
        known = (clip.observed & (shots == shot)).nonzero().flatten()
        inner = known[1:-1]
        if len(inner):
            observed[inner[torch.randint(len(inner), inner.shape, generator=rng)]] = True
        observed[known[[0, -1]]] = True
    return dataclasses.replace(clip, observed=observed)


def fit_members(store: FitStore, clip: Clip, settings: Any, count: int, resample: bool = False) -> list[Trajectory]:
    """Fits of a learned method with seeds 0 to count - 1; resample: each to its own bootstrap of the observations."""
    clips = [(bootstrapped(clip, seed) if resample else clip, seed) for seed in range(count)]
    return store.fit_many(clips, settings)


@dataclass(frozen=True)
class Ensemble:
    """A method's uncertainty: band(ts, plane) -> PredictionEllipses; members: its number of paths, 0 for a distribution."""

    name: str
    members: int
    band: Callable[[torch.Tensor, PrincipalAxes], PredictionEllipses]


def of_paths(name: str, members: int, paths: Callable[[torch.Tensor], torch.Tensor]) -> Ensemble:
    """Of a function of times (T,) that gives the codes (M, T, L, D) of all members."""
    return Ensemble(name, members, lambda ts, plane: PredictionEllipses.of_samples(plane.scores(paths(ts))))


def of_process(name: str, process: Trajectory) -> Ensemble:
    """Of a Gaussian process, by its own standard deviation.  Raises UserError for a clip with cuts."""
    if not isinstance(process, GaussianProcess):
        raise UserError(f"Bands are drawn for clips without cuts, got a {type(process).__name__}.")
    return Ensemble(name, 0, lambda ts, plane: PredictionEllipses.of_normal(plane.scores(process(ts)), process.std(ts)))


def of_samples(name: str, count: int, sde: Trajectory) -> Ensemble:
    """Of `count` paths of a neural SDE.  Raises UserError for a clip with cuts."""
    if not isinstance(sde, SequencePath):
        raise UserError(f"Bands are drawn for clips without cuts, got a {type(sde).__name__}.")
    return of_paths(name, count, lambda ts: sde.samples(ts, count))


def of_clip(store: FitStore, clip: Clip, settings: Any, count: int, samples: int = 0) -> list[Ensemble]:
    """The ensembles of a clip without cuts: a Gaussian process; `count` fits of a learned method with as many seeds, and
    to as many bootstraps of the observations; `samples` paths of the neural SDE, 0 for none."""
    ensembles = [of_process("the gp itself", methods.fit(clip, "gp"))]
    for kind, resample in (("seeds", False), ("bootstraps", True)):
        paths = fit_members(store, clip, settings, count, resample)
        name = f"{count} {kind} of {settings.label}"
        ensembles.append(of_paths(name, count, lambda ts, paths=paths: stacked(paths, ts)))
    if samples:
        ensembles.append(of_samples(f"{samples} paths of the sde", samples, store.fit(clip, "sde")))
    return ensembles


def stacked(paths: Sequence[Trajectory], ts: torch.Tensor) -> torch.Tensor:
    """The codes (M, T, L, D) of all paths."""
    return torch.stack([path(ts) for path in paths])


def coverage_rows(observed: Clip, plane: PrincipalAxes, ensembles: list[Ensemble], **identity: Any) -> Iterator[Row]:
    """For each ensemble the coverage of the unobserved codes by its band at their times, and the band's mean radius."""
    unobserved = ~observed.observed
    identity |= {"split": "unobserved", "space": "latent"}
    for one in ensembles:
        band = one.band(observed.ts[unobserved], plane)
        inside = band.inside(plane.scores(observed.ws[unobserved])).double().mean()
        radius = float(band.radius().mean()) / mean_step(observed.ws)
        yield Row("band_coverage", float(inside), method=one.name, n=one.members, unit="share", **identity)
        yield Row("band_radius", radius, method=one.name, n=one.members, unit="steps", **identity)
