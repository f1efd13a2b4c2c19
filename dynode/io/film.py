"""An open film: the streams that a player picks, its frames at increasing times, and how a player shows them."""

import contextlib
import warnings
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dynode.errors import Remark, UserError
from dynode.io import colours, orientation
from dynode.io.colours import Look
from dynode.io.inputs import FILMS, require_file
from dynode.io.video_clock import Clock

BROADCAST = ("mpegts", "mpeg")  # formats whose clock may jump
WITHOUT_PTS = ("avi",)  # it stores when frames are decoded; what FFmpeg makes of that is wrong with B-frames
PICTURES = ("image2", "png_pipe", "jpeg_pipe", "webp_pipe", "tiff_pipe", "bmp_pipe", "gif_pipe")
NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails


class Film:
    """A video, open for reading.  Raises UserError for one without a video stream."""

    def __init__(self, container: InputContainer, path: Path):
        self.container, self.path = container, path
        stream = video_stream(container)
        if stream is None:
            if not container.streams:
                raise UserError(f"{path} holds nothing that can be read: it may be cut off, copy it anew.")
            raise UserError(f"{path} has no video stream: give a video such as .mp4, .mov or .webm.")
        self.stream = stream
        self.still = container.format.name in PICTURES
        self.clock = Clock(self.stream.guessed_rate, container.format.name in BROADCAST, str(path))
        self.size: tuple[int, int] | None = None
        self.matrices: dict[int, orientation.Matrix] = {}

    @property
    def tick(self) -> float:
        """The seconds to which the file rounds its times."""
        return float(self.stream.time_base or 0)

    def frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """(seconds since the first frame, frame), of increasing times; colours that are not shown right are remarked."""
        decoded = self.decoded()
        first = next(decoded, None)
        if first is None:
            raise UserError(f"{self.path} holds no frame that can be decoded: it may be cut off.")
        colours.remark(first[1], self.path)
        try:
            yield from self.clock.times(chain([first], decoded))
        except LookupError:
            raise UserError(
                f"{self.path} has frames without a time and no frame rate: convert it to .mp4 first."
            ) from None

    def decoded(self) -> Iterator[tuple[float | None, av.VideoFrame]]:
        """(the file's own time in seconds, frame) of all frames, in the order in which they are shown."""
        self.stream.thread_type = "AUTO"
        without = self.container.format.name in WITHOUT_PTS
        frames: Iterator[av.VideoFrame] = self.container.decode(self.stream)  # pyright: ignore[reportAssignmentType]
        for frame in frames:
            if without:
                frame.pts = frame.dts  # pyright: ignore[reportAttributeAccessIssue]
            yield frame.time, frame

    def look(self, frame: av.VideoFrame) -> Look:
        """How a player shows a frame of this film, once it is upright."""
        pixel = self.stream.sample_aspect_ratio or Fraction(1)
        turned = orientation.is_turned(self.matrix(frame))
        return colours.look_of(frame, 1 / pixel if turned else pixel, self.still)

    def matrix(self, frame: av.VideoFrame) -> orientation.Matrix:
        """The display matrix of a frame, read once for every rotation: a frame whose side data were read is freed late."""
        if frame.rotation not in self.matrices:
            self.matrices[frame.rotation] = orientation.matrix_of(frame, self.path)
        return self.matrices[frame.rotation]

    def shown(self, frame: av.VideoFrame, exact: bool = False) -> np.ndarray:
        """A frame uint8 (H, W, 3), upright, at the size of the first one; exact: see `colours.pixels`."""
        picture = orientation.upright(colours.pixels(frame, self.still, exact), self.matrix(frame))
        self.size = self.size or (picture.shape[0], picture.shape[1])
        return picture if picture.shape[:2] == self.size else self.fitted(picture, self.size)

    def fitted(self, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A picture of another size within a frame of the film's size, with bars where its shape is another one."""
        warnings.warn(
            f"The size of {self.path} changes: frames of {picture.shape[1]} x {picture.shape[0]} pixels are fitted into "
            f"{size[1]} x {size[0]}.",
            Remark,
            stacklevel=2,
        )
        scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
        height, width = (max(1, round(scale * length)) for length in picture.shape[:2])
        smaller = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(width, height, interpolation="AREA")
        canvas, top, left = np.zeros((*size, 3), np.uint8), (size[0] - height) // 2, (size[1] - width) // 2
        canvas[top : top + height, left : left + width] = smaller.to_ndarray()
        return canvas


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[Film]:
    """A film; what FFmpeg refuses, now or while it is read, raises UserError, and so does a file that is not there."""
    path = require_file(path, "give the path of a video", FILMS)
    try:
        with av.open(str(path), metadata_errors="replace") as container:  # old files carry titles in Latin-1
            yield Film(container, path)
    except av.error.FFmpegError as error:
        raise UserError(
            f"{path} is not a video that can be read to its end ({error.strerror}): give an .mp4 or similar, or take "
            "only its first frames."
        ) from None


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream that a player shows: its default one, and no cover picture; None where there is none."""
    films = [stream for stream in container.streams.video if not stream.disposition & NO_FILM]
    best = container.streams.best("video")
    chosen = best if best in films else next(iter(films), None)
    return chosen  # pyright: ignore[reportReturnType]


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The stream that a player plays beside the film; None for a silent one."""
    return container.streams.best("audio", video_stream(container))  # pyright: ignore[reportReturnType]
