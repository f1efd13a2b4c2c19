"""The audio track of a video, copied without decoding beside frames that keep their times."""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer


class Copier:
    """Copies the first audio stream of an open video into an open .mp4 without frames so far, without decoding it.

    start: the time of the video's first frame on its own clock; all seconds here count from it.
    """

    def __init__(self, source: InputContainer, start: float, container: OutputContainer):
        audio = source.streams.audio[0]
        self.container, self.stream = container, container.add_stream_from_template(audio, opaque=True)
        self.packets = packets(source, audio, start)
        self.waiting, self.begin, self.last = next(self.packets, None), math.nan, -math.inf

    def until(self, seconds: float) -> None:
        """Copy the packets that begin before that time, but none from before the time of the first call."""
        self.begin = seconds if math.isnan(self.begin) else self.begin
        while self.waiting and self.waiting[0] < seconds:
            time, packet = self.waiting
            dts = packet.dts or 0
            if time >= self.begin and dts > self.last:  # muxers refuse times that jump back
                self.last, packet.stream = dts, self.stream
                self.container.mux(packet)
            self.waiting = next(self.packets, None)


class Silence:
    """Copies nothing: for a video without audio, or with a codec that an .mp4 cannot hold."""

    def until(self, seconds: float) -> None:
        pass


@contextlib.contextmanager
def copier(path: Path | str | None, container: OutputContainer) -> Iterator[Copier | Silence]:
    """The copier of a video's audio, if one is named, into an open .mp4 without frames so far."""
    if path is None or not codec_of(path) or unsupported_codec(path):
        yield Silence()
        return
    with opened(path) as source:
        yield Copier(source, first_time(path), container)


def opened(path: Path | str) -> InputContainer:
    """A video, open for reading."""
    return av.open(str(path), metadata_errors="replace")  # old files carry titles in Latin-1


def codec_of(path: Path | str) -> str:
    """The codec of a video's first audio stream, such as "aac"; "" for a video without audio."""
    with opened(path) as source:
        audio = source.streams.audio
        return audio[0].codec_context.codec.canonical_name if audio else ""


def unsupported_codec(path: Path | str) -> str:
    """The codec of a video's audio where an .mp4 cannot hold it, else ""."""
    with av.open(io.BytesIO(), "w", format="mp4") as container:
        codec = codec_of(path)
        return "" if codec in container.supported_codecs else codec


def first_time(path: Path | str) -> float:
    """The time of a video's first frame, in seconds on its own clock."""
    with opened(path) as source:
        return float(next(source.decode(video=0)).time or 0)


def packets(source: InputContainer, stream: AudioStream, start: float) -> Iterator[tuple[float, av.Packet]]:
    """(seconds since `start`, packet) of a stream, as far as it can be read; the packets' own times count from there too."""
    shift = round(start / (stream.time_base or 1))
    with contextlib.suppress(av.error.FFmpegError):
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                yield float(packet.pts * (packet.time_base or 1)), packet
