"""From a trajectory to video: evaluate it at any frame rate, synthesise, write."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime
from dynode.dynamics import fit_files, retiming
from dynode.errors import UserError
from dynode.io import video
from dynode.io.images import to_uint8

RESOLUTION = 512  # of videos, unless the generator's images are smaller
CHUNK = 8  # frames in memory at a time


def render_fit(
    path: Path,
    output: Path,
    *,
    fps: float,
    resolution: int = 0,
    speed: float = 1.0,
    backward: bool = False,
    loop: str = "",
    device_name: str = "auto",
) -> int:
    """Write a fit's trajectory over its span as an .mp4; returns the number of frames, with which its memory does not grow.

    resolution 0: the generator's own, at most 512.  speed, backward, loop: as in `dynode.dynamics.retiming.turned`.
    Raises UserError for a frame rate, resolution, speed or loop that cannot be, or a fit that belongs to other weights.
    """
    fit = fit_files.load(path)
    clip = fit_files.shots_of(fit)[0].meta["clip"]
    video.require_rate(fps)
    shown = retiming.turned(fit, speed, backward, loop)
    generators.require_same(clip["generator"], clip["generator_hash"], f"The fit {path}")
    device = runtime.device(device_name)
    generator = generators.load(clip["generator"], device)
    legal = [2**k for k in range(4, 12) if 2**k <= generator.resolution]
    resolution = resolution or min(RESOLUTION, generator.resolution)
    if resolution not in legal:
        raise UserError(f"The resolution must be one of {legal}, got {resolution}.")
    ts = retiming.frame_times(shown, fps)
    with tqdm(total=len(ts), desc="render", unit="frame", mininterval=1) as bar:
        video.write(output, decoded(shown.parts(ts, CHUNK), generator, resolution, bar), fps)
    return len(ts)


def decoded(parts: Iterable[torch.Tensor], generator, resolution: int, progress=None) -> Iterator[np.ndarray]:
    """Frames uint8 (R, R, 3) of codes that come in parts (n, L, D): no more than one part is in memory."""
    for part in parts:
        yield from to_uint8(generators.render(generator, part, resolution, progress=progress))
