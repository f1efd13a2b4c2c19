"""From a trajectory, or an episode of a world, to video: evaluate it at any frame rate, synthesise, write."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime, video, worlds
from dynode.dynamics import neural_ode
from dynode.errors import UserError
from dynode.images import to_uint8

MOST_FPS = 1000


def render_fit(path: Path, output: Path, *, fps: float, resolution: int, device_name: str = "auto") -> int:
    """Write a fit's trajectory over its span as an .mp4; returns the number of frames.

    Raises UserError for a frame rate or resolution that cannot be, or a fit that belongs to other weights.
    """
    fit = neural_ode.load(path)
    clip = neural_ode.shots_of(fit)[0].meta["clip"]
    require_rate(fps)
    generators.require_same(clip["generator"], clip["generator_hash"], f"The fit {path}")
    device = runtime.device(device_name)
    generator = generators.load(clip["generator"], device)
    legal = [2**k for k in range(5, 12) if 2**k <= generator.resolution]
    if resolution not in legal:
        raise UserError(f"The resolution must be one of {legal}, got {resolution}.")
    ts = np.arange(fit.span[0], fit.span[1] + 1e-9, 1 / fps)
    video.write(output, decoded(fit(ts), generator, resolution), fps)
    return len(ts)


def require_rate(fps: float) -> None:
    if not 0 < fps <= MOST_FPS:
        raise UserError(f"The frame rate must be above 0 and at most {MOST_FPS}, got {fps:g}.")


def draw_episode(
    episode: worlds.Episode, output: Path, *, fps: float, resolution: int, truth: Path | None, device_name: str = "auto"
) -> int:
    """Write an episode as an .mp4, and its times and factors as .csv; returns the number of frames.

    Raises UserError for a frame rate, a length or a resolution that cannot be.
    """
    require_rate(fps)
    ts = np.arange(0, episode.seconds - 1e-9, 1 / fps)
    factors, world = episode.factors(ts), worlds.world(episode.world)
    drawn = world.drawn(factors, resolution, device=runtime.device(device_name), progress=True)
    video.write(output, (frame for images in drawn for frame in to_uint8(images)), fps)
    if truth is not None:
        with runtime.written_whole(truth) as scratch, open(scratch, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["t", *(factor.name for factor in world.factors)])
            rows.writerows(
                [f"{t:.6f}", *map("{:.6g}".format, row)] for t, row in zip(ts, factors.tolist(), strict=True)
            )
    return len(ts)


def decoded(ws: torch.Tensor, generator, resolution: int, chunk: int = 8) -> Iterator[np.ndarray]:
    """Frames uint8 (R, R, 3) of codes ws (T, L, D), a few in memory at a time."""
    for part in tqdm(ws.split(chunk), desc="render", unit="chunk", mininterval=1):
        yield from to_uint8(generators.render(generator, part, resolution))
