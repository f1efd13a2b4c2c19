"""From a trajectory to a video: evaluate it at any frame rate, synthesise, write."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime
from dynode.border import public
from dynode.dynamics import fit_files, retiming
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.generators import Generator, tuned
from dynode.generators.registry import of_clip
from dynode.io import outputs, video
from dynode.io.images import to_uint8

RESOLUTION = 512  # of videos, unless the generator's images are smaller
CHUNK = 8  # frames in memory at a time


@public
def render(
    path: Trajectory | Path | str,
    output: Path | str,
    *,
    fps: float = 60,
    resolution: int = 0,
    speed: float = 1.0,
    reverse: bool = False,
    loop: str = "",
    tuning: Path | str = "",
    device: torch.device | str = "auto",
) -> int:
    """Decode a trajectory, or the fit of a file, over its span into an .mp4; returns the number of frames.

    resolution: pixels; 0 is the generator's own, at most 512.  speed, reverse, loop: as `speed`, `backward` and `loop` of
    `dynode.dynamics.retiming.retime`.  tuning: the file of a tuning, "" for that of the clip, if any, "none" for none; the
    video's title names it.
    Memory does not grow with the number of frames.  Raises UserError for a frame rate, resolution, speed or loop that
    cannot be, for an output that cannot be written, and for codes that belong to other weights.
    """
    outputs.require_output(output, tuning, *([] if isinstance(path, Trajectory) else [path]), suffixes=outputs.VIDEO)
    video.require_rate(fps)
    what = "The trajectory" if isinstance(path, Trajectory) else f"The fit {path}"
    path = path if isinstance(path, Trajectory) else fit_files.load(path)
    retimed = retiming.retime(path, speed, reverse, loop)
    generator = generator_of(path, what, device, tuning)
    resolution = legal_resolution(resolution, generator)
    ts = retiming.frame_times(retimed, fps)
    with tqdm(total=len(ts), desc="render", unit="frame", mininterval=1) as bar:
        frames = decoded(retimed.chunks(ts, CHUNK), generator, resolution, bar)
        video.write(output, frames, fps, title=tuned.title_of(generator))
    return len(ts)


def generator_of(path: Trajectory, what: str, device: torch.device | str, tuning: Path | str = "") -> Generator:
    """The generator that renders a trajectory's codes.  Raises UserError for unknown or other weights, see `of_clip`."""
    clip = path.meta.get("clip", {})
    if not clip.get("generator"):
        raise UserError(f"{what} names no generator of its codes: fit a clip whose metadata do.")
    return of_clip(clip, what, tuning, runtime.device(device))


def legal_resolution(resolution: int, generator: Generator) -> int:
    """The resolution of a video in pixels, 0 replaced by the default.  Raises UserError for one that cannot be."""
    legal = [2**k for k in range(4, 12) if 2**k <= generator.resolution]
    resolution = resolution or min(RESOLUTION, generator.resolution)
    if resolution not in legal:
        raise UserError(f"The resolution must be one of {legal}, got {resolution}.")
    return resolution


def decoded(
    parts: Iterable[torch.Tensor], generator: Generator, resolution: int, progress: tqdm | None = None
) -> Iterator[np.ndarray]:
    """Frames uint8 (R, R, 3) of codes in parts (n, L, D), of which one at a time is in memory."""
    for part in parts:
        yield from to_uint8(generators.render(generator, part, resolution, progress=progress))
