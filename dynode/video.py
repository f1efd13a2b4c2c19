"""Video files through PyAV, with the timestamps the file really carries."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dynode.errors import UserError
from dynode.runtime import written_whole


def iterate(path: Path | str) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (time in seconds since the first frame, frame uint8 (H, W, 3) RGB), one frame in memory at a time.

    Raises UserError when the file is missing, is no video, or breaks off before its first frame.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}: give the path of a video.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} has no video stream: give a video such as .mp4, .mov or .webm.")
            start = None
            for frame in container.decode(container.streams.video[0]):
                start = frame.time if start is None else start
                yield float(frame.time - start), frame.to_ndarray(format="rgb24")
            if start is None:
                raise UserError(f"{path} holds no frame that can be decoded: it may be cut off.")
    except av.error.FFmpegError as error:
        raise UserError(
            f"{path} is not a video that can be read ({error.strerror}): give an .mp4 or similar."
        ) from None


def read(path: Path | str, frames: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first `frames` frames (default all): uint8 (T, H, W, 3) and their times (T,) in seconds."""
    images, times = [], []
    for time, image in iterate(path):
        if frames is not None and len(times) == frames:
            break
        images.append(image)
        times.append(time)
    return np.stack(images), np.array(times)


def write(path: Path | str, frames: Iterable[np.ndarray], fps: float, crf: int = 16) -> Path:
    """Write uint8 frames (H, W, 3) as H.264 at `fps` frames a second; the file appears only when it is whole."""
    path = Path(path)
    with written_whole(path, suffix=".mp4") as scratch, av.open(str(scratch), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(100_000))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf)}
        for image in frames:
            if not stream.codec_context.is_open:  # the size is known with the first frame
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path
