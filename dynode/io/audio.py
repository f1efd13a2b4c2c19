"""The sound of a video, copied as it is beside frames that keep the times they have there."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import av


class Copier:
    """Copies the first audio stream of an open video into an open .mp4 that holds no frame yet, without decoding it.

    start: the time of the video's first frame on its own clock; all seconds here count from it.
    """

    def __init__(self, source, start: float, container):
        heard = source.streams.audio[0]
        self.container, self.stream = container, container.add_stream_from_template(heard, opaque=True)
        self.packets = packets(source, heard, start)
        self.waiting, self.begin, self.last = next(self.packets, None), None, None

    def until(self, seconds: float) -> None:
        """Copy what begins before that time, and nothing from before the time of the first call."""
        self.begin = seconds if self.begin is None else self.begin
        while self.waiting and self.waiting[0] < seconds:
            time, packet = self.waiting
            if time >= self.begin and (self.last is None or packet.dts > self.last):  # what jumps back is refused
                self.last, packet.stream = packet.dts, self.stream
                self.container.mux(packet)
            self.waiting = next(self.packets, None)


class Silence:
    """Copies nothing: of a video without sound, or whose sound an .mp4 cannot hold."""

    def until(self, seconds: float) -> None:
        pass


@contextlib.contextmanager
def copier(path: Path | str | None, container) -> Iterator[Copier | Silence]:
    """What copies the sound of a video, if one is named, into an open .mp4 that holds no frame yet."""
    if path is None or not codec_of(path) or unsupported_codec(path):
        yield Silence()
        return
    with opened(path) as source:
        yield Copier(source, first_time(path), container)


def opened(path: Path | str):
    return av.open(str(path), metadata_errors="replace")  # old files carry titles in Latin-1


def codec_of(path: Path | str) -> str:
    """The codec of a video's first audio stream, such as "aac"; nothing where it has no sound."""
    with opened(path) as source:
        heard = source.streams.audio
        return heard[0].codec_context.codec.canonical_name if heard else ""


def unsupported_codec(path: Path | str) -> str:
    """The codec of a video's sound where an .mp4 cannot hold it, else nothing."""
    with av.open(io.BytesIO(), "w", format="mp4") as container:
        codec = codec_of(path)
        return "" if codec in container.supported_codecs else codec


def first_time(path: Path | str) -> float:
    """The time of a video's first frame, in seconds on its own clock."""
    with opened(path) as source:
        return float(next(source.decode(video=0)).time)


def packets(source, stream, start: float) -> Iterator[tuple[float, av.Packet]]:
    """(seconds since `start`, packet) of a stream, as far as it can be read; the packets' own times count from there too."""
    shift = round(start / stream.time_base)
    with contextlib.suppress(av.error.FFmpegError):
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                yield float(packet.pts * packet.time_base), packet
