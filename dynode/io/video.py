"""Video files through PyAV: upright RGB frames with the timestamps of the file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av
import av.error
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from dynode.errors import UserError
from dynode.io import audio
from dynode.io.files import written_whole

MOST_FPS = 1000
TICK = Fraction(1, 90_000)  # seconds; all usual frame durations are multiples of it
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
                f"A stretch wants first >= 0, count >= 0 and every >= 1, got {self.first}, {self.count}, {self.every}."
            )

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The selected ones of all frames."""
        stop = self.first + self.count * self.every if self.count else None
        return islice(frames, self.first, stop, self.every)


def iterate(path: Path | str) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (time in seconds since the first frame, frame uint8 (H, W, 3) RGB), one frame in memory at a time.

    Rotation flags are applied; grey video becomes RGB, transparency is dropped; frames whose time does not increase
    are left out.  Raises UserError when the file is missing, is no video, or is truncated before its first frame.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}: give the path of a video.")
    try:
        with av.open(str(path), metadata_errors="replace") as container:  # old files carry titles in Latin-1
            if not container.streams.video:
                raise UserError(f"{path} has no video stream: give a video such as .mp4, .mov or .webm.")
            yield from timed_frames(container, path)
    except av.error.FFmpegError as error:
        raise UserError(
            f"{path} is not a video that can be read to its end ({error.strerror}): give an .mp4 or similar, or take "
            "only its first frames."
        ) from None


def timed_frames(container: InputContainer, path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Times and frames of an open video, see `iterate`."""
    stream, start, last = container.streams.video[0], None, -1.0
    stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        if frame.time is None:
            raise UserError(f"{path} has a frame without a time: convert it to .mp4 first.")
        start = frame.time if start is None else start
        now = float(frame.time - start)
        if now > last:
            last = now
            yield now, upright(frame)
    if start is None:
        raise UserError(f"{path} holds no frame that can be decoded: it may be cut off.")


def upright(frame: av.VideoFrame) -> np.ndarray:
    """The frame uint8 (H, W, 3), rotated as its metadata says."""
    picture = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def read(path: Path | str, frames: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first `frames` frames (default all): uint8 (T, H, W, 3) and their times (T,) in seconds, all in memory."""
    times, images = zip(*islice(iterate(path), frames), strict=True)
    return np.stack(images), np.array(times)


def pick(path: Path | str, ts: np.ndarray) -> Iterator[np.ndarray]:
    """The frames uint8 (H, W, 3) at increasing times (T,) of a video, one at a time.

    Raises UserError when the video has no frame at one of them: the times are of another video.
    """
    wanted = iter(np.asarray(ts, dtype=float))
    target = next(wanted, None)
    for time, image in iterate(path):
        if target is not None and abs(time - target) < 1e-6:
            yield image
            target = next(wanted, None)
        if target is None:
            return
    raise UserError(f"{path} has no frame at {target:.4f} s: it is not the video this clip was made from.")


def write(path: Path | str, frames: Iterable[np.ndarray], fps: float, crf: int = 16) -> Path:
    """Write uint8 frames (H, W, 3) as H.264 at `fps` frames a second; the file appears only when it is whole.

    An odd height or width gets its last row or column twice: the format has even sizes only.
    """
    step = 1 / Fraction(fps).limit_denominator(100_000)
    return encode(path, enumerate(frames), step, 1 / step, crf)


def write_timed(
    path: Path | str,
    frames: Iterable[tuple[float, np.ndarray]],
    fps: float,
    crf: int = 16,
    title: str = "",
    audio_from: Path | str | None = None,
) -> Path:
    """Write (seconds, frame uint8 (H, W, 3)) as H.264 with exactly these times, whatever their spacing.

    fps: the approximate frame rate.  title: title and comment in the file's metadata, as players show them.
    audio_from: a video whose audio, from the first of these times to the last frame's end, is copied where it has any.
    """
    rate, metadata = Fraction(fps).limit_denominator(1000), {"title": title, "comment": title}
    return encode(path, ((round(t / TICK), frame) for t, frame in frames), TICK, rate, crf, metadata, audio_from)


def encode(
    path: Path | str,
    frames: Iterable[tuple[int, np.ndarray]],
    tick: Fraction,
    rate: Fraction,
    crf: int,
    metadata: dict[str, str] | None = None,
    audio_from: Path | str | None = None,
) -> Path:
    """Write (time, frame) at increasing times, in ticks; tick: seconds.  audio_from: as in `write_timed`.

    rate: frames a second, by which the encoder allots bits, and the duration of the last frame.
    """
    path = Path(path)
    with written_whole(path, suffix=".mp4") as scratch, av.open(str(scratch), "w", format="mp4") as container:
        container.metadata.update({key: value for key, value in (metadata or {}).items() if value})
        stream = container.add_stream("libx264", rate=rate)
        stream.pix_fmt, stream.options, stream.codec_context.time_base = "yuv420p", {"crf": str(crf)}, tick
        with audio.copier(audio_from, container) as copier:
            fill(container, stream, frames, tick, rate, copier)
    return path


def fill(
    container: OutputContainer,
    stream: VideoStream,
    frames: Iterable[tuple[int, np.ndarray]],
    tick: Fraction,
    rate: Fraction,
    copier: audio.Copier | audio.Silence,
) -> None:
    """Encode all frames into an open container, with the audio beside them."""
    seconds = 0.0
    for time, image in frames:
        image = np.pad(image, [(0, n % 2) for n in image.shape[:2]] + [(0, 0)], mode="edge")
        if not stream.codec_context.is_open:  # the size is known with the first frame
            stream.height, stream.width = image.shape[:2]
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts, picture.time_base, picture.duration = time, tick, max(1, round(1 / (rate * tick)))
        container.mux(stream.encode(picture))
        seconds = float(time * tick)
        copier.until(seconds)
    container.mux(stream.encode())
    copier.until(seconds + float(1 / rate))


def require_rate(fps: float) -> None:
    """Raises UserError for a frame rate outside (0, 1000]."""
    if not 0 < fps <= MOST_FPS:
        raise UserError(f"The frame rate must be above 0 and at most {MOST_FPS}, got {fps:g}.")
