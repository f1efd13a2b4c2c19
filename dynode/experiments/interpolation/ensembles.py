"""Ensembles of paths: how sure a method is between its observations, and how often the truth lies in that band."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation.records import Row
from dynode.metrics.latent import mean_step
from dynode.metrics.prediction_bands import Ellipses


def bootstrapped(clip: Clip, seed: int) -> Clip:
    """The clip with as many observations drawn, with replacement, as it has; both ends of every shot stay.

    An observation that was drawn twice counts once, so about a third of the inner ones goes unseen (Efron 1979).
    """
    draws = torch.Generator().manual_seed(runtime.legal_seed(seed))
    shots = torch.zeros(len(clip), dtype=torch.long) if clip.shots is None else clip.shots
    observed = torch.zeros_like(clip.observed)
    for shot in shots.unique():
        known = (clip.observed & (shots == shot)).nonzero().flatten()
        inner = known[1:-1]
        if len(inner):
            observed[inner[torch.randint(len(inner), inner.shape, generator=draws)]] = True
        observed[known[[0, -1]]] = True
    return dataclasses.replace(clip, observed=observed)


def fitted(store: FitStore, clip: Clip, settings, count: int, resample: bool = False) -> list[Trajectory]:
    """So many fits of a learned method, of seeds 0, 1, ...; resample: each to its own bootstrap of the observations."""
    shown = [(bootstrapped(clip, seed) if resample else clip, seed) for seed in range(count)]
    store.fit_together(settings, shown)
    return [store.fit(settings.preset, each, settings, seed) for each, seed in shown]


@dataclass(frozen=True)
class Ensemble:
    """A way to tell how sure a path is: band(ts, plane) -> Ellipses; members: of how many paths, 0 for none."""

    name: str
    members: int
    band: Callable[[torch.Tensor, PrincipalAxes], Ellipses]


def of_paths(name: str, members: int, paths: Callable) -> Ensemble:
    """Of a function of times (T,) that gives the codes (M, T, L, D) of all members."""
    return Ensemble(name, members, lambda ts, plane: Ellipses.of_samples(plane.scores(paths(ts))))


def of_process(name: str, process) -> Ensemble:
    """Of a Gaussian process, which knows its own standard deviation."""
    return Ensemble(name, 0, lambda ts, plane: Ellipses.of_normal(plane.scores(process(ts)), process.std(ts)))


def of_clip(store: FitStore, clip: Clip, settings, count: int, samples: int = 0) -> list[Ensemble]:
    """The ensembles that there are of a clip without cuts: a Gaussian process by itself; `count` fits of a learned method
    from as many seeds, and to as many bootstraps of the observations; `samples` paths of the neural SDE, 0 for none."""
    found = [of_process("the gp itself", methods.fit("gp", clip))]
    for told, resample in (("seeds", False), ("bootstraps", True)):
        paths = fitted(store, clip, settings, count, resample)
        found.append(of_paths(f"{count} {told} of {settings.label}", count, lambda ts, paths=paths: stacked(paths, ts)))
    if samples:
        sde = store.fit("sde", clip)
        found.append(of_paths(f"{samples} paths of the sde", samples, lambda ts: sde.samples(ts, samples)))
    return found


def stacked(paths: list[Trajectory], ts) -> torch.Tensor:
    """The codes (M, T, L, D) of all paths."""
    return torch.stack([path(ts) for path in paths])


def coverage_rows(shown: Clip, plane: PrincipalAxes, found: list[Ensemble], **identity) -> Iterator[Row]:
    """For each ensemble the share of hidden codes inside its band at their own times, and how wide the band is there."""
    hidden = ~shown.observed
    for one in found:
        band = one.band(shown.ts[hidden], plane)
        named = {"method": one.name, "split": "unobserved", "space": "latent", "n": one.members, **identity}
        inside = band.inside(plane.scores(shown.ws[hidden])).double().mean()
        yield Row("band_coverage", float(inside), unit="share", **named)
        yield Row("band_radius", float(band.radius().mean()) / mean_step(shown.ws), unit="steps", **named)
