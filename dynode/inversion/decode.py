"""From a trajectory to video: evaluate it at any frame rate, synthesise, write."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime, video
from dynode.dynamics import neural_ode
from dynode.errors import UserError
from dynode.images import to_uint8


def render_fit(path: Path, output: Path, *, fps: float, resolution: int, device_name: str = "auto") -> int:
    """Write a fit's trajectory over its span as an .mp4; returns the number of frames.

    Raises UserError for a frame rate or resolution that cannot be, or a fit that belongs to other weights.
    """
    fit = neural_ode.load(path)
    clip = neural_ode.shots_of(fit)[0].meta["clip"]
    video.require_rate(fps)
    generators.require_same(clip["generator"], clip["generator_hash"], f"The fit {path}")
    device = runtime.device(device_name)
    generator = generators.load(clip["generator"], device)
    legal = [2**k for k in range(5, 12) if 2**k <= generator.resolution]
    if resolution not in legal:
        raise UserError(f"The resolution must be one of {legal}, got {resolution}.")
    ts = np.arange(fit.span[0], fit.span[1] + 1e-9, 1 / fps)
    video.write(output, decoded(fit(ts), generator, resolution), fps)
    return len(ts)


def decoded(ws: torch.Tensor, generator, resolution: int, chunk: int = 8) -> Iterator[np.ndarray]:
    """Frames uint8 (R, R, 3) of codes ws (T, L, D), a few in memory at a time."""
    for part in tqdm(ws.split(chunk), desc="render", unit="chunk", mininterval=1):
        yield from to_uint8(generators.render(generator, part, resolution))
