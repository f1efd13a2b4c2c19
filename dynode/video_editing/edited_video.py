"""Write an edited video: its rendered frames between those without the face, at the footage's times, with its sound.

Outside the edit a player shows it as it shows the footage: in its colours, with its shape of pixels.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from dynode.clips import frame_rate
from dynode.io import video
from dynode.io.video_writing import USUAL
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


def as_shown(path: Path | str, frames: Iterable[tuple[float, np.ndarray]]) -> Iterator[tuple[float, np.ndarray]]:
    """Edited frames of a video, untouched pixels as a player shows them, the others brighter by as much as those on average.

    Codes rest on a conversion that is fast and 1 to 2 levels darker, see `video.iterate_exact`.
    """
    footage = video.iterate_exact(path)
    for time, frame in frames:
        fast, exact = next((fast, exact) for at, fast, exact in footage if at > time - video.SAME_TIME)
        untouched = (frame == fast).all(-1, keepdims=True)
        shift = exact.mean((0, 1)) - fast.mean((0, 1))
        yield time, np.where(untouched, exact, (frame + shift).round().clip(0, 255)).astype(np.uint8)


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
    count, shown = 0, timed_frames(footage, rendered, pasted)
    if pasted:
        shown = as_shown(footage.path, shown)

    def passed() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal count
        for time, frame in shown:
            if each is not None:
                each(count, frame)
            count += 1
            yield time, frame

    rate = frame_rate(torch.from_numpy(footage.track.ts))
    look = video.look(footage.path) if pasted else USUAL
    video.write_timed(path, passed(), rate, title=title, audio_from=footage.path, look=look)
    return count


def write_side_by_side(
    path: Path | str, edited: Path | str, sources: Iterator[np.ndarray], footage: Footage, *, start: float, title: str
) -> None:
    """Write an .mp4 of the source frames at the left of an edited video's, at its times and with the footage's sound.

    sources: uint8 (H, W, 3), one for each frame of the edited video, up to a row and a column smaller.  start: the time of
    the first in the footage, in seconds.
    """

    def joined() -> Iterator[tuple[float, np.ndarray]]:
        for source, (time, frame) in zip(sources, video.iterate(edited), strict=True):
            room = [(0, frame.shape[0] - source.shape[0]), (0, frame.shape[1] - source.shape[1]), (0, 0)]
            yield start + time, np.concatenate([np.pad(source, room, mode="edge"), frame], axis=1)

    rate = frame_rate(torch.from_numpy(footage.track.ts))
    video.write_timed(path, joined(), rate, title=title, audio_from=footage.path, look=video.look(edited))
