"""Writing of H.264 videos that a player shows as their frames are: tagged colours, exact times, sound beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from dynode.errors import UserError
from dynode.io import audio, colours
from dynode.io.colours import Look
from dynode.io.files import written_whole

LEAST_FPS, MOST_FPS = 0.001, 1000
TICK = Fraction(1, 90_000)  # seconds; all usual frame durations are multiples of it
USUAL = Look()
ONE_LOOKAHEAD = "lookahead-threads=1"  # with several, x264 writes other bytes now and then
BEGINS = "begins at {} s of its source"  # in the comment of a video whose first frame is a later one of its source
Timed = Iterable[tuple[int, np.ndarray]]  # time in ticks, frame uint8 (H, W, 3)


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.  tick: seconds of their times.  rate: frames a second, by which the encoder allots bits, and the
    duration of the last frame.  crf: the constant rate factor, 0 (lossless) to 51."""

    tick: Fraction
    rate: Fraction
    crf: int
    look: Look = USUAL


def write(
    path: Path | str,
    frames: Iterable[np.ndarray],
    fps: float,
    crf: int = 16,
    look: Look = USUAL,
    title: str = "",
) -> Path:
    """Write uint8 frames (H, W, 3) as H.264 at `fps` frames a second; the file appears only when it is whole.

    An odd height or width gets its last row or column twice: the format has even sizes only.
    title: in the file's metadata, as players show it.
    """
    step = 1 / Fraction(fps).limit_denominator(100_000)
    return encode(path, enumerate(frames), Encoding(step, 1 / step, crf, look), {"title": title})


def write_timed(
    path: Path | str,
    frames: Iterable[tuple[float, np.ndarray]],
    fps: float,
    crf: int = 16,
    title: str = "",
    audio_from: Path | str | None = None,
    look: Look = USUAL,
) -> Path:
    """Write (seconds, frame uint8 (H, W, 3)) as H.264 with exactly these times, whatever their spacing.

    The file's clock begins with the first frame; where that is not at 0 s, its comment keeps when.
    fps: the approximate frame rate.  title: title and comment in the file's metadata, as players show them.
    audio_from: a video whose audio, from the first of these times to the last frame's end, is copied where it has any.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{path} cannot be written: a video wants at least one frame.")
    begin = first[0]
    metadata = {"title": title, "comment": comment(title, begin)}
    ticks = ((round((t - begin) / TICK), frame) for t, frame in chain([first], frames))
    encoding = Encoding(TICK, Fraction(fps).limit_denominator(1000), crf, look)
    return encode(path, ticks, encoding, metadata, audio_from, begin)


def comment(title: str, begin: float) -> str:
    """The comment of a video with that title whose first frame lies at `begin` seconds of its source."""
    return "; ".join(part for part in (title, BEGINS.format(f"{begin:.6f}") if begin else "") if part)


def encode(
    path: Path | str,
    frames: Timed,
    encoding: Encoding,
    metadata: dict[str, str] | None = None,
    audio_from: Path | str | None = None,
    begin: float = 0.0,
) -> Path:
    """Write frames at increasing times.  audio_from: as in `write_timed`, begin: the time on its clock at which ours begins."""
    path = Path(path)
    with written_whole(path, suffix=".mp4") as scratch, av.open(str(scratch), "w", "mp4") as container:
        container.metadata.update({key: value for key, value in (metadata or {}).items() if value})
        stream = container.add_stream("libx264", rate=encoding.rate)
        prepare(stream, encoding)
        with audio.copier(audio_from, container, begin) as copier:
            fill(container, stream, frames, encoding, copier)
    return path


def prepare(stream: VideoStream, encoding: Encoding) -> None:
    """Set all of an encoder but the size, which is known with the first frame."""
    codec, look = stream.codec_context, encoding.look
    stream.pix_fmt, codec.time_base = "yuv420p", encoding.tick
    stream.options = {"crf": str(encoding.crf), "x264-params": ONE_LOOKAHEAD}
    if look.pixel != 1:
        codec.sample_aspect_ratio = look.pixel
    for name, value in look.tags.items():
        setattr(codec, name, value)


def fill(
    container: OutputContainer,
    stream: VideoStream,
    frames: Timed,
    encoding: Encoding,
    copier: audio.Copier | audio.Silence,
) -> None:
    """Encode all frames into an open container, with the audio beside them."""
    seconds, duration = 0.0, max(1, round(1 / (encoding.rate * encoding.tick)))
    for time, picture in pictures(frames, encoding):
        if not stream.codec_context.is_open:
            stream.height, stream.width = picture.height, picture.width
        picture.pts, picture.time_base, picture.duration = time, encoding.tick, duration
        container.mux(stream.encode(picture))
        seconds = float(time * encoding.tick)
        copier.until(seconds)
    container.mux(stream.encode())
    copier.until(seconds + float(1 / encoding.rate))


def pictures(frames: Timed, encoding: Encoding) -> Iterator[tuple[int, av.VideoFrame]]:
    """(time, frame as it is encoded), of even height and width."""
    for time, image in frames:
        even = np.pad(image, [(0, n % 2) for n in image.shape[:2]] + [(0, 0)], mode="edge")
        yield time, colours.coded(even, encoding.look)


def require_rate(fps: float) -> None:
    """Raises UserError for a frame rate outside [0.001, 1000]."""
    if not LEAST_FPS <= fps <= MOST_FPS:
        raise UserError(f"The frame rate must be above 0, from {LEAST_FPS} to at most {MOST_FPS}, got {fps:g}.")
