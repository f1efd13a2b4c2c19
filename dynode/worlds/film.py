"""An episode as a video, with its ground truth beside it."""

import csv
from pathlib import Path

import numpy as np
import torch

from dynode import runtime, worlds
from dynode.io import files, outputs
from dynode.io.images import to_uint8
from dynode.worlds.episodes import Episode


def film(
    episode: Episode,
    output: Path,
    *,
    fps: float,
    resolution: int,
    truth: Path | None = None,
    device: torch.device | str = "cpu",
) -> int:
    """Write an episode as an .mp4, and its times and factors as .csv; returns the number of frames.

    Raises UserError for a frame rate, a length or a resolution that cannot be.
    """
    from dynode.io import video  # with av, which those who only draw worlds do not need

    outputs.require_output(output, suffixes=outputs.VIDEO)
    if truth is not None:
        outputs.require_output(truth, output, suffixes=outputs.TABLE)
    ts = frame_times(episode, fps)
    factors, world = episode.factors(ts), worlds.world(episode.world)
    drawn = world.drawn(factors, resolution, device=device, progress=runtime.bars())
    video.write(output, (frame for images in drawn for frame in to_uint8(images)), fps)
    if truth is not None:
        rows = [[f"{t:.6f}", *map("{:.6g}".format, row)] for t, row in zip(ts, factors.tolist(), strict=True)]
        table = [["t", *(factor.name for factor in world.factors)], *rows]
        files.write(truth, lambda part: write_table(part, table))
    return len(ts)


def write_table(path: Path, rows: list[list[str]]) -> None:
    """Write rows as .csv."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def frame_times(episode: Episode, fps: float) -> np.ndarray:
    """The times (T,) in seconds of an episode's frames.  Raises UserError for a frame rate that cannot be."""
    from dynode.io import video

    video.require_rate(fps)
    return np.arange(0, episode.seconds - 1e-9, 1 / fps)
