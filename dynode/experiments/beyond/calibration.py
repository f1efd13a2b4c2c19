"""Calibration of predictive uncertainty: coverage of prediction intervals for unobserved codes, per principal component."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch

from dynode.dynamics.baselines.gaussian_process import GaussianProcess
from dynode.dynamics.baselines.motion_prior import PriorPath
from dynode.dynamics.baselines.sequence_models import SequencePath
from dynode.dynamics.state_spaces import Subspace
from dynode.evaluation.records import Row
from dynode.metrics.prediction_bands import LEVELS, PredictionBand

FIRST = 3  # components whose coverage is reported apart from the rest
GROUPS = {f"first {FIRST} axes": slice(FIRST), "other axes": slice(FIRST, None)}


def coordinates(space: Subspace, ws: torch.Tensor) -> torch.Tensor:
    """Coordinates (..., K) of codes (..., L, D) along the axes of a space, in the codes' own units."""
    return space.encode(ws.flatten(0, -3)).flatten(1).unflatten(0, ws.shape[:-2]) * space.sigma


def fans(
    sde: SequencePath, gp: GaussianProcess, prior: PriorPath, ts: torch.Tensor, paths: int
) -> dict[str, PredictionBand]:
    """Prediction intervals at times ts (T,) from a neural SDE's samples, a Gaussian process and a motion prior, all of one
    clip.

    "path": intervals for the smooth path; "code": for a code, with the method's observation noise.
    paths: number of samples.
    """
    space, rng = prior.space, torch.Generator().manual_seed(sde.meta["seed"])
    samples = coordinates(space, sde.samples(ts, paths))
    noise = sde.settings.noise * space.sigma * torch.randn(samples.shape, generator=rng)
    process, std = coordinates(space, gp(ts)), gp.std(ts)[:, None] * gp.scale / gp.code_std  # of states, not numbers
    white = gp.noise * gp.scale**2
    mean = prior.states(ts) * space.sigma
    return {
        "sde, path": PredictionBand.of_samples(samples),
        "sde, code": PredictionBand.of_samples(samples + noise),
        "gp, path": PredictionBand.of_normal(process, std),
        "gp, code": PredictionBand.of_normal(process, (std.square() + white).sqrt()),
        "prior, path": PredictionBand.of_normal(mean, prior.std(ts, jitter=False)),
        "prior, code": PredictionBand.of_normal(mean, prior.std(ts)),
    }


def coverage_rows(fans: dict[str, PredictionBand], space: Subspace, ws: torch.Tensor, **identity: Any) -> Iterator[Row]:
    """Coverage of the unobserved codes ws (T, L, D), for each method, level and group of components; and the ratio of a
    method's expected error of whole codes to its actual one, both root mean squares ("error_ratio").

    The part of a code outside the axes counts in the ratio only: intervals along axes say nothing of it.
    """
    true = coordinates(space, ws)
    identity |= {"split": "unobserved", "space": "latent"}
    outside = (ws - space.decode(space.encode(ws))).double().square().sum()
    for name, fan in fans.items():
        for level, (group, axes) in product(LEVELS, GROUPS.items()):
            inside = fan.coverage(true, level)[axes]
            if len(inside):
                yield Row("coverage", float(inside.mean()), method=name, variant=f"{level:g}, {group}", **identity)
        error = ((fan.centre - true).square().sum() + outside).sqrt()
        expected = fan.std.square().sum().sqrt()
        yield Row("error_ratio", float(expected / error), method=name, unit="ratio", **identity)
