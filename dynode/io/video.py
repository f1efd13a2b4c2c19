"""Video files through PyAV: frames as a player shows them, with the timestamps of the file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from dynode.errors import UserError
from dynode.io import film
from dynode.io.colours import Look
from dynode.io.video_clock import SAME_TIME as SAME_TIME
from dynode.io.video_writing import require_rate as require_rate
from dynode.io.video_writing import write as write
from dynode.io.video_writing import write_timed as write_timed

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Stretch:
    """A selection of a video's frames: `count` of them (0: all that are left), every `every`-th, from frame `first` on."""

    first: int = 0
    count: int = 0
    every: int = 1

    def __post_init__(self):
        if self.first < 0 or self.count < 0 or self.every < 1:
            raise UserError(
                "--first and --frames must be 0 or more and --every at least 1, got "
                f"--first {self.first}, --frames {self.count}, --every {self.every}."
            )

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The selected ones of all frames."""
        stop = self.first + self.count * self.every if self.count else None
        return islice(frames, self.first, stop, self.every)


def iterate(path: Path | str) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (time in seconds since the first frame, frame uint8 (H, W, 3) RGB), one frame in memory at a time.

    Orientation, matrix and range are applied as a player applies them; pixels stay as they are stored where they are not
    square (see `look`).  Grey video becomes RGB, transparency is dropped.  A clock that begins again runs on, and frames of
    another size are fitted into the first one's, both with a warning; of frames at one time the first counts.
    Raises UserError when the file is missing, is no video, or is truncated before its first frame.
    """
    with film.opened(path) as opened:
        for time, frame in opened.frames():
            yield time, opened.shown(frame)


def iterate_exact(path: Path | str) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """As `iterate`, and each frame a third time as a player shows it, to half a level: codes rest on the fast conversion."""
    with film.opened(path) as opened:
        for time, frame in opened.frames():
            yield time, opened.shown(frame), opened.shown(frame, exact=True)


def times(path: Path | str) -> np.ndarray:
    """The times (T,) of all frames, in seconds since the first."""
    with film.opened(path) as opened:
        return np.array([time for time, _ in opened.frames()])


def look(path: Path | str) -> Look:
    """How a player shows a video's pixels, from its first frame: for a video that is to look the same."""
    with film.opened(path) as opened:
        return opened.look(next(opened.frames())[1])


def read(path: Path | str, frames: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first `frames` frames (default all): uint8 (T, H, W, 3) and their times (T,) in seconds, all in memory."""
    times, images = zip(*islice(iterate(path), frames), strict=True)
    return np.stack(images), np.array(times)


def pick(path: Path | str, ts: np.ndarray) -> Iterator[np.ndarray]:
    """The frames uint8 (H, W, 3) at increasing times (T,) of a video, one at a time; times to half a tick of its clock.

    Raises UserError when the video has no frame at one of them: the times are of another video.
    """
    wanted = iter(np.asarray(ts, dtype=float))
    target = next(wanted, None)
    with film.opened(path) as opened:
        near = max(SAME_TIME, opened.tick / 2)
        for time, frame in opened.frames():
            if target is not None and abs(time - target) < near:
                yield opened.shown(frame)
                target = next(wanted, None)
            if target is None:
                return
    raise UserError(f"{path} has no frame at {target:.4f} s: it is not the video this clip was made from.")
