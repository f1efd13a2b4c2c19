"""Peak memory of a command on a long film beside that on a short one: frames stream through, so both are alike."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dynode import runtime
from dynode.io import video

SIZE = (720, 1280)  # pixels, height and width
FRAMES = (2000, 200)
OPTIONS = (
    "--no-face",
    "--device",
    "cpu",
    "-p",
    "flow_size=32",
    "-p",
    "clip_stride=16",
)  # what is measured is the same, sooner


def film(frames: int) -> Iterator[np.ndarray]:
    """Frames uint8 (720, 1280, 3): a smooth pattern that moves to the right by four pixels a frame."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [np.sin(2 * np.pi * (x / period + y / 360)) for period in (1280, 640, 320)]
    pattern = (127 + 100 * np.stack(waves, -1)).astype(np.uint8)
    return (np.roll(pattern, 4 * k, axis=1) for k in range(frames))


def of_evaluation(frames: int) -> float:
    """GB at the peak of `dynode evaluate-edit` on a film of that many frames beside itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = video.write(Path(folder) / "film.mp4", film(frames), fps=25)
        return runtime.peak_memory("evaluate-edit", str(path), str(path), *OPTIONS) / 1e9
