"""The frames of an edited video and those of its source at the same times, read from their files one at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from dynode import clips
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.io import assets, audio, video
from dynode.io.video_writing import BEGINS

NEAR = 0.25  # of the usual step between the source's frames: as far apart two frames are of one time


@dataclass(frozen=True)
class FramesOfFile:
    """Frames of a video at the times ts (T,) in seconds, uint8 (H, W, 3) each, cut to a size; read anew by every iteration."""

    path: Path
    ts: np.ndarray
    size: tuple[int, int]

    def __len__(self):
        return len(self.ts)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.ts), *self.size, 3)

    def __iter__(self) -> Iterator[np.ndarray]:
        height, width = self.size
        for frame in video.pick(self.path, self.ts):
            yield np.ascontiguousarray(frame[:height, :width])


@dataclass(frozen=True)
class MatchedPair:
    """A source and an edited video at the same times, and the quads (T, 4, 2) of the source's clip if one is named."""

    source: FramesOfFile
    edited: FramesOfFile
    quads: np.ndarray | None = None


def read_pair(source: str, edited: str, frames: int = 0, clip: str = "") -> MatchedPair:
    """The first `frames` (0: all) frames of an edited video, each beside the source frame of its time.

    source: a file or an asset; with a clip, its frames are the clip's.  An edited video that is a row or a column larger, as
    H.264 makes odd sizes even, is cut.  Raises UserError for files that cannot be read, for videos that do not show the
    same frames, and for a clip without alignment.
    """
    if frames < 0:
        raise UserError(f"The number of frames to compare is 0 (all) or more, got {frames}.")
    path = assets.fetch(source) if source in assets.registry()[1] else Path(source)
    size = common_size(size_of(path), size_of(edited))
    known = aligned_clip(clip) if clip else None
    before = video.times(path) if known is None else known.ts.numpy()
    after = video.times(edited)
    at = partners(before, after, begins(edited), known is not None)
    at, after = at[: frames or None], after[: frames or None]
    if len(at) < 2:
        raise UserError(f"Consistency needs at least 2 frames, {edited} has {len(at)} to compare.")
    quads = None if known is None or known.quads is None else known.quads.numpy()[at]
    return MatchedPair(FramesOfFile(path, before[at], size), FramesOfFile(Path(edited), after, size), quads)


def aligned_clip(name: str) -> Clip:
    """The clip of that name or file.  Raises UserError for one without alignment."""
    known = clips.load(name)
    if known.quads is None:
        raise UserError(f"The clip {known.name} has no alignment: it was not made from a video of a face.")
    return known


def size_of(path: Path | str) -> tuple[int, int]:
    """Height and width of a video's frames."""
    frame = next(video.iterate(path))[1]
    return frame.shape[0], frame.shape[1]


def common_size(source: tuple[int, int], edited: tuple[int, int]) -> tuple[int, int]:
    """The source's size.  Raises UserError where the edited video is not of that size, but for rows or columns made even."""
    even = tuple(length + length % 2 for length in source)
    if edited not in (source, even):
        raise UserError(
            f"The source has frames of {source[1]} x {source[0]} pixels, the edited video of {edited[1]} x {edited[0]}: both "
            "must show the same frames at the same size."
        )
    return source


def begins(edited: Path | str) -> list[float]:
    """Seconds of the source at which an edited video may begin: as its comment says, at 0, or as its own clock does."""
    pattern = re.escape(BEGINS).replace(re.escape("{}"), r"(\d+\.\d+)")
    with av.open(str(edited), metadata_errors="replace") as container:
        noted = re.search(pattern, container.metadata.get("comment", ""))
    return [float(noted[1]) if noted else 0.0, 0.0, audio.clock_of(edited).start]


def partners(source: np.ndarray, edited: np.ndarray, starts: list[float], in_order: bool) -> np.ndarray:
    """The number of the source frame for every frame of an edited video, from the times (T,) of both, which increase.

    starts: where on the source's clock the edited video may begin.  in_order: as many frames are the same frames, whatever
    their times.  Raises UserError for a video whose frames are not the source's.
    """
    if len(edited) == 1 or len(source) == 1:
        return np.zeros(min(len(edited), len(source)), dtype=int)
    choices = [nearest(source, edited + start) for start in starts]
    for at, alone in choices:
        if not alone.any() and (np.diff(at) > 0).all():
            return at
    if in_order and len(edited) == len(source):
        return np.arange(len(source))
    alone = choices[0][1]
    raise UserError(
        f"{max(int(alone.sum()), 1)} of {len(edited)} frames of the edited video have no partner among the {len(source)} of "
        "the source, whose times are other ones: give the video that was edited, or name by --clip the codes of the frames "
        "that were."
    )


def nearest(source: np.ndarray, edited: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers (T,) of the source frames nearest in time, and which edited frames (T,) bool are too far from theirs."""
    after = np.searchsorted(source, edited).clip(1, len(source) - 1)
    at = np.where(edited - source[after - 1] <= source[after] - edited, after - 1, after)
    return at, np.abs(source[at] - edited) > NEAR * np.median(np.diff(source))
