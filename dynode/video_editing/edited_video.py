"""Write an edited video: its rendered frames between those without the face, at the footage's times, with its sound."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import torch

from dynode.clips import frame_rate
from dynode.io import video
from dynode.video_editing.footage import Footage

RenderedFrames = Generator[tuple[int, np.ndarray], None, None]  # number of a followed frame, frame uint8 (H, W, 3)


def timed_frames(footage: Footage, rendered: RenderedFrames, pasted: bool = True) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds, frame uint8 (H, W, 3)) in order; frames that do not show the face are the footage's own.

    rendered: the followed frames.  pasted False: they are crops (S, S, 3), and no other frames come out.
    """
    for time, frame in footage.all_frames():
        if frame is None:
            _, frame = next(rendered)
            yield time, frame
        elif pasted:
            yield time, frame


def write_edited(
    path: Path | str,
    footage: Footage,
    rendered: RenderedFrames,
    *,
    title: str,
    pasted: bool = True,
    each: Callable[[int, np.ndarray], None] | None = None,
) -> int:
    """Write an .mp4 whose frames keep the footage's times, with its sound, and whose title says that it is edited.

    rendered, pasted: as in `timed_frames`.  each: called with the number and the frame of all that is written.
    Returns the number of frames.
    """
    count = 0

    def passed() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal count
        for time, frame in timed_frames(footage, rendered, pasted):
            if each is not None:
                each(count, frame)
            count += 1
            yield time, frame

    rate = frame_rate(torch.from_numpy(footage.track.ts))
    video.write_timed(path, passed(), rate, title=title, audio_from=footage.path)
    return count
