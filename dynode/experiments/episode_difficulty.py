"""How hard the test episodes are: errors of holding and of linear interpolation, in factors and in pictures, without a generator."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import runtime, worlds
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.evaluation import records
from dynode.evaluation.records import Row, select
from dynode.evaluation.trajectories import splits
from dynode.experiments.test_set import EpisodeSet, conditions, episode_sets, episodes_of
from dynode.metrics import METRICS
from dynode.reporting.tables import Table
from dynode.worlds import Episode, Factor

METHODS = ("hold", "linear")
PICTURED = (4, 8)  # strides at which pictures are drawn, which takes minutes


def coordinates(described: Sequence[Factor], factors: torch.Tensor) -> torch.Tensor:
    """Factors (T, F) as coordinates (T, C) of range 1 that go on where a factor is circular: cosine and sine of its angle."""
    columns = []
    for k, factor in enumerate(described):
        fraction = factor.fraction(factors[:, k].double())
        turned = 2 * math.pi * fraction
        columns += [turned.cos() / 2, turned.sin() / 2] if factor.circular else [fraction]
    return torch.stack(columns, 1)


def factors_at(described: Sequence[Factor], points: torch.Tensor) -> torch.Tensor:
    """The factors (T, F) of coordinates (T, C)."""
    columns, k = [], 0
    for factor in described:
        if factor.circular:
            columns.append(factor.at(torch.atan2(points[:, k + 1], points[:, k]) / (2 * math.pi) % 1))
        else:
            columns.append(factor.at(points[:, k]))
        k += 2 if factor.circular else 1
    return torch.stack(columns, 1).float()


def rows_of(chosen: EpisodeSet, episode: Episode, strides: Iterable[int], resolution: int) -> Iterator[Row]:
    """Mean squared errors of hold and linear interpolation at unobserved frames of one episode, observed at regular times.

    "factor_mse": of coordinates of its factors; "mse": of pictures drawn from interpolated factors, against the true ones.
    resolution: of the pictures, 0 for none.
    """
    world, ts = worlds.world(episode.world), torch.from_numpy(chosen.ts)
    factors = episode.factors(chosen.ts)
    true = coordinates(world.factors, factors)
    pictures = world.images(factors, resolution) if resolution else None
    for stride in strides:
        clip = Clip(true[:, None], ts).sampled("regular", stride)
        hidden = splits(clip)["unobserved"]
        named: dict[str, Any] = {"category": chosen.name, "clip": chosen.clip_name(episode), "sampling": "regular"}
        named |= {"stride": stride, "split": "unobserved", "reference": "truth", "frames": int(hidden.sum())}
        for method in METHODS:
            points = methods.fit(clip, method)(clip.ts)[hidden, 0].double()
            error = float((points - true[hidden]).square().mean())
            yield Row("factor_mse", error, method=method, space="latent", unit="range^2", **named)
            if pictures is not None:
                drawn = world.images(factors_at(world.factors, points), resolution)
                value = float(METRICS["mse"](drawn, pictures[hidden]).mean())
                yield Row("mse", value, method=method, unit=METRICS["mse"].unit, **named)


def measured(
    names: Iterable[str] = (), strides: Iterable[int] = PICTURED, resolution: int = 32, progress: bool = False
) -> list[Row]:
    """The rows of all test episodes of some sets, () for all of them."""
    sets = {name: episodes_of(name) for name in names or episode_sets()}
    every = [(episode_sets()[name], episode) for name, episodes in sets.items() for episode in episodes]
    bar = tqdm(every, "draw test episodes", unit="episode", disable=not progress)
    return [row for chosen, episode in bar for row in rows_of(chosen, episode, strides, resolution)]


def write(path: Path | str, resolution: int = 32) -> Path:
    """Record the errors of all test episodes: in factors at every stride, in pictures (0: none) at those in PICTURED."""
    began, strides = time.time(), conditions().strides
    rows = measured(strides=strides, resolution=0)
    if resolution:
        rows += select(measured(strides=PICTURED, resolution=resolution, progress=True), metric="mse")
    known = {"seconds": round(time.time() - began, 1), "resolution": resolution}
    named = [f"rendered world {name}" for name in sorted({chosen.world for chosen in episode_sets().values()})]
    command = f"dynode.experiments.episode_difficulty.write({str(path)!r}, {resolution})"
    provenance = runtime.provenance(torch.device("cpu"), command=command, stand_ins=named, **known)
    return records.write(path, "test_set", "", rows, provenance)


def difficulty_table(rows: list[Row]) -> Table:
    """One line for each episode: errors of linear interpolation, and of hold in units of it, at each stride."""
    columns = list(dict.fromkeys((row.metric, row.stride) for row in rows))
    cells = []
    for category, clip in dict.fromkeys((row.category, row.clip) for row in rows):
        line = [category, clip]
        for metric, stride in columns:
            errors = select(rows, category=category, clip=clip, metric=metric, stride=stride)
            hold, linear = (select(errors, method=method)[0].value for method in METHODS)
            line += [f"{linear * 1e3:.3f}", f"{hold / linear:.1f}" if linear else ""]
        cells.append(line)
    heads = [(f"linear {metric} x 1e3, stride {stride}", "hold / linear") for metric, stride in columns]
    return Table(["set", "episode", *(head for pair in heads for head in pair)], cells, {})
